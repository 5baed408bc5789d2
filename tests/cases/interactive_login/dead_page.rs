//! Logins that get no callback, as the server shows an error of its own.

use oauth_twin::oauth2::RegisteredClient;

use super::{super::test, *};

/// The error of a login for which no callback comes.
#[maybe_async]
async fn timed_out(builder: OAuth2ClientBuilder) -> String {
    let client = builder.build().expect("a client");
    let shown = Shown::default();
    let login = shown.login(|_| {}).timeout(Duration::from_millis(100));
    let error = client.login(login).await.expect_err("no callback");
    assert_eq!(error.kind(), ErrorKind::Login);
    error.to_string()
}

#[maybe_async]
#[test]
async fn the_registration_that_the_server_may_have_dropped_is_named_with_its_age() -> TestResult {
    let server = provider(600);
    let clock = support::clock::ManualClock::new();
    let at = clock.now().duration_since(UNIX_EPOCH)?.as_secs() - 3 * 86_400;
    let registered: RegisteredClient = serde_json::from_value(json!({
        "issuer": "https://id.example", "client_id": "c7", "client_id_issued_at": at,
    }))?;
    let builder = OAuth2Client::unregistered()
        .issuer("https://id.example")
        .authorization_endpoint(server.url("/authorize"))
        .token_endpoint(server.url("/token"))
        .clock(clock.clock())
        .registered_client(registered);
    let error = timed_out(builder).await;
    for word in [
        "c7",
        "https://id.example",
        "3 days ago",
        "forget_registration",
    ] {
        assert!(error.contains(word), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_port_that_the_server_may_compare_is_named() -> TestResult {
    let server = provider(600);
    let builder = OAuth2Client::builder("https://app.example/client.json")
        .authorization_endpoint(server.url("/authorize"))
        .token_endpoint(server.url("/token"));
    let error = timed_out(builder).await;
    assert!(error.contains("the port of http://127.0.0.1:"), "{error}");
    let plain = timed_out(command_line(&server)).await;
    assert!(!plain.contains("port"), "{plain}");
    Ok(())
}
