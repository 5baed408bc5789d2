//! Concurrent renewals, logins, hooks, revocations and closing, on one token.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use oauth_twin::{BoxError, ErrorKind, TokenUpdate};

use super::{
    authorization_code::{callback, created},
    test, *,
};

#[maybe_async]
#[test]
async fn the_failure_of_a_renewal_does_not_hit_the_token_that_was_set_meanwhile() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(
        move |r: &Request| match r.parameter("refresh_token").as_deref() {
            Some("r0") => {
                held.wait();
                Reply::error(400, "invalid_grant")
            }
            _ => Reply::json(200, tokens(9, 600)),
        },
    );
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 0).build()?;
    let leader = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let new = Token::new("new")
        .with_refresh_token("rnew")
        .with_issued_at(clock.now())
        .with_expires_at(clock.now() + Duration::from_secs(600));
    client.set_token(new)?;
    let refresh = spawn_refresh_token(&client);
    sleep(Duration::from_millis(100)).await;
    gate.open();
    // The token that was set is renewed by itself: it has nothing to do with the other.
    let refreshed = refresh.join().await?;
    assert_eq!(access_token(&refreshed), "t9");
    let ensured = leader.join().await?;
    assert_eq!(access_token(&ensured), "t9");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_call_that_was_under_way_renews_nothing_after_close() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |r: &Request| match &*r.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ if r.header("authorization") == Some("Bearer t0") => {
            held.wait();
            Reply::text(401, "")
        }
        _ => Reply::text(200, "ok"),
    });
    let told = Arc::new(AtomicUsize::new(0));
    let t = told.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .update_token(move |_: TokenUpdate| {
            t.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .build()?;
    let (c, url) = (client.clone(), server.url("/api"));
    let job = spawn(move || async move { c.get(url).send().await.map(|r| r.status().as_u16()) });
    run_blocking(server.arrivals("/api", 1)).await;
    client.close().await?;
    gate.open();
    let status = job.join().await?;
    assert_eq!(status, 401);
    assert_eq!(told.load(Ordering::SeqCst), 0);
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_spent_row_never_leads_to_another_user() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    let row = || Token::new("alice").with_refresh_token("r0");
    let child = client.for_token(row());
    child.refresh_token().await?;
    child.set_token(Token::new("bob").with_refresh_token("r-bob"))?;
    let again = client.for_token(row());
    assert_ne!(again.token().unwrap().access_token().expose_secret(), "bob");
    Ok(())
}

#[maybe_async]
#[test]
async fn updates_are_told_one_after_the_other() -> TestResult {
    let server = provider(600);
    let gate = Gate::new();
    let done = Arc::new(Mutex::new(Vec::new()));
    let (calls, g, d) = (Arc::new(AtomicUsize::new(0)), gate.clone(), done.clone());
    let n = calls.clone();
    let client = builder(&server)
        .update_token(move |u: TokenUpdate| {
            let n = n.fetch_add(1, Ordering::SeqCst);
            let (g, d) = (g.clone(), d.clone());
            async move {
                if n == 0 {
                    return Err::<(), BoxError>("down".into());
                }
                if n == 1 {
                    run_blocking(move || g.wait()).await;
                }
                d.lock()
                    .unwrap()
                    .push(u.token.access_token().expose_secret().to_owned());
                Ok(())
            }
        })
        .build()?;
    let row = || Token::new("t0").with_refresh_token("r0");
    let [a, b] = [(); 2].map(|()| client.for_token(row()));
    a.refresh_token().await.unwrap_err(); // t1 pending
    let closing = spawn(move || async move { a.close().await }); // tells t1, slowly
    until(|| calls.load(Ordering::SeqCst) >= 2).await;
    let job = spawn(move || async move { b.refresh_token().await });
    sleep(Duration::from_millis(200)).await;
    gate.open();
    job.join().await?;
    closing.join().await?;
    assert_eq!(*done.lock().unwrap(), ["t1", "t2"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_expired_while_it_was_renewed_is_not_handed_out() -> TestResult {
    let clock = ManualClock::new();
    let c = clock.clone();
    let server = Server::start(move |r: &Request| match &*r.path {
        "/token" => {
            c.advance(Duration::from_secs(30));
            Reply::error(400, "invalid_grant")
        }
        _ => Reply::text(200, ""),
    });
    let client = with_first_token(&server, &clock, 10).build()?;
    clock.advance(Duration::from_secs(8));
    let r = client.ensure_active_token().await;
    assert!(r.is_err());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_gives_its_own_token_whatever_is_under_way() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(
        move |r: &Request| match r.parameter("grant_type").as_deref() {
            Some("refresh_token") => {
                held.wait();
                Reply::error(400, "invalid_grant")
            }
            _ => Reply::json(
                200,
                json!({"access_token": "login", "refresh_token": "r0", "expires_in": 600}),
            ),
        },
    );
    let clock = ManualClock::new();
    let client = builder(&server)
        .clock(clock.clock())
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri("https://app.example/cb")
        .build()?;
    let child = client.for_token(first_token(&clock, 0));
    let c = child.clone();
    let job = spawn(move || async move { c.ensure_active_token().await });
    run_blocking(server.arrivals("/token", 1)).await;
    let created = created(&client);
    let callback = callback(&created.url, "c");
    let login = client
        .complete_authorization(created.pending, &callback)
        .await?;
    gate.open();
    let _ = job.join().await;
    assert_eq!(login.token.access_token().expose_secret(), "login");
    assert_eq!(login.client.token(), Some(login.token));
    Ok(())
}

/// The hook of one client waits for another, whose hook calls the first.
#[maybe_async]
#[test]
async fn a_hook_that_waits_for_another_client_s_hook_does_not_deadlock() -> TestResult {
    let server = provider(600);
    let first: Arc<OnceLock<OAuth2Client>> = Arc::default();
    let of_first = first.clone();
    let row = || Token::new("t0").with_refresh_token("r0");
    let second = builder(&server)
        .token(row())
        .update_token(move |_: TokenUpdate| {
            let first = of_first.clone();
            async move {
                let first = first.get().ok_or("no client")?;
                first.ensure_active_token().await?;
                let error = first.close().await.expect_err("it would wait for the hook");
                assert_eq!(error.kind(), ErrorKind::Reentrant);
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    let client = builder(&server)
        .token(row())
        .update_token(move |_: TokenUpdate| {
            let second = second.clone();
            async move {
                second.refresh_token().await?;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    first.set(client.clone()).expect("once");
    client.refresh_token().await?;
    assert_eq!(server.count("/token"), 2);
    client.close().await?;
    Ok(())
}

/// Its time is over when another caller may lead, with the same refresh token.
#[maybe_async]
#[test]
async fn no_request_of_a_renewal_lasts_longer_than_the_renewal_may() -> TestResult {
    let clock = ManualClock::new();
    let (time, gate) = (clock.clone(), Gate::new());
    let (held, asked) = (gate.clone(), AtomicUsize::new(0));
    let server = Server::start(move |_: &Request| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            // Two timeouts, and some seconds that are left of the whole.
            time.advance(seconds(56));
            return Reply::error(400, "invalid_scope");
        }
        held.wait();
        Reply::json(200, tokens(1, 600))
    });
    let client = builder(&server)
        .token(first_token(&clock, 0).with_scope("read"))
        .clock(clock.clock())
        .timeout(seconds(30))
        .build()?;
    let began = Instant::now();
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(began.elapsed() < seconds(25), "{:?}", began.elapsed());
    run_blocking(server.arrivals("/token", 2)).await;
    assert_eq!(server.count("/token"), 2);
    gate.open();
    Ok(())
}

/// The server has seen the refresh token, and does not forget it.
#[maybe_async]
#[test]
async fn a_token_that_is_set_in_the_middle_of_its_own_renewal_is_not_sent_again() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 10).build()?;
    clock.advance(seconds(11));
    let renewing = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    // The row, which another request has read before.
    client.set_token(first_token(&clock, 0))?;
    gate.open();
    let token = renewing.join().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(access_token(&client.token().unwrap()), "t1");
    client.refresh_token().await?;
    let requests = server.requests("/token");
    let sent: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("refresh_token"))
        .collect();
    assert_eq!(sent, ["r0", "r1"]);
    Ok(())
}
