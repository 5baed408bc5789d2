//! Authorization requests that are pushed.

use std::time::SystemTime;

use oauth_twin::{
    Clock,
    jose::Algorithm,
    oauth2::{ClientSecretPost, Hook, PrivateKeyJwt, RegisteredClient},
};
use support::jwt::{Assertion, ids, signing_key};

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_request_that_is_pushed_leaves_a_reference_in_the_url() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .pushed_authorization_requests(Push::WhenOffered)
        .build()?;
    let request = AuthorizationRequest::new()
        .scope("openid")
        .resource("urn:a");
    let begun = client.begin_authorization(request).await?;
    assert_eq!(
        begun.url.as_str(),
        format!(
            "{}?client_id=id&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A1",
            provider.server.url("/authorize")
        )
    );
    let push = &provider.server.requests("/par")[0];
    assert!(
        push.header("authorization")
            .unwrap_or_default()
            .starts_with("Basic ")
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "id"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("resource", "urn:a"),
        ("code_challenge_method", "S256"),
        ("state", begun.pending.state()),
    ] {
        assert_eq!(push.parameter(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(push.parameters("request_uri"), [""; 0]);
    let callback = provider.authorize(&begun.url);
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert!(login.id_token.is_some());
    Ok(())
}

#[maybe_async]
#[test]
async fn requests_are_pushed_as_the_server_and_the_setting_say() -> TestResult {
    for (push, required, is_pushed) in [
        (None, json!(false), false),
        (None, json!(true), true),
        (None, json!("true"), true),
        (Some(Push::WhenRequired), json!(null), false),
        (Some(Push::WhenOffered), json!(null), true),
        (Some(Push::Always), json!(false), true),
        (Some(Push::Never), json!(true), false),
    ] {
        let provider = Provider::start();
        let metadata = json!({"require_pushed_authorization_requests": required});
        provider.lie(|lies| lies.metadata = metadata);
        let mut builder = client_of(&provider);
        if let Some(push) = push {
            builder = builder.pushed_authorization_requests(push);
        }
        let client = builder.build()?;
        log_in(&provider, &client, AuthorizationRequest::new()).await?;
        let count = usize::from(is_pushed);
        assert_eq!(provider.server.count("/par"), count, "{push:?} {required}");
        // Without I/O there is an error instead of a request that the server refuses.
        let created = client.create_authorization_url(AuthorizationRequest::new());
        match is_pushed {
            false => drop(created?),
            true => {
                let error = created.expect_err("nothing is pushed");
                assert_eq!(error.kind(), ErrorKind::Usage);
                assert!(error.to_string().contains("begin_authorization"), "{error}");
            }
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn without_an_endpoint_nothing_is_sent_instead() -> TestResult {
    let provider = Provider::start();
    let none = json!({"pushed_authorization_request_endpoint": null});
    provider.lie(|lies| lies.metadata = none);
    let client = client_of(&provider).pushed_authorization_requests(Push::WhenOffered);
    log_in(&provider, &client.build()?, AuthorizationRequest::new()).await?;
    let client = client_of(&provider).pushed_authorization_requests(Push::Always);
    let begun = client
        .build()?
        .begin_authorization(AuthorizationRequest::new())
        .await;
    let error = begun.expect_err("no endpoint");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let word = "pushed_authorization_request_endpoint";
    assert!(error.to_string().contains(word), "{error}");
    Ok(())
}

/// The end-user may take longer than the reference lasts.
#[maybe_async]
#[test]
async fn the_lifetime_of_the_reference_bounds_the_start_and_not_the_login() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .pushed_authorization_requests(Push::Always)
        .build()?;
    let begun = client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    let in_30_seconds = provider.clock.now() + Duration::from_secs(30);
    let difference = begun
        .expires_at()
        .expect("a time")
        .duration_since(in_30_seconds);
    assert!(difference.unwrap_or_else(|it| it.duration()) < Duration::from_secs(1));
    let callback = provider.authorize(&begun.url);
    provider.clock.advance(Duration::from_secs(90));
    client
        .complete_authorization(begun.pending, &callback)
        .await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_url_says_when_it_is_too_late_for_it() -> TestResult {
    let provider = Provider::start();
    for (body, is_expired) in [
        (json!({"request_uri": "urn:x", "expires_in": 600}), false),
        (json!({"request_uri": "urn:x"}), false),
        (json!({"request_uri": "urn:x", "expires_in": 30}), true),
    ] {
        provider.lie(|lies| lies.pushed = Some((201, body)));
        let client = OAuth2Client::builder("id")
            .client_secret(SECRET)
            .server(provider.metadata())
            .pushed_authorization_requests(Push::Always)
            // As if it was a minute ago.
            .clock(Clock::from_fn(|| {
                SystemTime::now() - Duration::from_secs(60)
            }))
            .build()?;
        let begun = client
            .begin_authorization(AuthorizationRequest::new())
            .await?;
        assert_eq!(begun.expired(), is_expired);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_response_that_is_not_usable_is_an_error() -> TestResult {
    for (status, body, word) in [
        (201, json!({"expires_in": 30}), "request_uri"),
        (
            201,
            json!({"request_uri": "", "expires_in": 30}),
            "request_uri",
        ),
        (
            201,
            json!({"request_uri": 7, "expires_in": 30}),
            "request_uri",
        ),
        (
            201,
            json!({"request_uri": "urn:x", "expires_in": 0}),
            "expires_in",
        ),
        (
            201,
            json!({"request_uri": "urn:x", "expires_in": -1}),
            "expires_in",
        ),
        (
            201,
            json!({"request_uri": "urn:x", "expires_in": "soon"}),
            "expires_in",
        ),
        (201, json!([]), "not a JSON object"),
        (400, json!({"error": "invalid_request"}), "invalid_request"),
        (200, json!({"error": "invalid_request"}), "invalid_request"),
        (401, json!({"error": "invalid_client"}), "invalid_client"),
        (302, json!({}), "redirects"),
    ] {
        let provider = Provider::start();
        let client = client_of(&provider)
            .pushed_authorization_requests(Push::Always)
            .build()?;
        provider.lie(|lies| lies.pushed = Some((status, body)));
        let begun = client
            .begin_authorization(AuthorizationRequest::new())
            .await;
        let error = begun.expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
        assert!(
            error
                .to_string()
                .contains("pushed authorization request endpoint"),
            "{error}"
        );
        assert_eq!(provider.server.count("/par"), 1, "{word}");
    }
    // Some servers answer 200 instead of 201.
    let provider = Provider::start();
    let body = json!({"request_uri": "urn:x", "expires_in": 30});
    provider.lie(|lies| lies.pushed = Some((200, body)));
    let client = client_of(&provider).pushed_authorization_requests(Push::Always);
    let begun = client
        .build()?
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    assert!(
        begun
            .url
            .as_str()
            .ends_with("?client_id=id&request_uri=urn%3Ax")
    );
    Ok(())
}

/// "Is the server willing for this client?" its metadata do not say.
#[maybe_async]
#[test]
async fn a_refusal_of_a_plain_request_names_the_setting_that_pushes() -> TestResult {
    let refusal = |lies: &mut Lies| lies.response.error = Some("invalid_request");
    let request = AuthorizationRequest::new();
    let error = refused_before_the_code(request, refusal, "invalid_request").await;
    let hint = error.response().and_then(|response| response.hint());
    assert!(
        hint.unwrap_or_default().contains("Push::Always"),
        "{hint:?}"
    );

    let provider = Provider::start();
    provider.lie(refusal);
    let client = client_of(&provider).pushed_authorization_requests(Push::WhenOffered);
    let pushed = log_in(&provider, &client.build()?, AuthorizationRequest::new()).await;
    assert_eq!(
        pushed
            .expect_err("a refusal")
            .response()
            .and_then(|it| it.hint()),
        None
    );

    let none = json!({"pushed_authorization_request_endpoint": null});
    provider.lie(|lies| lies.metadata = none);
    let client = client_of(&provider).build()?;
    let plain = log_in(&provider, &client, AuthorizationRequest::new()).await;
    assert_eq!(
        plain
            .expect_err("a refusal")
            .response()
            .and_then(|it| it.hint()),
        None
    );

    let denied = |lies: &mut Lies| lies.response.error = Some("access_denied");
    let request = AuthorizationRequest::new().scope("reports");
    let error = refused_before_the_code(request, denied, "access_denied").await;
    assert_eq!(error.response().and_then(|it| it.hint()), None);
    Ok(())
}

/// A server that is too busy twice.
#[maybe_async]
#[test]
async fn each_attempt_has_a_new_client_assertion() -> TestResult {
    let pushes = AtomicUsize::new(0);
    let server = Server::start(
        move |_: &Request| match pushes.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::error(503, "temporarily_unavailable"),
            1 => Reply::error(429, "slow_down"),
            _ => Reply::json(201, json!({"request_uri": "urn:x", "expires_in": 60})),
        },
    );
    let key = signing_key(Algorithm::ES256, "p-256");
    let verifying = key.verifying_key();
    let client = OAuth2Client::builder("id")
        .issuer("https://id.example")
        .authorization_endpoint("https://id.example/authorize")
        .token_endpoint("https://id.example/token")
        .pushed_authorization_request_endpoint(server.url("/par"))
        .pushed_authorization_requests(Push::Always)
        .token_endpoint_auth_method(PrivateKeyJwt::new(key))
        .build()?;
    client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    let requests = server.requests("/par");
    let assertions: Vec<_> = requests
        .iter()
        .map(|request| Assertion::of(request, "client_assertion", &verifying))
        .collect();
    assert_eq!(ids(&assertions).len(), 3);
    for assertion in &assertions {
        assert!(assertion.claims.audience().eq(["https://id.example"]));
    }
    // The request is the same, as nothing came of it.
    let states: std::collections::HashSet<_> = requests
        .iter()
        .map(|request| request.parameter("state"))
        .collect();
    assert_eq!(states.len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_that_authenticates_in_the_body_names_itself_once() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .pushed_authorization_requests(Push::Always)
        .token_endpoint_auth_method(ClientSecretPost)
        .build()?;
    client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    let push = &provider.server.requests("/par")[0];
    assert_eq!(push.parameters("client_id"), ["id"]);
    assert_eq!(push.parameter("client_secret").as_deref(), Some(SECRET));
    Ok(())
}

#[maybe_async]
#[test]
async fn hooks_change_the_request_and_the_response() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .pushed_authorization_requests(Push::Always)
        .compliance_hook(Hook::pushed_authorization_request(|request| {
            request.form_mut().set("tenant", "a");
            Ok(())
        }))
        .compliance_hook(Hook::pushed_authorization_response(|response| {
            let mut members = response.json().unwrap_or_default();
            members.insert("request_uri".to_owned(), "urn:y".into());
            response.set_json(&members);
            Ok(())
        }))
        .build()?;
    let begun = client
        .begin_authorization(AuthorizationRequest::new())
        .await?;
    assert!(begun.url.as_str().ends_with("request_uri=urn%3Ay"));
    let push = &provider.server.requests("/par")[0];
    assert_eq!(push.parameter("tenant").as_deref(), Some("a"));
    Ok(())
}

/// A server by OpenID Connect Core section 6.
#[maybe_async]
#[test]
async fn parameters_are_repeated_in_the_url_for_a_server_that_wants_them() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .pushed_authorization_requests(Push::Always)
        .repeat_authorization_parameters()
        .build()?;
    let request = AuthorizationRequest::new().scope("openid");
    let begun = client.begin_authorization(request).await?;
    let query = begun.url.query().unwrap_or_default();
    assert!(
        query.starts_with("client_id=id&response_type=code&scope=openid&request_uri="),
        "{query}"
    );
    Ok(())
}

/// The registration of a client may demand more than the server does of all.
#[maybe_async]
#[test]
async fn the_registration_of_a_client_may_demand_pushed_requests() -> TestResult {
    for (push, is_pushed) in [(Push::WhenRequired, true), (Push::Never, false)] {
        let provider = Provider::start();
        let registered = registered(&provider, "require_pushed_authorization_requests");
        let client = OAuth2Client::unregistered()
            .server(provider.metadata())
            .registered_client(registered)
            .redirect_uri(CALLBACK)
            .clock(provider.clock.clock())
            .pushed_authorization_requests(push)
            .build()?;
        let begun = client.begin_authorization(AuthorizationRequest::new());
        let url = begun.await?.url;
        assert_eq!(url.as_str().contains("request_uri="), is_pushed, "{url}");
        assert_eq!(provider.server.count("/par"), usize::from(is_pushed));
        let created = client.create_authorization_url(AuthorizationRequest::new());
        assert_eq!(created.is_err(), is_pushed);
    }
    Ok(())
}

/// Neither the server's metadata nor the registration leave the user with an error page.
#[maybe_async]
#[test]
async fn required_signatures_without_a_key_are_an_error_that_says_so() -> TestResult {
    let provider = Provider::start();
    let registered = registered(&provider, "require_signed_request_object");
    let by_registration = OAuth2Client::unregistered()
        .server(provider.metadata())
        .registered_client(registered)
        .redirect_uri(CALLBACK);
    let server = provider.metadata().with_require_signed_request_object(true);
    let by_server = client_of(&provider).server(server);
    for builder in [by_registration, by_server] {
        let client = builder.build()?;
        let begun = client.begin_authorization(AuthorizationRequest::new());
        let error = begun.await.expect_err("no key");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("set request_object"), "{error}");
    }
    assert_eq!(provider.server.requests_in_all(), 0);
    Ok(())
}

/// The registration of a client with this demand.
fn registered(provider: &Provider, demand: &str) -> RegisteredClient {
    let registered = json!({
        "issuer": provider.issuer(), "client_id": "id", "client_secret": SECRET, demand: true,
        "redirect_uris": [CALLBACK],
    });
    serde_json::from_value(registered).expect("a registration")
}
