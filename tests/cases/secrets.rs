//! Secrets appear neither in `Debug` and `Display`, nor in errors, nor in events.

use std::{error::Error as _, time::Duration};

use oauth_twin::{
    Error,
    oauth2::{AuthorizationRequest, Password, RefreshToken},
};

use support::log;

use super::{test, *};

/// Part of every secret in these tests.
const SECRET: &str = "xK9-s3cret";

/// All texts of an error.
fn all_words(error: &Error) -> String {
    let mut words = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(" {error} {error:?}");
        source = error.source();
    }
    words += &format!("{:?}", error.response());
    words
}

#[maybe_async]
#[test]
async fn no_error_tells_a_secret() -> TestResult {
    let _marked = log::marked("secrets of errors");
    let token = || Token::new(SECRET).with_refresh_token(format!("{SECRET}-refresh"));
    let bodies = [
        Reply::json(
            400,
            json!({"error": SECRET, "error_description": format!("no {SECRET}-refresh"), "error_uri": SECRET}),
        ),
        Reply::text(500, SECRET),
        Reply::text(200, SECRET),
        Reply::text(200, format!("{{\"access_token\": {{\"{SECRET}\": 1}}}}")),
        Reply::text(
            200,
            format!("{{\"access_token\": \"{SECRET}\", \"access_token\": \"{SECRET}\"}}"),
        ),
        Reply::text(200, format!("{{\"access_token\": \"{SECRET}")),
        Reply::text(302, SECRET).with(
            "location",
            &format!("http://{SECRET}.example/?code={SECRET}"),
        ),
        Reply::text(200, ""),
        Reply::raw(|_| Ok(())),
    ];
    for reply in bodies {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::start(move |_: &Request| {
            reply
                .lock()
                .unwrap()
                .take()
                .unwrap_or_else(|| Reply::text(404, SECRET))
        });
        let client = OAuth2Client::builder("id")
            .client_secret(SECRET)
            .token_endpoint(server.url(&format!("/token?key={SECRET}")))
            .token(token())
            .timeout(Duration::from_secs(20))
            .build()?;
        let error = client.refresh_token().await.unwrap_err();
        assert!(!all_words(&error).contains(SECRET), "{}", all_words(&error));
        assert!(!format!("{client:?} {client:#?}").contains(SECRET));
    }
    assert!(!log::text().contains(SECRET), "{}", log::text());
    Ok(())
}

#[maybe_async]
#[test]
async fn no_error_of_a_request_tells_its_url() -> TestResult {
    let _marked = log::marked("secrets of URLs");
    let port = ClosedPort::new();
    let closed = port.address();
    let client = OAuth2Client::builder("id")
        .token(Token::new(SECRET))
        .token_endpoint(format!("http://{closed}/?key={SECRET}"))
        .build()?;
    let errors = [
        client
            .get(format!("http://{closed}/?code={SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .get(format!("http://a.example/?code={SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .get(format!("no url {SECRET}"))
            .send()
            .await
            .unwrap_err(),
        client
            .exchange(RefreshToken::new(SECRET))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(!all_words(&error).contains(SECRET), "{}", all_words(&error));
    }
    assert!(!log::text().contains(SECRET), "{}", log::text());
    Ok(())
}

/// Every token, code, key and user name is planted, and nothing fails.
#[maybe_async]
#[test]
async fn nothing_that_is_logged_tells_a_secret() -> TestResult {
    const TEST: &str = "secrets of logs";
    let _marked = log::marked(TEST);
    let planted = |what: &str| format!("{SECRET}-{what}");
    let answer = json!({
        "access_token": planted("token"), "refresh_token": planted("refresh"), "expires_in": 60,
        "id_token": planted("id-token"), "scope": planted("scope"), "email": planted("email"),
    });
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => Reply::json(200, answer.clone()),
        _ => Reply::text(200, SECRET),
    });
    let shelf = super::token_store::Shelf::default();
    let client = OAuth2Client::builder("id")
        .client_secret(planted("client-secret"))
        .authorization_endpoint(server.url(&format!("/authorize?key={SECRET}")))
        .token_endpoint(server.url(&format!("/token?key={SECRET}")))
        .revocation_endpoint(server.url(&format!("/revoke?key={SECRET}")))
        .introspection_endpoint(server.url(&format!("/introspect?key={SECRET}")))
        .redirect_uri(format!("https://app.example/{SECRET}"))
        .scope(planted("scope"))
        .token_store(shelf)
        .update_token(|_| Err(SECRET.into()))
        .build()?;
    let request = AuthorizationRequest::new()
        .state(planted("a-state-that-is-long-enough"))
        .param("login_hint", planted("user"));
    let pending = client.create_authorization_url(request)?.pending;
    let callback = format!("?code={SECRET}&state={}", pending.state());
    let login = client.complete_authorization(pending, &callback).await?;
    login.keep().await?;
    client.refresh_token().await.unwrap_err();
    client
        .get(server.url(&format!("/{SECRET}?q={SECRET}")))
        .header("x-key", SECRET)
        .send()
        .await?;
    client
        .exchange(Password::new(planted("user"), planted("password")))
        .await?;
    client.introspect_token().await.unwrap_err();
    client.revoke_token().await?;
    let _ = client.close().await;
    assert!(!log::text().contains(SECRET), "{}", log::text());
    // Where anything is logged, it was.
    let names: Vec<_> = log::of(TEST).iter().map(|entry| entry.name()).collect();
    let expected = cfg!(feature = "tracing");
    for name in [
        "token_request",
        "login",
        "token_kept",
        "exchange",
        "revocation",
    ] {
        assert_eq!(names.contains(&name), expected, "{name}: {names:?}");
    }
    Ok(())
}
