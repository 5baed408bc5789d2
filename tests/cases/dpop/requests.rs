//! Requests to an API, with a proof each.

use super::{super::test, *};

#[maybe_async]
#[test]
async fn each_request_has_its_own_proof_and_the_last_nonce_of_the_server() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    for _ in 0..3 {
        let url = server.server.url("/api?year=2026#top");
        let response = client.post(url).body("a body").send().await?;
        assert_eq!(response.status(), 200);
        let text = response.text().await?;
        assert_eq!(text, "a body");
    }
    server.assert_sound();
    // One request without a nonce, whose refusal has the first one.
    let known = || Some("rs-0".to_owned());
    let state = server.state();
    assert_eq!(nonces(&state, "/api"), [None, known(), known(), known()]);
    assert_eq!(server.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn one_resend_for_a_new_nonce_whatever_the_401_looks_like() -> TestResult {
    for (scheme, bare) in [
        ("DPoP", false),
        ("dpop", false),
        ("Bearer", false),
        ("", true),
    ] {
        let (server, key) = (DpopServer::start(), dpop_key());
        server.state().scheme = scheme;
        server.state().bare = bare;
        let client = public(&server, &key)
            .token(bound_token(&server, &key))
            .build()?;
        let response = client
            .post(server.server.url("/api"))
            .body("b")
            .send()
            .await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        assert_eq!((status, &*text), (200, "b"));
        server.assert_sound();
        assert_eq!(
            (server.server.count("/api"), server.server.count("/token")),
            (2, 0)
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_nonce_that_was_sent_already_is_no_reason_to_send_again() -> TestResult {
    let (server, key) = (
        Server::start(|_: &Request| Reply::error(401, "use_dpop_nonce").with("DPoP-Nonce", "same")),
        dpop_key(),
    );
    let client = OAuth2Client::builder("id").dpop(key.clone());
    let client = client.token(Token::new("t").with_dpop_key(&key)).build()?;
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status(), 401);
    // The body is the caller's, unread.
    let text = response.text().await?;
    assert_eq!(text, r#"{"error":"use_dpop_nonce"}"#);
    assert_eq!(server.count("/api"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_changes_its_nonce_each_time_gets_two_requests_and_no_more() -> TestResult {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_: &Request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Reply::text(401, "").with("DPoP-Nonce", &format!("n{n}"))
    });
    let key = dpop_key();
    let client = OAuth2Client::builder("id").dpop(key.clone());
    let client = client.token(Token::new("t").with_dpop_key(&key)).build()?;
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status(), 401);
    assert_eq!(server.count("/api"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn one_resend_for_the_nonce_and_one_for_a_renewal() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = confidential(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    server.state().refused.insert("t0".to_owned());
    let response = client
        .post(server.server.url("/api"))
        .body("b")
        .send()
        .await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    assert_eq!((status, &*text), (200, "b"));
    server.assert_sound();
    let state = server.state();
    let [first, second] = ["rs-0", "as-0"].map(|nonce| Some(nonce.to_owned()));
    assert_eq!(nonces(&state, "/api"), [None, first.clone(), first]);
    assert_eq!(nonces(&state, "/token"), [None, second]);
    Ok(())
}

#[maybe_async]
#[test]
async fn what_is_not_about_the_token_renews_nothing() -> TestResult {
    for challenge in [
        "DPoP error=\"invalid_dpop_proof\"",
        "DPoP error=\"insufficient_scope\", scope=\"a\"",
        "DPoP error=\"insufficient_user_authentication\"",
        "DPoP error=\"use_dpop_nonce\"",
        "Basic realm=\"x\"",
    ] {
        let server = Server::start(move |request: &Request| match &*request.path {
            "/token" => Reply::json(200, tokens(1, 600)),
            _ => Reply::text(401, "").with("www-authenticate", challenge),
        });
        let key = dpop_key();
        let token = Token::new("t0")
            .with_refresh_token("r0")
            .with_dpop_key(&key);
        let client = builder(&server).dpop(key).token(token).build()?;
        let response = client.get(server.url("/api")).send().await?;
        assert_eq!(response.status(), 401);
        assert_eq!(
            (server.count("/api"), server.count("/token")),
            (1, 0),
            "{challenge}"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_stream_is_sent_once_and_says_so_when_a_nonce_is_demanded() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let url = server.server.url("/api");
    let error = client.post(&url).body(streaming_body(20_000)).send().await;
    let error = error.expect_err("a demand for a nonce");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("stream"), "{error}");
    // The nonce is known by now.
    let response = client
        .post(&url)
        .body(streaming_body(20_000))
        .send()
        .await?;
    let status = response.status().as_u16();
    let count = received(response).await;
    assert_eq!((status, count), (200, 20_000));
    // A token that is refused is the caller's to see: the stream is gone.
    server.state().refused.insert("t0".to_owned());
    let response = client
        .post(&url)
        .body(streaming_body(20_000))
        .send()
        .await?;
    assert_eq!(response.status(), 401);
    server.assert_sound();
    assert_eq!(
        (server.server.count("/api"), server.server.count("/token")),
        (3, 0)
    );
    Ok(())
}

/// A server may send another nonce with each response; what it says beside is the caller's.
#[maybe_async]
#[test]
async fn the_refusal_of_a_stream_for_another_reason_is_the_caller_s() -> TestResult {
    for challenge in [
        "DPoP error=\"invalid_token\"",
        "DPoP error=\"insufficient_user_authentication\"",
        "DPoP error=\"invalid_dpop_proof\"",
    ] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |_: &Request| {
            let n = count.fetch_add(1, Ordering::SeqCst);
            let reply = Reply::text(401, "no").with("www-authenticate", challenge);
            reply.with("DPoP-Nonce", &format!("n{n}"))
        });
        let key = dpop_key();
        let client = OAuth2Client::builder("id").dpop(key.clone());
        let client = client.token(Token::new("t").with_dpop_key(&key)).build()?;
        let url = server.url("/api");
        for is_stream in [true, true, false] {
            let request = match is_stream {
                true => client.post(&url).body(streaming_body(2_000)),
                false => client.post(&url).body("in memory"),
            };
            let response = request.send().await?;
            assert_eq!(response.status(), 401);
            let text = response.text().await?;
            assert_eq!(text, "no");
        }
        // A new nonce is enough for what can be sent again.
        assert_eq!(server.count("/api"), 4, "{challenge}");
        let nonce = |n: usize| claims_of(server.requests("/api")[n].header("dpop").unwrap());
        assert_eq!(
            (&nonce(2)["nonce"], &nonce(3)["nonce"]),
            (&json!("n1"), &json!("n2"))
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_header_of_the_caller_s_own_is_not_replaced() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let url = server.server.url("/api");
    for name in ["authorization", "dpop"] {
        let error = client
            .get(&url)
            .header(name, "x")
            .send()
            .await
            .expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    let response = client
        .get(&url)
        .header("dpop", "x")
        .withhold_token()
        .send()
        .await?;
    assert_eq!(response.status(), 400);
    assert_eq!(server.server.count("/api"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_changes_the_request_before_its_proof_is_made() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let hook = oauth_twin::oauth2::Hook::protected_request(|request| {
        request.url_mut().set_path("/other");
        Ok(())
    });
    let client = public(&server, &key).compliance_hook(hook);
    let client = client.token(bound_token(&server, &key)).build()?;
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    assert_eq!(server.server.count("/other"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn nonces_are_kept_by_origin_and_by_role() -> TestResult {
    let (server, other, key) = (DpopServer::start(), DpopServer::start(), dpop_key());
    other.state().at_resource.rotate();
    let client = confidential(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    bound_token(&other, &key);
    for server in [&server, &other, &server, &other] {
        let response = client.get(server.server.url("/api")).send().await?;
        assert_eq!(response.status(), 200);
    }
    client.refresh_token().await?;
    client.refresh_token().await?;
    server.assert_sound();
    other.assert_sound();
    let nonce = |text: &str| Some(text.to_owned());
    let state = server.state();
    assert_eq!(nonces(&state, "/api"), [None, nonce("rs-0"), nonce("rs-0")]);
    assert_eq!(
        nonces(&state, "/token"),
        [None, nonce("as-0"), nonce("as-0")]
    );
    assert_eq!(
        nonces(&other.state(), "/api"),
        [None, nonce("rs-1"), nonce("rs-1")]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_thousand_requests_at_once_while_the_nonce_changes_every_third() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    server.state().at_resource.every = 3;
    let client = public(&server, &key)
        .token(bound_token(&server, &key))
        .build()?;
    let url = server.server.url("/api");
    let statuses = at_once(1000, |n| {
        let request = client.post(&url).body(n.to_string());
        async move {
            let response = request.send().await.expect("a response");
            let status = response.status().as_u16();
            (
                status,
                response.text().await.expect("a body") == n.to_string(),
            )
        }
    })
    .await;
    assert!(statuses.iter().all(|answer| *answer == (200, true)));
    server.assert_sound();
    let mut sent = std::collections::HashMap::<Vec<u8>, usize>::new();
    for request in server.server.requests("/api") {
        *sent.entry(request.body).or_default() += 1;
    }
    assert_eq!(sent.len(), 1000);
    assert!(sent.values().all(|times| *times <= 2), "one resend each");
    assert!(
        sent.values().any(|times| *times == 2),
        "the nonce has changed"
    );
    assert_eq!(server.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn userinfo_has_proofs_nonces_and_one_renewal() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = confidential(&server, &key).userinfo_endpoint(server.server.url("/userinfo"));
    let client = client.token(bound_token(&server, &key)).build()?;
    server.state().refused.insert("t0".to_owned());
    // The server answers with the empty body that it got.
    let error = client.userinfo("alice").await.expect_err("no claims");
    assert_eq!(error.kind(), ErrorKind::Answer);
    server.assert_sound();
    let nonce = |text: &str| Some(text.to_owned());
    let state = server.state();
    assert_eq!(
        nonces(&state, "/userinfo"),
        [None, nonce("rs-0"), nonce("rs-0")]
    );
    assert_eq!(nonces(&state, "/token"), [None, nonce("as-0")]);
    Ok(())
}

#[maybe_async]
#[test]
async fn assertion_clients_prove_too() -> TestResult {
    let (server, key) = (DpopServer::start(), dpop_key());
    let client = AssertionClient::builder(server.server.url("/token"))
        .issuer("robot")
        .signing_key(new_key("1"))
        .dpop(key.clone())
        .build()?;
    let response = client.get(server.server.url("/api")).send().await?;
    assert_eq!(response.status(), 200);
    server.assert_sound();
    let token = client.token().expect("a token");
    assert_eq!(token.dpop_thumbprint(), Some(key.thumbprint()));
    // A new assertion for each attempt.
    let sent = server.server.requests("/token");
    assert_eq!(sent.len(), 2);
    assert_ne!(
        sent[0].parameter("assertion"),
        sent[1].parameter("assertion")
    );
    Ok(())
}
