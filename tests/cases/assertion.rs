//! The assertion client: its requests and the life of its token.
//!
//! [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use oauth_twin::{
    BoxError, Error, ErrorCode, ErrorKind, Secret, TokenUpdate,
    jose::{Algorithm, SigningKey},
    oauth2::{ClientSecretPost, Hook, PrivateKeyJwt, RefreshPolicy, TokenPlacement},
};
use support::jwt::{Assertion, SERVICE_ACCOUNT, ids, signing_key};

use super::{test, *};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SAML2_BEARER: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";

fn key() -> SigningKey {
    signing_key(Algorithm::ES256, "p-256")
}

/// A client of `server`, as most tests have it.
pub fn robot(server: &Server) -> AssertionClientBuilder {
    AssertionClient::builder(server.url("/token"))
        .issuer("robot")
        .signing_key(key())
}

/// The assertions that came.
fn assertions(server: &Server) -> Vec<Assertion> {
    let requests = server.requests("/token");
    let read = |request: &Request| Assertion::of(request, "assertion", &key().verifying_key());
    requests.iter().map(read).collect()
}

#[maybe_async]
#[test]
async fn the_token_comes_at_the_first_request_and_stays() -> TestResult {
    let server = provider(600);
    let client = robot(&server).scope("a b").build()?;
    assert_eq!((server.requests_in_all(), client.token()), (0, None));
    for _ in 0..3 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t1");
    }
    let requests = server.requests("/token");
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.parameter("grant_type").as_deref(), Some(JWT_BEARER));
    assert_eq!(request.parameter("scope").as_deref(), Some("a b"));
    // Nothing is said of a client.
    assert_eq!(request.parameter("client_id"), None);
    assert_eq!(request.header("authorization"), None);
    assert_eq!(client.token().unwrap().access_token(), &Secret::from("t1"));
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn the_assertion_says_what_it_was_told_and_no_more() -> TestResult {
    let server = provider(600);
    robot(&server).build()?.refresh_token().await?;
    robot(&server)
        .subject("alice")
        .audience("https://id.example")
        .key_id("1")
        .header("typ", "at+jwt")
        .header("x", 7)
        .claim("scope", "a b")
        .claim("target_audience", "reports")
        .lifetime(seconds(3600))
        .not_before(true)
        .param("tenant", "t")
        .resource("https://api.example")
        .build()?
        .refresh_token()
        .await?;
    let [plain, full] = <[_; 2]>::try_from(assertions(&server)).ok().unwrap();
    assert_eq!(
        plain.lasting(),
        json!({"iss": "robot", "aud": server.url("/token")})
    );
    assert_eq!(plain.lifetime(), seconds(60));
    assert_eq!(
        (plain.header.typ(), plain.header.key_id()),
        (Some("JWT"), None)
    );
    assert_eq!(
        (full.header.typ(), full.header.key_id()),
        (Some("at+jwt"), Some("1"))
    );
    assert_eq!(full.header.get("x"), Some(&json!(7)));
    assert_eq!(full.lifetime(), seconds(3600));
    assert_eq!(full.claims.not_before(), full.claims.issued_at());
    let mut lasting = full.lasting();
    lasting.as_object_mut().unwrap().remove("nbf");
    assert_eq!(
        lasting,
        json!({
            "iss": "robot", "sub": "alice", "aud": "https://id.example", "scope": "a b",
            "target_audience": "reports",
        })
    );
    let request = &server.requests("/token")[1];
    assert_eq!(request.parameter("tenant").as_deref(), Some("t"));
    assert_eq!(
        request.parameter("resource").as_deref(),
        Some("https://api.example")
    );
    assert_eq!(request.parameter("scope"), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn every_algorithm_of_a_pair_of_keys() -> TestResult {
    for (algorithm, name) in [
        (Algorithm::RS256, "rsa-2048"),
        (Algorithm::PS512, "rsa-2048"),
        (Algorithm::ES384, "p-384"),
        (Algorithm::EdDSA, "ed25519"),
        (Algorithm::HS256, "oct-32"),
    ] {
        let server = provider(600);
        let key = signing_key(algorithm, name);
        let client = robot(&server).signing_key(key.clone()).build()?;
        client.refresh_token().await?;
        let request = &server.requests("/token")[0];
        let assertion = Assertion::of(request, "assertion", &key.verifying_key());
        assert_eq!(assertion.header.algorithm(), algorithm);
    }
    Ok(())
}

/// Google requires the scope as a claim; it is not sent as a parameter, too.
#[maybe_async]
#[test]
async fn a_service_account_is_one_line() -> TestResult {
    let server = provider(600);
    let file =
        SERVICE_ACCOUNT.replace("https://oauth2.googleapis.com/token", &server.url("/token"));
    let members: serde_json::Value = serde_json::from_str(&file)?;
    let client = AssertionClient::from_service_account(&file)?
        .scope(["https://www.googleapis.com/auth/cloud-platform", "b"])
        .subject("alice@example.com")
        .build()?;
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("scope"), None);
    assert_eq!(request.parameter("client_id"), None);
    let key = signing_key(Algorithm::RS256, "rsa-2048");
    let assertion = Assertion::of(request, "assertion", &key.verifying_key());
    assert_eq!(
        assertion.header.key_id(),
        members["private_key_id"].as_str()
    );
    assert_eq!(
        assertion.lasting(),
        json!({
            "iss": members["client_email"],
            "sub": "alice@example.com",
            "aud": server.url("/token"),
            "scope": "https://www.googleapis.com/auth/cloud-platform b",
        })
    );
    let account = AssertionClient::from_service_account(&file)?.build()?;
    account.refresh_token().await?;
    let request = &server.requests("/token")[1];
    let assertion = Assertion::of(request, "assertion", &key.verifying_key());
    assert_eq!(
        assertion.lasting(),
        json!({"iss": members["client_email"], "aud": server.url("/token")})
    );
    Ok(())
}

/// Refresh tokens of the provider are not used: a new assertion serves as well.
#[maybe_async]
#[test]
async fn each_renewal_sends_a_new_assertion_and_no_refresh_token() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = robot(&server).clock(clock.clock()).build()?;
    for n in 1..=3 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, format!("Bearer t{n}"));
        clock.advance(seconds(601));
    }
    assert_eq!(ids(&assertions(&server)).len(), 3);
    let times: Vec<_> = assertions(&server)
        .iter()
        .map(Assertion::issued_at)
        .collect();
    assert_eq!((times[1] - times[0], times[2] - times[1]), (601, 601));
    for request in server.requests("/token") {
        assert_eq!(request.parameter("grant_type").as_deref(), Some(JWT_BEARER));
        assert_eq!(request.parameter("refresh_token"), None);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_stored_token_is_used_and_then_renewed_by_assertion() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = robot(&server)
        .token(first_token(&clock, 600))
        .clock(clock.clock())
        .build()?;
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t0", 0));
    clock.advance(seconds(601));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(assertions(&server).len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_leeway_counts() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = robot(&server)
        .leeway(seconds(100))
        .clock(clock.clock())
        .build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(499));
    client.ensure_active_token().await?;
    assert_eq!(server.count("/token"), 1);
    clock.advance(seconds(1));
    client.ensure_active_token().await?;
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// Salesforce's tokens have no `expires_in`.
#[maybe_async]
#[test]
async fn a_token_without_an_expiry_is_renewed_on_a_401() -> TestResult {
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(
                200,
                json!({"access_token": format!("t{n}"), "instance_url": "https://x"}),
            )
        }
        _ => match request.header("authorization") {
            Some("Bearer t1") => Reply::text(401, ""),
            other => Reply::text(200, other.unwrap_or_default()),
        },
    });
    let client = robot(&server).build()?;
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t2");
    let token = client.token().unwrap();
    assert_eq!(token.get("instance_url"), Some(&json!("https://x")));
    assert_eq!(ids(&assertions(&server)).len(), 2);
    // Unless that is switched off.
    let client = robot(&server)
        .token(Token::new("t1"))
        .refresh_policy(RefreshPolicy::Expiry)
        .build()?;
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status(), 401);
    Ok(())
}

