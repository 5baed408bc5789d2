//! Tokens that are bound to the certificate.

use oauth_twin::oauth2::certificate_thumbprint;

use super::{test, *};

#[maybe_async]
#[test]
async fn a_bound_token_keeps_the_thumbprint() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let client = provider
        .builder(&identity)
        .token_endpoint_auth_method(TlsClientAuth)
        .grant(ClientCredentials::new())
        .build()?;
    accepted(&client, &provider.api(), "t1").await?;
    let token = client.token().expect("a token");
    assert_eq!(
        token.certificate_thumbprint(),
        Some(&*identity.thumbprint())
    );
    assert_eq!(
        identity.thumbprint(),
        certificate_thumbprint(&identity.certificate)
    );
    // It is stored with the token.
    let stored = serde_json::to_value(&token)?;
    assert_eq!(stored["certificate_thumbprint"], identity.thumbprint());
    assert_eq!(serde_json::from_value::<Token>(stored)?, token);

    let introspection = client.introspect_token().await?;
    assert_eq!(
        introspection.certificate_thumbprint(),
        Some(&*identity.thumbprint())
    );
    let confirmation = introspection.get("cnf");
    assert!(certificate(&identity).is_confirmed_by(confirmation));
    let other = provider.clients.issue("client.example");
    assert!(!certificate(&other).is_confirmed_by(confirmation));
    // The renewed token is bound, too.
    let renewed = client.refresh_token().await?;
    assert_eq!(
        renewed.certificate_thumbprint(),
        Some(&*identity.thumbprint())
    );
    accepted(&client, &provider.api(), "t2").await?;
    Ok(())
}

/// The flag of the metadata says whether there are bound tokens at all.
#[maybe_async]
#[test]
async fn a_server_that_binds_no_tokens_issues_none_that_are_bound() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    for flag in [json!(false), json!(null), json!("yes")] {
        let server = provider.metadata();
        let server = server.with_member("tls_client_certificate_bound_access_tokens", flag);
        let client = provider
            .builder(&identity)
            .server(server)
            .token_endpoint_auth_method(TlsClientAuth)
            .build()?;
        let token = client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(token.certificate_thumbprint(), None);
    }
    Ok(())
}

/// A program is started again with another certificate than the one that the token is bound to.
#[maybe_async]
#[test]
async fn a_token_of_another_certificate_counts_as_expired() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let before = provider.builder(&old).build()?;
    let token = before.fetch_token(ClientCredentials::new()).await?;

    let client = provider.builder(&new).token(token.clone()).build()?;
    accepted(&client, &provider.api(), "t2").await?;
    let renewed = client.token().expect("a token");
    assert_eq!(renewed.certificate_thumbprint(), Some(&*new.thumbprint()));
    // The old token was not tried.
    assert_eq!(provider.mtls.count("/api"), 1);
    assert_eq!(provider.mtls.requests("/token")[1].form(), {
        "grant_type=refresh_token&refresh_token=r1&client_id=id"
    });

    // The same for a token of another user, for a header and for a request of another client.
    let child = client.for_token(token.clone().with_refresh_token("other"));
    let header = child.authorization_header().await?;
    assert_eq!(header, "Bearer t3");
    let client = provider.builder(&new).token(token.clone()).build()?;
    let mut request = own_client().get(provider.api()).build()?;
    client.authorize(&mut request).await?;
    assert_eq!(request.headers()["authorization"], "Bearer t4");
    let client = provider.builder(&new).token(token).build()?;
    let active = client.ensure_active_token().await?;
    assert_eq!(access_token(&active), "t5");
    Ok(())
}

/// One renewal serves all, as if the token had expired.
#[maybe_async]
#[test]
async fn a_token_of_another_certificate_is_renewed_once_for_all() -> TestResult {
    let provider = Provider::start();
    let [old, new] = [(); 2].map(|()| provider.clients.issue("client.example"));
    let before = provider.builder(&old).build()?;
    let token = before.fetch_token(ClientCredentials::new()).await?;
    let client = provider.builder(&new).token(token).build()?;
    let api = provider.api();
    let texts = at_once(8, move |_| text_of(client.clone(), api.clone())).await;
    assert!(texts.iter().all(|text| text == "t2"), "{texts:?}");
    assert_eq!(provider.mtls.count("/token"), 2);
    Ok(())
}

#[maybe_async]
async fn text_of(client: OAuth2Client, api: String) -> String {
    call(&client, &api).await.expect("an answer")
}

/// What cannot be renewed is an error that says so, and is not sent.
#[maybe_async]
#[test]
async fn a_token_of_another_certificate_that_cannot_be_renewed_is_not_sent() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let token = Token::new("t").with_certificate_thumbprint("of another");
    let builder = || provider.builder(&identity).token(token.clone());
    let error = call(&builder().build()?, &provider.api()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Token);
    assert_eq!(provider.mtls.count("/api"), 0);
    // Where expiry triggers nothing, this does not either: the token is renewed elsewhere.
    use oauth_twin::oauth2::RefreshPolicy;
    let client = builder().refresh_policy(RefreshPolicy::Never).build()?;
    let response = client.get(provider.api()).send().await?;
    assert_eq!(response.status(), 401);
    Ok(())
}

/// A token without a thumbprint may be anything, and so it is used.
#[maybe_async]
#[test]
async fn a_token_that_is_not_bound_is_used() -> TestResult {
    let provider = Provider::start();
    let identity = provider.clients.issue("client.example");
    let before = provider.builder(&identity).build()?;
    before.fetch_token(ClientCredentials::new()).await?;
    let client = provider
        .builder(&identity)
        .token(Token::new("t1"))
        .build()?;
    accepted(&client, &provider.api(), "t1").await?;
    // Nor does the thumbprint matter to a certificate for transport alone.
    let bound = Token::new("t1").with_certificate_thumbprint("of another");
    let client = provider
        .builder(&identity)
        .client_certificate(certificate(&identity).transport_only())
        .token(bound)
        .build()?;
    accepted(&client, &provider.api(), "t1").await?;
    assert_eq!(provider.mtls.count("/token"), 1);
    Ok(())
}

/// A server cannot bind a token to a certificate by its answer.
#[maybe_async]
#[test]
async fn the_member_of_an_answer_is_not_taken_for_ours() -> TestResult {
    let server = Server::start(|_: &Request| {
        Reply::json(
            200,
            json!({"access_token": "t", "certificate_thumbprint": "of another"}),
        )
    });
    let client = builder(&server).build()?;
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.certificate_thumbprint(), None);
    assert_eq!(token.get("certificate_thumbprint"), None);
    Ok(())
}
