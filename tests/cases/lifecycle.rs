//! Renewals: their time, their caller, their number.

use std::{
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use oauth_twin::{Error, ErrorKind, oauth2::RefreshPolicy};

use super::{test, *};

#[maybe_async]
#[test]
async fn a_crowd_that_meets_an_expired_token_makes_one_request() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 10).build()?;
    clock.advance(seconds(11));
    gate.open();
    let tokens = tokens_at_once(vec![client; CROWD]).await;
    for token in tokens {
        assert_eq!(token?.access_token().expose_secret(), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    let requests = server.requests("/token");
    assert_eq!(
        requests[0].form(),
        "grant_type=refresh_token&refresh_token=r0"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn an_early_renewal_that_lasts_does_not_hold_up_its_caller() -> TestResult {
    // The client's own timeout, and that of the request.
    for (timeout, own) in [
        (Duration::from_millis(200), None),
        (Duration::from_secs(60), Some(Duration::from_secs(3))),
    ] {
        let gate = Gate::new();
        let server = gated(&gate);
        let clock = ManualClock::new();
        let client = with_first_token(&server, &clock, 600)
            .timeout(timeout)
            .build()?;
        clock.advance(seconds(550));
        let request = client.get(server.url("/api"));
        let request = match own {
            Some(own) => request.timeout(own),
            None => request,
        };
        let text = request.send().await?.text().await?;
        assert_eq!(text, "Bearer t0");
        gate.open();
        if own.is_some() {
            // The caller has gone on, and so has the renewal.
            until(|| client.token() != Some(first_token(&clock, 600))).await;
            assert_eq!(server.count("/token"), 1);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_early_renewal_is_not_waited_for_if_its_hook_lasts() -> TestResult {
    let gate = Gate::new();
    let server = provider(600);
    let clock = ManualClock::new();
    let client = with_held_hook(with_first_token(&server, &clock, 600), &gate).build()?;
    clock.advance(seconds(550));
    let request = client
        .get(server.url("/api"))
        .timeout(Duration::from_secs(3));
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1", "it is in use");
    gate.open();
    client.close().await?;
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_of_five_seconds_is_not_renewed_on_every_request() -> TestResult {
    let server = provider(5);
    let clock = ManualClock::new();
    let client = with_credentials(&server).clock(clock.clock()).build()?;
    for (passed, token, requests) in [(0, "t1", 1), (2000, "t1", 1), (1000, "t2", 2), (0, "t2", 2)]
    {
        clock.advance(Duration::from_millis(passed));
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(
            (text, server.count("/token")),
            (format!("Bearer {token}"), requests)
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_failed_early_renewal_is_repeated_only_after_longer_and_longer_waits() -> TestResult {
    let retry_after = Arc::new(Mutex::new(None));
    let says = retry_after.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let reply = Reply::text(500, "down");
            match *says.lock().unwrap() {
                Some(seconds) => reply.with("retry-after", seconds),
                None => reply,
            }
        }
        _ => Reply::authorization_of(request),
    });
    let clock = ManualClock::new();
    let client = builder(&server)
        .token(first_token(&clock, 3600))
        .leeway(seconds(1700))
        .clock(clock.clock())
        .build()?;
    clock.advance(seconds(1900));
    let mut expected = 0;
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        expected += 1;
        for _ in 0..3 {
            let text = client.get(server.url("/api")).send().await?.text().await?;
            assert_eq!(
                (&*text, server.count("/token")),
                ("Bearer t0", expected),
                "{wait}"
            );
        }
        clock.advance(seconds(wait) - Duration::from_millis(1));
        client.get(server.url("/api")).send().await?;
        assert_eq!(server.count("/token"), expected, "{wait}");
        // Up to a quarter more.
        clock.advance(seconds(wait) / 4 + Duration::from_millis(1));
    }
    *retry_after.lock().unwrap() = Some("200");
    for (wait, requests) in [(0, expected + 1), (199, expected + 1), (51, expected + 2)] {
        clock.advance(seconds(wait));
        client.get(server.url("/api")).send().await?;
        assert_eq!(server.count("/token"), requests, "{wait}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn after_expiry_the_kept_error_is_told_until_the_next_attempt() -> TestResult {
    let well = Arc::new(AtomicBool::new(false));
    let switch = well.clone();
    let server = Server::start(move |_: &Request| match switch.load(Ordering::SeqCst) {
        true => Reply::json(200, tokens(1, 600)),
        false => Reply::error(400, "invalid_request"),
    });
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 10).build()?;
    clock.advance(seconds(10));
    for _ in 0..3 {
        let error = client.get(server.url("/api")).send().await.unwrap_err();
        assert_eq!(
            (error.kind(), server.count("/token")),
            (ErrorKind::Server, 1)
        );
        assert_eq!(server.count("/api"), 0, "an expired token is not sent");
    }
    let error = client.ensure_active_token().await.unwrap_err();
    let wait = error.retry_after().expect("when the next attempt is made");
    assert!(wait >= seconds(1) && wait <= seconds(1) * 5 / 4, "{wait:?}");
    // Whoever asks for it by hand is not kept waiting, as the server did not say when.
    client.refresh_token().await.unwrap_err();
    assert_eq!(server.count("/token"), 2);
    well.store(true, Ordering::SeqCst);
    clock.advance(seconds(3));
    client.get(server.url("/api")).send().await?;
    assert_eq!((server.count("/token"), server.count("/api")), (3, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn policies() -> TestResult {
    for (policy, by_time, by_401) in [
        (RefreshPolicy::ExpiryAndUnauthorized, true, true),
        (RefreshPolicy::Expiry, true, false),
        (RefreshPolicy::Unauthorized, false, true),
        (RefreshPolicy::Never, false, false),
    ] {
        let server = accepting_the_renewed_token();
        let clock = ManualClock::new();
        let client = with_first_token(&server, &clock, 10)
            .refresh_policy(policy)
            .build()?;
        let status = client.get(server.url("/api")).send().await?.status();
        assert_eq!(
            status.as_u16(),
            if by_401 { 200 } else { 401 },
            "{policy:?}"
        );

        // Another login.
        client.set_token(first_token(&clock, 10).with_refresh_token("r9"))?;
        let before = server.count("/token");
        clock.advance(seconds(11));
        let token = client.ensure_active_token().await?;
        let expected = if by_time { "t1" } else { "t0" };
        assert_eq!(token.access_token().expose_secret(), expected, "{policy:?}");
        assert_eq!(
            server.count("/token") - before,
            usize::from(by_time),
            "{policy:?}"
        );
        // By hand it is always renewed.
        client.refresh_token().await?;
        assert_eq!(client.token().unwrap().access_token().expose_secret(), "t1");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn refresh_token_joins_a_renewal_that_is_under_way() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 600).build()?;
    let begun = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let (client, begun) = (client.clone(), begun.clone());
            spawn(move || async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client.refresh_token().await
            })
        })
        .collect();
    until(|| begun.load(Ordering::SeqCst) == 5 && server.count("/token") > 0).await;
    // A straggler that begins after the end makes a renewal of its own, which is right.
    sleep(Duration::from_millis(300)).await;
    gate.open();
    for caller in callers {
        let token = caller.join().await?;
        assert_eq!(token.access_token().expose_secret(), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_was_set_is_not_replaced_by_an_older_renewal() -> TestResult {
    for by_fetch in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request: &Request| {
            match request.parameter("grant_type").as_deref() {
                Some("refresh_token") => {
                    held.wait();
                    Reply::json(200, tokens(1, 600))
                }
                _ => Reply::json(200, json!({"access_token": "set"})),
            }
        });
        let updates = Updates::default();
        let clock = ManualClock::new();
        let client = with_first_token(&server, &clock, 600)
            .update_token(recording(&updates))
            .build()?;
        let renewal = spawn_refresh_token(&client);
        run_blocking(server.arrivals("/token", 1)).await;
        if by_fetch {
            client.fetch_token(ClientCredentials::new()).await?;
        } else {
            client.set_token(Token::new("set"))?;
        }
        gate.open();
        let renewed = renewal.join().await?;
        assert_eq!(renewed.access_token().expose_secret(), "set");
        assert_eq!(
            client.token().unwrap().access_token().expose_secret(),
            "set"
        );
        let updates = updates.lock().unwrap();
        assert_eq!(updates.len(), 1, "nothing that the server issued is lost");
        assert!(updates[0].superseded);
        assert_eq!(updates[0].token.access_token().expose_secret(), "t1");
        let spent = updates[0].previous_refresh_token.as_ref().unwrap();
        assert_eq!(spent.expose_secret(), "r0");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_repeats_the_resource_and_the_extras_and_names_no_scope() -> TestResult {
    for granted in [None, Some("a")] {
        let server = Server::start(move |request: &Request| {
            let mut answer = tokens(1, 600);
            if let Some(granted) = granted
                && request.parameter("grant_type").as_deref() == Some("client_credentials")
            {
                answer["scope"] = granted.into();
            }
            Reply::json(200, answer)
        });
        let client = builder(&server)
            .scope("a b c")
            .resource("https://client.example")
            .build()?;
        let grant = ClientCredentials::new()
            .resource("https://a.example")
            .resource("https://b.example")
            .param("audience", "them");
        client.fetch_token(grant).await?;
        for n in 1..=2 {
            client.refresh_token().await?;
            let request = &server.requests("/token")[n];
            assert_eq!(request.parameter("grant_type").unwrap(), "refresh_token");
            assert_eq!(request.parameter("refresh_token").unwrap(), "r1");
            assert_eq!(request.parameter("scope"), None, "that is the granted one");
            assert_eq!(
                request.parameters("resource"),
                ["https://a.example", "https://b.example"]
            );
            assert_eq!(request.parameter("audience").unwrap(), "them");
            assert_eq!(client.token().unwrap().scope(), granted);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn client_credentials_are_renewed_with_the_same_request() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(
            200,
            json!({"access_token": "t", "expires_in": 10, "scope": "a"}),
        ),
        _ => Reply::text(200, ""),
    });
    let clock = ManualClock::new();
    let client = builder(&server)
        .grant(ClientCredentials::new().param("audience", "them"))
        .scope("a b")
        .clock(clock.clock())
        .build()?;
    for _ in 0..3 {
        client.get(server.url("/api")).send().await?;
        clock.advance(seconds(11));
    }
    let forms = server.forms("/token");
    assert_eq!(
        forms,
        ["grant_type=client_credentials&audience=them&scope=a+b"; 3]
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn members_that_a_renewal_omits_are_kept() -> TestResult {
    let server = Server::start(|_: &Request| Reply::json(200, json!({"access_token": "t1"})));
    let token: Token = serde_json::from_value(json!({
        "access_token": "t0", "refresh_token": "r0", "id_token": "i0", "scope": "a", "expires_at": 1,
        "own": true,
    }))?;
    let client = builder(&server).token(token).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert_eq!(token.refresh_token().unwrap().expose_secret(), "r0");
    assert_eq!(token.id_token().unwrap().expose_secret(), "i0");
    assert_eq!(token.scope(), Some("a"));
    assert_eq!(token.get("own"), Some(&json!(true)));
    assert_eq!(token.expires_at(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refused_refresh_token_means_login_unless_the_grant_can_be_sent_again() -> TestResult {
    let server =
        Server::start(
            |request: &Request| match request.parameter("grant_type").as_deref() {
                Some("refresh_token") => Reply::error(400, "invalid_grant"),
                _ => Reply::json(200, tokens(1, 600)),
            },
        );
    let expired = expired_token();
    let client = builder(&server).token(expired.clone()).build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login() && !error.is_transient() && !error.outcome_unknown());
    assert_eq!(server.count("/token"), 1);

    let client = with_credentials(&server).token(expired).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert_eq!(server.count("/token"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_way_to_renew_nothing_is_sent() -> TestResult {
    let server = provider(600);
    let expired = || Token::new("t0").with_expires_at(std::time::UNIX_EPOCH);
    let clients = [
        builder(&server).build()?,
        builder(&server).token(expired()).build()?,
        OAuth2Client::builder("id").build()?,
        OAuth2Client::builder("id")
            .token(expired().with_refresh_token("r0"))
            .build()?,
    ];
    for client in clients {
        let errors: [Error; 3] = [
            client.get(server.url("/api")).send().await.unwrap_err(),
            client.ensure_active_token().await.unwrap_err(),
            client.refresh_token().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Token);
            assert!(error.needs_login());
        }
    }
    let client = OAuth2Client::builder("id").build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("token_endpoint"));
    assert_eq!(server.count("/token") + server.count("/api"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn fetch_token_keeps_and_exchange_does_not() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    let token = client.exchange(ClientCredentials::new().scope("x")).await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert_eq!(client.token(), None);
    let token = client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(token.access_token().expose_secret(), "t2");
    assert_eq!(client.token(), Some(token));
    Ok(())
}
