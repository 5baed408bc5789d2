//! Requests that another HTTP client sends.

use super::{super::test, *};

#[maybe_async]
#[test]
async fn authorize_adds_both_headers_and_observe_keeps_the_nonce() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let own = own_client();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut request = own.get(server.server.url("/api?x=1")).build()?;
        client.authorize(&mut request).await?;
        let response = own.execute(request).await?;
        client.observe(&response);
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [401, 200, 200]);
    server.assert_sound();
    Ok(())
}

#[maybe_async]
#[test]
async fn the_bare_header_is_an_error_that_names_authorize() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let error = client.authorization_header().await.expect_err("no proof");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("authorize"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn observing_is_harmless_without_dpop() -> TestResult {
    let server = Server::start(|_: &Request| Reply::text(200, "").with("DPoP-Nonce", "n"));
    let client = OAuth2Client::builder("id").token(Token::new("t")).build()?;
    let response = own_client().get(server.url("/api")).send().await?;
    client.observe(&response);
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    assert!(
        server
            .requests("/api")
            .iter()
            .all(|it| it.header("dpop").is_none())
    );
    Ok(())
}
