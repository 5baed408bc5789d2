//! Tokens that are made of ID tokens, which expire by themselves.

use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::{
    jose::Algorithm,
    oauth2::{DpopKey, RefreshPolicy},
};

use super::{super::test, *};

/// An ID token that expires at this time. Nobody verifies it.
fn id_token(expires_at: SystemTime) -> String {
    let seconds = expires_at.duration_since(UNIX_EPOCH).expect("a time");
    let claims = json!({"sub": "alice", "exp": seconds.as_secs()}).to_string();
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// A client with a token that outlives its ID token, and with a refresh token if it `refreshes`.
fn source(
    users: &Server,
    id_token: &str,
    clock: &ManualClock,
    refreshes: bool,
) -> Result<OAuth2Client, Error> {
    let now = clock.now().duration_since(UNIX_EPOCH).expect("a time");
    let token = json!({
        "access_token": "t0", "id_token": id_token, "refresh_token": refreshes.then_some("r0"),
        "issued_at": now.as_secs() - 3600, "expires_at": now.as_secs() + 36_000,
    });
    let token: Token = serde_json::from_value(token).expect("a token");
    let builder = builder(users).token(token).clock(clock.clock());
    // A 401 does not count, but the end of the ID token does.
    builder.refresh_policy(RefreshPolicy::Expiry).build()
}

/// A server that answers each refresh with an ID token of five minutes, if it `renews` them, and each
/// exchange with an identity assertion.
fn users(clock: &ManualClock, renews: bool) -> Server {
    let clock = clock.clone();
    Server::start(move |request: &Request| {
        if request.parameter("subject_token").is_some() {
            return Reply::json(
                200,
                json!({"access_token": "a", "issued_token_type": ID_JAG, "token_type": "N_A"}),
            );
        }
        let mut answer = tokens(1, 36_000);
        if renews {
            answer["id_token"] = id_token(clock.now() + seconds(300)).into();
        }
        Reply::json(200, answer)
    })
}

#[maybe_async]
#[test]
async fn a_token_does_not_outlive_the_id_token_that_it_was_made_of() -> TestResult {
    let clock = ManualClock::new();
    let users = users(&clock, true);
    let first = id_token(clock.now() + seconds(600));
    let source = source(&users, &first, &clock, true)?;
    let server = exchanging(7200);
    let client = builder(&server)
        .exchanged_from(&source, TokenExchange::of_id_token())
        .clock(clock.clock())
        .build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.expires_at(), Some(clock.now() + seconds(600)));
    assert_eq!(users.count("/token"), 0);
    // Then the source gets another one.
    clock.advance(seconds(600));
    let token = client.ensure_active_token().await?;
    assert_eq!(token.expires_at(), Some(clock.now() + seconds(300)));
    assert_eq!((users.count("/token"), server.count("/token")), (1, 2));
    let sent = server.requests("/token")[1].parameter("subject_token");
    assert_eq!(sent, Some(id_token(clock.now() + seconds(300))));
    Ok(())
}

/// With a refresh token or none, and with a server that sends another ID token or none: the ID token
/// that is exchanged, or none.
fn expired_cases(clock: &ManualClock) -> [(bool, bool, Option<String>); 3] {
    let new = id_token(clock.now() + seconds(300));
    [
        (true, true, Some(new)),
        (true, false, None),
        (false, true, None),
    ]
}

#[maybe_async]
#[test]
async fn an_expired_id_token_is_not_exchanged() -> TestResult {
    let clock = ManualClock::new();
    let expired = id_token(clock.now() - seconds(1));
    for (refreshes, renews, exchanged) in expired_cases(&clock) {
        let users = users(&clock, renews);
        let source = source(&users, &expired, &clock, refreshes)?;
        let server = exchanging(7200);
        let client = builder(&server)
            .exchanged_from(&source, TokenExchange::of_id_token())
            .clock(clock.clock())
            .build()?;
        let outcome = client.ensure_active_token().await;
        match exchanged {
            Some(exchanged) => {
                outcome?;
                let sent = server.requests("/token")[0].parameter("subject_token");
                assert_eq!(sent, Some(exchanged));
            }
            None => {
                let error = outcome.expect_err("an expired ID token");
                assert!(error.needs_login(), "{error:?}");
                // A renewal has brought none, so that there is no other for it.
                clock.advance(seconds(120));
                client.ensure_active_token().await.unwrap_err();
                assert_eq!(server.count("/token"), 0);
            }
        }
        assert_eq!(users.count("/token"), usize::from(refreshes));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_expired_id_token_is_in_no_identity_assertion() -> TestResult {
    let clock = ManualClock::new();
    let expired = id_token(clock.now() - seconds(1));
    for (refreshes, renews, exchanged) in expired_cases(&clock) {
        let users = users(&clock, renews);
        let source = source(&users, &expired, &clock, refreshes)?;
        let resource = provider(600);
        let client = at_resource(&resource)
            .id_jag_from(&source, IdJag::of_client())
            .clock(clock.clock())
            .build()?;
        let outcome = client.ensure_active_token().await;
        match exchanged {
            Some(exchanged) => {
                outcome?;
                let sent = users.requests("/token")[1].parameter("subject_token");
                assert_eq!(sent, Some(exchanged));
            }
            None => {
                let error = outcome.expect_err("an expired ID token");
                assert!(error.needs_login(), "{error:?}");
                assert_eq!(users.count("/token"), usize::from(refreshes));
            }
        }
    }
    Ok(())
}

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
