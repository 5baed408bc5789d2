//! Tokens and assertions that are made of ID tokens.

use oauth_twin::{jose::Algorithm, oauth2::DpopKey};

use super::{super::test, *};

/// The assertion is for another server, which is why it is bound to no key.
#[maybe_async]
#[test]
async fn an_identity_assertion_comes_to_a_client_with_dpop() -> TestResult {
    let assertion = json!({
        "access_token": "opaque", "issued_token_type": ID_JAG, "token_type": "N_A",
    });
    let (users, resource) = two_servers(assertion);
    let source = OAuth2Client::builder("at-the-provider")
        .token_endpoint(users.url("/token"))
        .dpop(DpopKey::generate(Algorithm::ES256)?)
        .build()?;
    let client = at_resource(&resource)
        .id_jag_from(&source, IdJag::new("a.b.c"))
        .build()?;
    expect(&client, &resource, "Bearer t1").await?;
    assert!(users.requests("/token")[0].header("dpop").is_some());
    // It is never a token of the client itself.
    let exchange = || {
        TokenExchange::new("s", TokenTypeIdentifier::IdToken)
            .requested_token_type(TokenTypeIdentifier::IdJag)
    };
    let assertion = source.exchange(exchange()).await?;
    assert_eq!(assertion.token_type(), "N_A");
    let kept = source.fetch_token(exchange()).await;
    assert_eq!(kept.expect_err("no token").kind(), ErrorKind::Answer);
    assert_eq!(source.token(), None);
    let child = source.for_token(assertion);
    let sent = child.get(resource.url("/api")).send().await;
    assert!(sent.is_err());
    // A token that could be sent has to be bound.
    let (users, _) = two_servers(json!({
        "access_token": "t", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
    }));
    let source = OAuth2Client::builder("at-the-provider")
        .token_endpoint(users.url("/token"))
        .dpop(DpopKey::generate(Algorithm::ES256)?)
        .build()?;
    let exchange = TokenExchange::new("s", TokenTypeIdentifier::IdToken);
    let error = source.exchange(exchange).await.expect_err("not bound");
    assert!(error.to_string().contains("DPoP key"), "{error}");
    Ok(())
}