#[maybe_async]
#[test]
async fn update_token_is_told_and_its_failure_stays_pending() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let (told, down) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicBool::new(true)),
    );
    let (noting, failing) = (told.clone(), down.clone());
    let client = robot(&server)
        .clock(clock.clock())
        .update_token(move |update: TokenUpdate| {
            if failing.load(Ordering::SeqCst) {
                return Err(BoxError::from("disk full"));
            }
            let token = update.token.access_token().expose_secret();
            noting.lock().unwrap().push(token.to_owned());
            Ok(())
        })
        .build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1", "it is in use all the same");
    down.store(false, Ordering::SeqCst);
    clock.advance(seconds(601));
    client.ensure_active_token().await?;
    assert_eq!(
        *told.lock().unwrap(),
        ["t1", "t2"],
        "the first may be stored"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_failed_early_renewal_leaves_the_token_in_use() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::error(400, "invalid_grant"),
        _ => Reply::authorization_of(request),
    });
    let clock = ManualClock::new();
    let client = robot(&server)
        .token(first_token(&clock, 600))
        .clock(clock.clock())
        .build()?;
    clock.advance(seconds(560));
    for _ in 0..3 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t0");
    }
    assert_eq!(server.count("/token"), 1, "the next attempt waits");
    clock.advance(seconds(60));
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    Ok(())
}

