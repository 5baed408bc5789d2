//! A client whose clock is wrong, and servers that refuse what it signs.

use std::{sync::Mutex, time::SystemTime};

use oauth_twin::{
    Clock,
    jose::{Algorithm, SigningKey},
    oauth2::{AuthorizationCode, DpopKey, PrivateKeyJwt, RefreshToken, RequestObject},
};
use support::jwt::{Assertion, ids, signing_key};

use super::{super::test, request_object::Kms, *};

fn key() -> SigningKey {
    signing_key(Algorithm::ES256, "p-256")
}

/// A server that takes a client assertion whose `iat` is within ten seconds of its own clock, and
/// says its time in its responses.
fn strict(error: &'static str) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| {
        let now = SystemTime::now();
        let assertion = Assertion::of(request, "client_assertion", &key().verifying_key());
        let issued_at = UNIX_EPOCH + Duration::from_secs(assertion.issued_at());
        let difference = issued_at
            .duration_since(now)
            .unwrap_or_else(|it| it.duration());
        let reply = match difference.as_secs() {
            0..10 => {
                let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
                Reply::json(200, tokens(n, 600))
            }
            _ => Reply::error(401, error),
        };
        reply.with("date", &httpdate::fmt_http_date(now))
    })
}

/// A client whose clock is late by so many seconds, or early.
fn wrong(server: &Server, late: i64) -> OAuth2ClientBuilder {
    let difference = Duration::from_secs(late.unsigned_abs());
    OAuth2Client::builder("id")
        .issuer("https://id.example")
        .token_endpoint(server.url("/token"))
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .clock(Clock::from_fn(move || match late > 0 {
            true => SystemTime::now() - difference,
            false => SystemTime::now() + difference,
        }))
}

