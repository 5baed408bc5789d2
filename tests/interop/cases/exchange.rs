//! Token exchange at node `oidc-provider`: a gateway's own token for that of another client.

use oauth_twin::{
    ErrorCode,
    oauth2::{ClientCredentials, TokenExchange, TokenTypeIdentifier},
};
use serde_json::{Value, json};

use super::{
    TestResult,
    logins::{Server, WEB, logged_in},
    oidc_provider::me,
};
use crate::mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, maybe_async, test};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A gateway of this test alone, which may exchange tokens.
#[maybe_async]
async fn gateway(test: &str) -> (String, OAuth2ClientBuilder) {
    let id = format!("exchange-{test}-{CLIENT}");
    let metadata = json!({
        "client_id": id, "client_secret": "gateway-secret", "grant_types": [GRANT_TYPE],
    });
    Server::OidcProvider.register(&metadata).await;
    let builder = Server::OidcProvider.client(&id);
    (id, builder.client_secret("gateway-secret"))
}

/// The client whose tokens are exchanged, with tokens that live for 3 seconds or for long.
fn source(id: &str) -> oauth_twin::Result<OAuth2Client> {
    Server::OidcProvider
        .client(id)
        .client_secret(format!("{id}-secret"))
        .grant(ClientCredentials::new())
        .build()
}

#[maybe_async]
#[test]
async fn a_token_is_exchanged_for_several_audiences() -> TestResult {
    let (id, gateway) = gateway("audiences").await;
    let gateway = gateway.build()?;
    let subject = source("basic")?.ensure_active_token().await?;
    let exchange = TokenExchange::of_token(&subject)
        .audience("orders")
        .audience("billing")
        .requested_token_type(TokenTypeIdentifier::AccessToken);
    let token = gateway.fetch_token(exchange).await?;
    assert_eq!(token.get("subject_client"), Some(&Value::from("basic")));
    assert_eq!(token.get("audience"), Some(&json!(["orders", "billing"])));
    assert!(token.expires_at() <= subject.expires_at());
    let answer = me(&gateway).await?;
    assert_eq!(answer["client_id"], id);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_s_token_is_made_of_that_of_another_and_ends_with_it() -> TestResult {
    let (id, gateway) = gateway("source").await;
    let source = source("short")?;
    let gateway = gateway
        .exchanged_from(&source, TokenExchange::of_client().audience("orders"))
        .build()?;
    for _ in 0..2 {
        let answer = me(&gateway).await?;
        assert_eq!(answer["client_id"], id);
    }
    let counted = Server::OidcProvider.counted(&id, GRANT_TYPE).await;
    assert_eq!(counted, (1, 0));
    let (token, subject) = (gateway.token(), source.token());
    let expiry = |token: Option<oauth_twin::Token>| token.and_then(|token| token.expires_at());
    let (expiry, subject) = (expiry(token), expiry(subject));
    assert!(
        subject.is_some() && expiry <= subject,
        "600 s by themselves"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_gateway_acts_for_a_user_with_less_scope_and_a_token_of_its_own_as_the_actor()
-> TestResult {
    let (id, gateway) = gateway("actor").await;
    let web = Server::OidcProvider.web().build()?;
    let subject = logged_in(Server::OidcProvider, &web, WEB).await;
    let actor = source("basic")?.ensure_active_token().await?;
    let exchange = || TokenExchange::of_token(&subject);
    let acting = exchange()
        .actor(
            actor.access_token().clone(),
            TokenTypeIdentifier::AccessToken,
        )
        .scope("reports:read");
    let gateway = gateway.scope("").build()?;
    let token = gateway.fetch_token(acting).await?;
    for (name, expected) in [("subject_client", "web"), ("actor_client", "basic")] {
        assert_eq!(token.get(name), Some(&Value::from(expected)));
    }
    let answer = me(&gateway).await?;
    assert_eq!(
        (&answer["client_id"], &answer["sub"]),
        (&json!(id), &json!("alice"))
    );
    // What the subject does not have is not given.
    for (refused, code) in [
        (
            exchange().scope("reports:read reports:write"),
            ErrorCode::InvalidScope,
        ),
        (
            exchange().actor("no token", TokenTypeIdentifier::AccessToken),
            ErrorCode::InvalidGrant,
        ),
        (
            exchange().requested_token_type(TokenTypeIdentifier::Jwt),
            ErrorCode::InvalidRequest,
        ),
    ] {
        let error = gateway.exchange(refused).await.expect_err("refused");
        assert_eq!(error.code(), Some(&code), "{error}");
    }
    // Nor anything for a token that is no more.
    web.revoke(subject.access_token().clone(), None).await?;
    let error = gateway.exchange(exchange()).await.expect_err("revoked");
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_callers_of_a_gateway_have_one_exchanged_token_each() -> TestResult {
    let (id, gateway) = gateway("callers").await;
    let gateway = gateway.build()?;
    let web = Server::OidcProvider.web().build()?;
    let alice = logged_in(Server::OidcProvider, &web, WEB).await;
    let service = source("basic")?.ensure_active_token().await?;
    let orders = |token| TokenExchange::of_token(token).audience("orders");
    for _ in 0..3 {
        for (caller, sub) in [(&alice, json!("alice")), (&service, Value::Null)] {
            let answer = me(&gateway.for_exchange(orders(caller))).await?;
            assert_eq!((&answer["client_id"], &answer["sub"]), (&json!(id), &sub));
        }
    }
    let counted = Server::OidcProvider.counted(&id, GRANT_TYPE).await;
    assert_eq!(counted, (2, 0));
    // The server forgets the exchanged tokens: each API call that is refused makes another.
    let child = gateway.for_exchange(orders(&alice));
    Server::OidcProvider.control("revoke_all", &id, &[]).await;
    let answer = me(&child).await?;
    assert_eq!(answer["sub"], "alice");
    let counted = Server::OidcProvider.counted(&id, GRANT_TYPE).await;
    assert_eq!(counted, (3, 0));
    // A caller whose own token is no more gets nothing, and the others do.
    web.revoke(alice.access_token().clone(), None).await?;
    Server::OidcProvider.control("revoke_all", &id, &[]).await;
    let refused = child.refresh_token().await.expect_err("revoked");
    assert_eq!(refused.code(), Some(&ErrorCode::InvalidGrant));
    me(&gateway.for_exchange(orders(&service))).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn what_the_server_does_not_exchange_is_its_error() -> TestResult {
    let (_, gateway) = gateway("refused").await;
    let gateway = gateway.build()?;
    for (exchange, code) in [
        (
            TokenExchange::new("no token", TokenTypeIdentifier::AccessToken),
            ErrorCode::InvalidGrant,
        ),
        (
            TokenExchange::new("a.b.c", TokenTypeIdentifier::Jwt),
            ErrorCode::InvalidRequest,
        ),
    ] {
        let error = gateway.exchange(exchange).await.expect_err("refused");
        assert_eq!(error.code(), Some(&code), "{error}");
    }
    Ok(())
}
