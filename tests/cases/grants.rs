//! The password grant, grants of other specifications, and requests by GET.

use std::time::Duration;

use oauth_twin::{
    ErrorKind,
    oauth2::{ClientSecretPost, ExtensionGrant, Hook, Password},
    reqwest::Method,
};

use super::{test, *};

#[maybe_async]
#[test]
async fn a_password_with_any_characters() -> TestResult {
    let server = provider(600);
    let client = builder(&server).scope("own").build()?;
    for (name, password) in [
        ("alice", "wonder land+%&é"),
        ("", ""),
        ("a&b=c", "\u{1F511}\n\0"),
    ] {
        client.fetch_token(Password::new(name, password)).await?;
        let sent = server.requests("/token").pop().unwrap();
        assert_eq!(sent.parameter("grant_type").unwrap(), "password");
        assert_eq!(sent.parameter("username").unwrap(), name);
        assert_eq!(
            sent.parameter("password").unwrap(),
            password,
            "sent even if empty"
        );
        assert_eq!(sent.parameter("scope").unwrap(), "own");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_password_is_sent_again_only_if_kept() -> TestResult {
    for keep in [false, true] {
        let server = Server::start(|_: &Request| {
            Reply::json(200, json!({"access_token": "t", "expires_in": 10}))
        });
        let clock = ManualClock::new();
        let client = builder(&server).clock(clock.clock()).build()?;
        let mut grant = Password::new("alice", "secret")
            .scope("a")
            .param("otp", "1");
        if keep {
            grant = grant.keep_for_renewal();
        }
        client.fetch_token(grant).await?;
        clock.advance(Duration::from_secs(11));
        let renewed = client.ensure_active_token().await;
        if keep {
            renewed?;
            let sent = server.requests("/token");
            assert_eq!(sent[0].form(), sent[1].form());
        } else {
            assert_eq!(renewed.unwrap_err().kind(), ErrorKind::Token);
            assert_eq!(server.count("/token"), 1);
        }
    }
    let error = OAuth2Client::builder("id")
        .token_endpoint("https://id.example/token")
        .grant(Password::new("alice", "secret"))
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("grant"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_grant_of_another_specification() -> TestResult {
    let server = provider(600);
    let client = builder(&server).scope("own").build()?;
    let grant = ExtensionGrant::new("urn:ietf:params:oauth:grant-type:token-exchange")
        .param("subject_token", "s")
        .param("audience", "them")
        .scope("a");
    client.fetch_token(grant).await?;
    client.refresh_token().await?;
    let sent = server.requests("/token");
    assert_eq!(
        sent[0].form(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &subject_token=s&audience=them&scope=a"
    );
    // The grant itself is not part of the refresh, what the token is for is.
    assert_eq!(
        sent[1].form(),
        "grant_type=refresh_token&refresh_token=r1&audience=them"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn token_requests_by_get_if_the_provider_requires_it() -> TestResult {
    let server = provider(600);
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(server.url("/token?q=a"))
        .token_endpoint_method(Method::GET)
        .token_endpoint_auth_method(ClientSecretPost)
        .build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    let sent = &server.requests("/token")[0];
    assert_eq!((&*sent.method, &*sent.form()), ("GET", ""));
    assert_eq!(
        sent.query,
        "q=a&grant_type=client_credentials&client_id=id&client_secret=secret"
    );
    assert_eq!(sent.header("content-type"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_content_type_of_a_hook_is_sent_as_it_is() -> TestResult {
    const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
    let server = provider(600);
    let hook = Hook::access_token_request(|request| {
        let headers = request.headers_mut();
        headers.insert("content-type", CONTENT_TYPE.parse()?);
        Ok(())
    });
    let client = with_credentials(&server).compliance_hook(hook).build()?;
    client.ensure_active_token().await?;
    let sent = &server.requests("/token")[0];
    assert_eq!(sent.header("content-type"), Some(CONTENT_TYPE));
    assert_eq!(sent.form(), "grant_type=client_credentials");
    Ok(())
}