/// What is certainly not carried out is asked again within the call, by another assertion; what
/// may have been is not.
#[maybe_async]
#[test]
async fn only_what_is_certain_is_repeated() -> TestResult {
    let attempts = AtomicUsize::new(0);
    let server = Server::start(
        move |_: &Request| match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::json(503, json!({})),
            1 => Reply::json(429, json!({})).with("retry-after", "0"),
            2 => Reply::json(200, tokens(1, 600)),
            _ => Reply::raw(|_| Ok(())),
        },
    );
    let client = robot(&server).build()?;
    client.ensure_active_token().await?;
    assert_eq!(ids(&assertions(&server)).len(), 3);
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(server.count("/token"), 4);
    assert_eq!(client.token().unwrap().access_token(), &Secret::from("t1"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_was_set_is_not_replaced_by_a_renewal_under_way() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let client = robot(&server).build()?;
    let renewal = spawn_refresh_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    client.set_token(Token::new("mine"))?;
    gate.open();
    renewal.join().await?;
    assert_eq!(
        client.token().unwrap().access_token(),
        &Secret::from("mine")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_client_may_authenticate_beside_the_assertion() -> TestResult {
    let server = provider(600);
    let basic = robot(&server).client_id("id").client_secret("secret");
    basic.build()?.refresh_token().await?;
    let post = robot(&server)
        .client_id("id")
        .client_secret("secret")
        .token_endpoint_auth_method(ClientSecretPost);
    post.build()?.refresh_token().await?;
    let public = robot(&server).client_id("id");
    public.build()?.refresh_token().await?;
    let other = signing_key(Algorithm::EdDSA, "ed25519");
    let by_key = robot(&server)
        .client_id("id")
        .token_endpoint_auth_method(PrivateKeyJwt::new(other.clone()));
    by_key.build()?.refresh_token().await?;
    let requests = server.requests("/token");
    assert_eq!(
        requests[0].header("authorization"),
        Some("Basic aWQ6c2VjcmV0")
    );
    assert_eq!(requests[0].parameter("client_id"), None);
    assert_eq!(
        requests[1].parameter("client_secret").as_deref(),
        Some("secret")
    );
    assert_eq!(requests[2].parameter("client_id").as_deref(), Some("id"));
    assert_eq!(requests[2].header("authorization"), None);
    let client = Assertion::of(&requests[3], "client_assertion", &other.verifying_key());
    assert_eq!(client.claims.issuer(), Some("id"));
    // And each has its own assertion.
    let assertions = assertions(&server);
    let ids = ids(&assertions);
    assert_eq!(ids.len(), 4);
    assert!(!ids.contains(client.claims.id().unwrap()));
    Ok(())
}

/// Assertions of the caller, such as SAML: the function is called for each request.
#[maybe_async]
#[test]
async fn the_caller_s_assertion_is_asked_for_anew_each_time() -> TestResult {
    let attempts = AtomicUsize::new(0);
    let server = Server::start(
        move |_: &Request| match attempts.fetch_add(1, Ordering::SeqCst) {
            1 => Reply::json(503, json!({})),
            n => Reply::json(200, tokens(n, 600)),
        },
    );
    let clock = ManualClock::new();
    let made = AtomicUsize::new(0);
    let client = AssertionClient::builder(server.url("/token"))
        .grant_type(SAML2_BEARER)
        .scope("a")
        .param("tenant", "t")
        .assertion(move || Ok(format!("saml{}", made.fetch_add(1, Ordering::SeqCst)).into()))
        .clock(clock.clock())
        .build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(601));
    // One renewal of two attempts.
    client.ensure_active_token().await?;
    let requests = server.requests("/token");
    let asked: Vec<_> = requests.iter().map(Request::form).collect();
    let grant_type = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer";
    for (n, form) in asked.iter().enumerate() {
        assert_eq!(
            *form,
            format!("{grant_type}&tenant=t&scope=a&assertion=saml{n}")
        );
    }
    assert_eq!(asked.len(), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn nothing_is_sent_if_the_assertion_function_fails() -> TestResult {
    let server = provider(600);
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(|| Err::<Secret, BoxError>("the identity provider is down".into()))
        .build()?;
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(
        error.to_string(),
        "the function that makes the assertion could not complete the request"
    );
    assert_eq!(cause(&error), "the identity provider is down");
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_empty_assertion_is_not_sent() -> TestResult {
    let server = provider(600);
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(|| Ok::<Secret, BoxError>("".into()))
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the assertion that the callback returned is empty"
    );
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_function_that_calls_its_client_gets_an_error() -> TestResult {
    let server = provider(600);
    let held: Arc<Mutex<Option<AssertionClient>>> = Arc::default();
    let holding = held.clone();
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(move || {
            let client = holding.lock().unwrap().clone().expect("a client");
            client.set_token(Token::new("t"))?;
            Ok::<Secret, BoxError>("a".into())
        })
        .build()?;
    *held.lock().unwrap() = Some(client.clone());
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(
        cause(&error),
        "set_token was called from a callback of the same client, and would wait for that callback \
         for ever; call it after the callback has returned"
    );
    held.lock().unwrap().take();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_resource_stands_beside_a_scope_that_is_a_claim() -> TestResult {
    let server = provider(600);
    let client = robot(&server)
        .scope("a")
        .scope_as_claim(true)
        .resource("https://api.example");
    client.build()?.refresh_token().await?;
    let request = &server.requests("/token")[0];
    assert_eq!(
        request.parameter("resource").as_deref(),
        Some("https://api.example")
    );
    assert_eq!(request.parameter("scope"), None);
    assert_eq!(
        assertions(&server)[0].claims.get("scope"),
        Some(&json!("a"))
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_server_s_refusal_comes_out_and_repeats_no_assertion() -> TestResult {
    let server = Server::start(|request: &Request| {
        let assertion = request.parameter("assertion").unwrap_or_default();
        let description = format!("bad audience in {assertion}");
        let answer = json!({"error": "invalid_grant", "error_description": description});
        Reply::json(400, answer)
    });
    let client = robot(&server).build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert_eq!(
        error.to_string(),
        format!(
            "the token endpoint {} refused the assertion: 400 invalid_grant: bad audience in \
             [redacted]",
            server.url("/token").trim_start_matches("http://")
        )
    );
    assert!(!format!("{error:?}").contains("eyJ"));
    assert!(!error.needs_login(), "there is nobody who could");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_description_of_any_letters_comes_out() -> TestResult {
    let server = Server::start(|_: &Request| {
        let description = "no \"sub\" \\ für señor \u{2603}";
        let answer = json!({"error": "invalid_grant", "error_description": description});
        Reply::json(400, answer)
    });
    let error = robot(&server).build()?.refresh_token().await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    let description = error.response().unwrap().description();
    assert_eq!(description, Some("no \"sub\" \\ für señor \u{2603}"));
    Ok(())
}

#[maybe_async]
#[test]
async fn hooks_change_every_message_and_bodies_stream() -> TestResult {
    const SIZE: usize = 100_000;
    let server = provider(600);
    let client = robot(&server)
        .compliance_hook(Hook::access_token_request(|request| {
            request.form_mut().push("extra", "1");
            Ok(())
        }))
        .compliance_hook(Hook::access_token_response(|response| {
            let mut members = response.json().ok_or("no JSON")?;
            members.insert("access_token".to_owned(), "changed".into());
            response.set_json(&members);
            Ok(())
        }))
        .compliance_hook(Hook::protected_request(|request| {
            request.url_mut().query_pairs_mut().append_pair("site", "x");
            Ok(())
        }))
        .build()?;
    let response = client
        .post(server.url("/api"))
        .body(streaming_body(SIZE))
        .send()
        .await?;
    let text = response.text().await?;
    assert_eq!(text, "Bearer changed");
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("extra").as_deref(), Some("1"));
    let request = &server.requests("/api")[0];
    assert_eq!((&*request.query, request.body.len()), ("site=x", SIZE));
    Ok(())
}

#[maybe_async]
#[test]
async fn in_every_placement() -> TestResult {
    let server = provider(600);
    for placement in [TokenPlacement::Query, TokenPlacement::Body] {
        let client = robot(&server).token_placement(placement).build()?;
        let request = client.post(server.url("/api")).form(&[("a", "1")]);
        request.send().await?;
    }
    let requests = server.requests("/api");
    assert_eq!(requests[0].query, "access_token=t1");
    assert_eq!(requests[1].form(), "a=1&access_token=t2");
    Ok(())
}

#[maybe_async]
#[test]
async fn after_close_every_call_of_every_clone_fails() -> TestResult {
    let server = provider(600);
    let client = robot(&server).build()?;
    let clone = client.clone();
    client.ensure_active_token().await?;
    client.close().await?;
    client.close().await?;
    for client in [&client, &clone] {
        assert_eq!(client.token(), None);
        let errors = [
            client.get(server.url("/api")).send().await.map(|_| ()),
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client.set_token(Token::new("t")),
            client.authorization_header().await.map(|_| ()),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
        }
    }
    assert_eq!(server.requests_in_all(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn calls_within_the_hook_do_not_wait_for_it() -> TestResult {
    let server = provider(600);
    let client: Arc<Mutex<Option<AssertionClient>>> = Arc::default();
    let (held, kinds) = (client.clone(), Arc::new(Mutex::new(Vec::new())));
    let noting = kinds.clone();
    let built = robot(&server)
        .update_token(move |_: TokenUpdate| {
            let client = held.lock().unwrap().clone().expect("a client");
            let error = client.set_token(Token::new("t")).unwrap_err();
            noting.lock().unwrap().push(error.kind());
            Ok(())
        })
        .build()?;
    *client.lock().unwrap() = Some(built.clone());
    built.ensure_active_token().await?;
    assert_eq!(*kinds.lock().unwrap(), [ErrorKind::Reentrant]);
    client.lock().unwrap().take();
    Ok(())
}

#[maybe_async]
#[test]
async fn debug_tells_no_secret() -> TestResult {
    let server = provider(600);
    let client = robot(&server)
        .client_id("id")
        .client_secret("hunter2")
        .build()?;
    client.ensure_active_token().await?;
    let text = format!("{client:?}");
    let name = CLIENT.replace("OAuth2Client", "AssertionClient");
    assert!(
        text.starts_with(&format!("{name}(Open {{ issuer: Some(\"robot\"), ")),
        "{text}"
    );
    for secret in ["hunter2", "\"t1\"", "\"r1\""] {
        assert!(!text.contains(secret), "{text}");
    }
    client.close().await?;
    assert_eq!(format!("{client:?}"), format!("{name}(Closed)"));
    Ok(())
}

/// An error of a transport is one of the transport, whatever was to be sent.
#[maybe_async]
#[test]
async fn nobody_at_home() -> TestResult {
    let client = AssertionClient::builder("http://127.0.0.1:9/token")
        .issuer("robot")
        .signing_key(key())
        .build()?;
    let error: Error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient() && !error.outcome_unknown());
    Ok(())
}