#[maybe_async]
#[test]
async fn the_time_of_the_server_is_signed_after_one_refusal() -> TestResult {
    for late in [3600, -3600, 70] {
        let server = strict("invalid_client");
        let client = wrong(&server, late).correct_clock(true).build()?;
        let token = client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(server.count("/token"), 2, "{late}");
        client.fetch_token(ClientCredentials::new()).await?;
        assert_eq!(server.count("/token"), 3, "{late}");
        // The lifetime of the token is by the client's own clock.
        let expires_at = token.expires_at().expect("a lifetime");
        let by_own = SystemTime::now() + Duration::from_secs(600);
        let off = by_own
            .duration_since(expires_at)
            .unwrap_or_else(|it| it.duration());
        assert!(off.as_secs().abs_diff(late.unsigned_abs()) <= 60, "{off:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_clock_is_corrected_only_where_it_is_set_and_within_a_day() -> TestResult {
    for (late, is_set) in [(3600, false), (2 * 24 * 3600, true)] {
        let server = strict("invalid_client");
        let client = wrong(&server, late).correct_clock(is_set).build()?;
        let token = client.fetch_token(ClientCredentials::new()).await;
        token.expect_err("the assertion has expired");
        assert_eq!(server.count("/token"), 1);
    }
    // A refusal for another reason.
    let server = Server::start(|_: &Request| {
        let date = httpdate::fmt_http_date(SystemTime::now());
        Reply::error(401, "invalid_client").with("date", &date)
    });
    let client = wrong(&server, 1).correct_clock(true).build()?;
    client
        .fetch_token(ClientCredentials::new())
        .await
        .expect_err("refused");
    assert_eq!(server.count("/token"), 1);
    // One that is not about what was signed.
    let server = strict("unauthorized_client");
    let client = wrong(&server, 3600).correct_clock(true).build()?;
    client
        .fetch_token(ClientCredentials::new())
        .await
        .expect_err("refused");
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// A server whose clock runs away.
#[maybe_async]
#[test]
async fn a_clock_is_corrected_once_in_a_call() -> TestResult {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_: &Request| {
        let hours = count.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        let date = SystemTime::now() + Duration::from_secs(hours * 3600);
        Reply::error(401, "invalid_client").with("date", &httpdate::fmt_http_date(date))
    });
    let client = wrong(&server, 1).correct_clock(true).build()?;
    client
        .fetch_token(ClientCredentials::new())
        .await
        .expect_err("refused");
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn neither_a_code_nor_a_refused_refresh_token_is_sent_again() -> TestResult {
    let server = strict("invalid_client");
    let client = wrong(&server, 3600).correct_clock(true).build()?;
    client
        .fetch_token(AuthorizationCode::new("c"))
        .await
        .expect_err("refused");
    assert_eq!(server.count("/token"), 1);
    // The next one has the time of the server.
    client.fetch_token(AuthorizationCode::new("d")).await?;
    assert_eq!(server.count("/token"), 2);

    let server = strict("invalid_grant");
    let client = wrong(&server, 3600).correct_clock(true).build()?;
    client
        .fetch_token(RefreshToken::new("r"))
        .await
        .expect_err("refused");
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// Nothing is verified by the time of the server.
#[maybe_async]
#[test]
async fn an_id_token_is_verified_by_the_own_clock() -> TestResult {
    let provider = Provider::start();
    let date = httpdate::fmt_http_date(provider.clock.now());
    let refusals = AtomicUsize::new(0);
    let front = Server::start(
        move |_: &Request| match refusals.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::error(401, "invalid_client").with("date", &date),
            _ => Reply::json(201, json!({"request_uri": "urn:x", "expires_in": 60})),
        },
    );
    let clock = provider.clock.clone();
    let client = OAuth2Client::builder("id")
        .server(provider.metadata())
        .redirect_uri(CALLBACK)
        .clock(Clock::from_fn(move || {
            clock.now() + Duration::from_secs(3600)
        }))
        .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
        .correct_clock(true)
        .pushed_authorization_request_endpoint(front.url("/par"))
        .pushed_authorization_requests(Push::Always)
        .build()?;
    let request = AuthorizationRequest::new().scope("openid");
    let begun = client.begin_authorization(request).await?;
    let pushes = front.requests("/par");
    let assertion = Assertion::of(&pushes[1], "client_assertion", &key().verifying_key());
    let at_provider = provider.clock.now().duration_since(UNIX_EPOCH)?.as_secs();
    assert_eq!(assertion.issued_at(), at_provider);
    let pushed: std::collections::HashMap<_, _> = url::form_urlencoded::parse(&pushes[1].body)
        .into_owned()
        .collect();
    let mut url = begun.url.clone();
    url.query_pairs_mut().clear().extend_pairs(pushed);
    let callback = provider.authorize(&url);
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await;
    let error = login.expect_err("the ID token has expired by this clock");
    assert!(error.to_string().contains("expired"), "{error}");
    Ok(())
}

/// Whether a JWT in `request` is by another clock than that of the server.
fn is_wrong(request: &Request, name: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time").as_secs();
    let jwt = Assertion::of(request, name, &key().verifying_key());
    jwt.issued_at().abs_diff(now) >= 10
}

/// A request object that is pushed is new for each attempt, as the assertion beside it is.
#[maybe_async]
#[test]
async fn a_pushed_request_object_has_the_time_of_the_server() -> TestResult {
    for is_external in [false, true] {
        let server = Server::start(|request: &Request| {
            let reply = if is_wrong(request, "client_assertion") {
                Reply::error(401, "invalid_client")
            } else if is_wrong(request, "request") {
                Reply::error(400, "invalid_request_object")
            } else {
                Reply::json(201, json!({"request_uri": "urn:x", "expires_in": 60}))
            };
            reply.with("date", &httpdate::fmt_http_date(SystemTime::now()))
        });
        let builder = wrong(&server, 3600)
            .correct_clock(true)
            .redirect_uri(CALLBACK)
            .authorization_endpoint(server.url("/authorize"))
            .pushed_authorization_request_endpoint(server.url("/par"))
            .pushed_authorization_requests(Push::Always);
        let builder = match is_external {
            true => builder
                .signer(Kms(key(), Mutex::new(0)))
                .request_object(RequestObject::external()),
            false => builder.request_object(key()),
        };
        let begun = builder
            .build()?
            .begin_authorization(AuthorizationRequest::new())
            .await?;
        let pushes = server.requests("/par");
        assert_eq!(pushes.len(), 2, "external: {is_external}");
        let objects: Vec<_> = pushes
            .iter()
            .map(|push| Assertion::of(push, "request", &key().verifying_key()))
            .collect();
        assert_eq!(ids(&objects).len(), 2);
        let [first, second] = [0, 1].map(|n| objects[n].claims.get("state").cloned());
        assert_eq!(first, second);
        // The user is redirected by the client's own clock.
        let by_own = SystemTime::now() - Duration::from_secs(3600);
        let left = begun
            .expires_at()
            .expect("an expiry")
            .duration_since(by_own)?;
        assert!(left <= Duration::from_secs(61), "{left:?}");
    }
    Ok(())
}

/// UserInfo is at the same server.
#[maybe_async]
#[test]
async fn a_proof_for_userinfo_has_the_time_of_the_server() -> TestResult {
    let dpop_key = signing_key(Algorithm::EdDSA, "ed25519");
    let verifying = dpop_key.verifying_key();
    let is_late = move |request: &Request| {
        let proof = request.header("dpop").expect("a proof");
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a time").as_secs();
        Assertion::read(proof, &verifying).issued_at().abs_diff(now) >= 10
    };
    let server = Server::start(move |request: &Request| {
        let reply = match (&*request.path, is_late(request)) {
            (_, true) => Reply::error(400, "invalid_dpop_proof"),
            ("/token", false) => {
                let mut token = tokens(1, 600);
                token["token_type"] = "DPoP".into();
                Reply::json(200, token)
            }
            _ => Reply::json(200, json!({"sub": "alice"})),
        };
        reply.with("date", &httpdate::fmt_http_date(SystemTime::now()))
    });
    let client = wrong(&server, 3600)
        .correct_clock(true)
        .dpop(DpopKey::new(dpop_key)?)
        .userinfo_endpoint(server.url("/userinfo"))
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    assert_eq!(server.count("/token"), 2);
    let claims = client.userinfo("alice").await?;
    assert_eq!(claims.subject(), "alice");
    assert_eq!(server.count("/userinfo"), 1);
    Ok(())
}
