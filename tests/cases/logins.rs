//! Ends of a login: kept by the client of a script, or by a session that has several at once.

use std::collections::HashMap;

use oauth_twin::oauth2::{AuthorizationUrl, PendingAuthorization, callback_state};

use super::{
    authorization_code::{callback, created},
    test,
    token_store::{Fault, Shelf},
    *,
};

/// A client of a script, which its user logs in with.
fn script(server: &Server) -> OAuth2ClientBuilder {
    builder(server)
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri("https://app.example/callback")
}

/// The callback of a login, with what it answers.
fn answered(client: &OAuth2Client) -> (PendingAuthorization, String) {
    let AuthorizationUrl { url, pending, .. } = created(client);
    (pending, callback(&url, "the-code"))
}

#[maybe_async]
#[test]
async fn a_script_keeps_its_login_and_so_does_its_store() -> TestResult {
    let server = provider(600);
    let shelf = Shelf::default();
    let client = script(&server)
        .grant(ClientCredentials::new())
        .token_store(shelf.clone())
        .build()?;
    let (pending, callback) = answered(&client);
    let login = client.complete_authorization(pending, &callback).await?;
    assert_eq!(client.token(), None);
    assert_eq!(shelf.held(), "nothing");
    let kept = login.keep().await?;
    assert_eq!(access_token(&kept), "t1");
    assert_eq!(client.token(), Some(kept));
    assert_eq!(shelf.held(), "1:t1");
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(server.count("/token"), 1);
    // A later process is logged in.
    let later = script(&server).token_store(shelf.clone()).build()?;
    let loaded = later.ensure_active_token().await?;
    assert_eq!(access_token(&loaded), "t1");
    // The login is renewed by its refresh token, and not replaced by the grant.
    client.refresh_token().await?;
    let renewal = &server.requests("/token")[1];
    assert_eq!(renewal.parameter("refresh_token").as_deref(), Some("r1"));
    assert_eq!(shelf.held(), "2:t2");
    Ok(())
}

/// The child of the login has rotated the refresh token, so that the first token is of no use.
#[maybe_async]
#[test]
async fn a_login_whose_token_was_renewed_meanwhile_keeps_the_renewed_one() -> TestResult {
    let server = provider(600);
    let client = script(&server).build()?;
    let (pending, callback) = answered(&client);
    let login = client.complete_authorization(pending, &callback).await?;
    login.client.refresh_token().await?;
    let kept = login.keep().await?;
    assert_eq!(access_token(&kept), "t2");
    assert_eq!(client.token(), Some(kept));
    client.refresh_token().await?;
    let renewal = &server.requests("/token")[2];
    assert_eq!(renewal.parameter("refresh_token").as_deref(), Some("r2"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_cannot_be_kept_says_why() -> TestResult {
    // The store does not take the token, which is in use all the same.
    let server = provider(600);
    let shelf = Shelf::default();
    let client = script(&server).token_store(shelf.clone()).build()?;
    let (pending, callback) = answered(&client);
    let login = client.complete_authorization(pending, &callback).await?;
    shelf.fail([Fault::Save]);
    let error = login.keep().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(access_token(&client.token().expect("a token")), "t1");

    // The client is closed.
    let client = script(&server).build()?;
    let (pending, callback) = answered(&client);
    let login = client.complete_authorization(pending, &callback).await?;
    client.close().await?;
    let error = login.keep().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);

    // The token cannot be sent, and the old one is not given up for it.
    let server = Server::start(|_: &Request| {
        Reply::json(200, json!({"access_token": "t1", "token_type": "mac"}))
    });
    let client = script(&server).token(Token::new("old")).build()?;
    let (pending, callback) = answered(&client);
    let login = client.complete_authorization(pending, &callback).await?;
    let error = login.keep().await.unwrap_err();
    assert!(
        error.to_string().contains("mac") || cause(&error).contains("mac"),
        "{error}"
    );
    assert_eq!(access_token(&client.token().expect("a token")), "old");
    Ok(())
}

/// The second tab does not replace the login of the first, and each callback counts once.
#[maybe_async]
#[test]
async fn two_tabs_of_one_session_keep_two_logins() -> TestResult {
    let server = provider(600);
    let client = script(&server).build()?;
    let mut session: HashMap<String, String> = HashMap::new();
    let mut callbacks = Vec::new();
    for tab in ["first", "second"] {
        let AuthorizationUrl { url, pending, .. } = created(&client);
        let kept = serde_json::to_string(&pending)?;
        assert!(session.insert(pending.state().to_owned(), kept).is_none());
        callbacks.push(callback(&url, tab));
    }
    for (callback, code) in callbacks.iter().zip(["first", "second"]) {
        let pending = session.remove(&callback_state(callback)?);
        let pending = serde_json::from_str(&pending.expect("a pending login"))?;
        client.complete_authorization(pending, callback).await?;
        let sent = server.requests("/token");
        assert_eq!(
            sent.last().expect("a request").parameter("code").as_deref(),
            Some(code)
        );
        assert_eq!(session.remove(&callback_state(callback)?), None);
    }
    Ok(())
}
