//! Closing a client by `close`, `Drop` and `with`.

use std::sync::OnceLock;

use oauth_twin::reqwest::Method;

use super::{hooks::assert_reentrant, test, token_store::Shelf, *};

#[maybe_async]
#[test]
async fn after_close_every_call_of_every_clone_fails() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let unsent = client.get(server.url("/unsent"));
    client.get(server.url("/api")).send().await?;
    client.close().await?;
    client.close().await?;
    for client in [&client, &clone] {
        assert_eq!(client.token(), None);
        let mut request = http::Request::new(Method::GET, server.url("/").parse()?);
        let errors = [
            client.get(server.url("/late")).send().await.map(|_| ()),
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client
                .fetch_token(ClientCredentials::new())
                .await
                .map(|_| ()),
            client.exchange(ClientCredentials::new()).await.map(|_| ()),
            client.set_token(Token::new("x")),
            client.authorize(&mut request).await,
            client.authorization_header().await.map(|_| ()),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
        }
    }
    let error = unsent.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(
        (
            server.count("/token"),
            server.count("/late"),
            server.count("/unsent")
        ),
        (1, 0, 0)
    );
    assert_eq!(format!("{client:?}"), format!("{CLIENT}(Closed)"));
    Ok(())
}

#[maybe_async]
#[test]
async fn close_does_not_wait_for_ever_for_a_hook_that_hangs() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .close_timeout(Duration::from_millis(50))
        .update_token(move |_: TokenUpdate| {
            let (held, call) = (held.clone(), counter.fetch_add(1, Ordering::SeqCst));
            async move {
                if call == 0 {
                    return Err("down".into());
                }
                run_blocking(move || held.wait()).await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    client.refresh_token().await.unwrap_err();
    for _ in 0..2 {
        let error = client.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(error.to_string().contains("update_token"), "{error}");
        assert!(error.is_transient() && !error.outcome_unknown(), "{error}");
    }
    gate.open();
    // Its limit is short for the calls above, so this one may need several.
    for _ in 0..200 {
        if client.close().await.is_ok() {
            break;
        }
    }
    client.close().await?;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "it was one call all the time"
    );
    Ok(())
}

/// A client with an update that its hook has refused, and the hook's count of calls. It refuses
/// `failures` times.
#[maybe_async]
pub async fn with_pending(failures: usize) -> Result<(OAuth2Client, Arc<AtomicUsize>), Error> {
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .update_token(move |_: TokenUpdate| {
            match counter.fetch_add(1, Ordering::SeqCst) < failures {
                true => Err("disk full".into()),
                false => Ok(()),
            }
        })
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    Ok((client, calls))
}

#[maybe_async]
#[test]
async fn close_tells_what_the_hook_has_not_taken() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    client.close().await?;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    client.close().await?;
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let (client, calls) = with_pending(2).await?;
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    client.close().await?;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        3,
        "what was left was kept for the second close"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_last_clone_tells_it_when_dropped() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    let clone = client.clone();
    drop(client);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(clone);
    until(|| calls.load(Ordering::SeqCst) >= 2).await;
    Ok(())
}

/// Whether the client refuses callers.
fn is_closed(client: &OAuth2Client) -> bool {
    format!("{client:?}").contains("Closed")
}

/// What was issued or revoked while `close` waits for it is not lost.
#[maybe_async]
#[test]
async fn close_waits_for_a_login_and_a_logout_that_are_under_way() -> TestResult {
    for path in ["/token", "/revoke"] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_: &Request| {
            held.wait();
            Reply::json(200, tokens(1, 600))
        });
        let shelf = Shelf::with(Token::new("t0").with_refresh_token("r0"));
        let client = builder(&server)
            .revocation_endpoint(server.url("/revoke"))
            .token_store(shelf.clone())
            .build()?;
        let under_way = {
            let client = client.clone();
            spawn(move || async move {
                match path {
                    "/token" => client.fetch_token(ClientCredentials::new()).await.map(drop),
                    _ => client.revoke_token().await,
                }
            })
        };
        run_blocking(server.arrivals(path, 1)).await;
        let closing = {
            let client = client.clone();
            spawn(move || async move { client.close().await })
        };
        until(|| is_closed(&client)).await;
        gate.open();
        under_way.join().await?;
        closing.join().await?;
        let expected = if path == "/token" { "2:t1" } else { "2:-" };
        assert_eq!(shelf.held(), expected);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_drop_of_the_last_clone_does_not_wait_for_ever_for_a_hook_that_hangs() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .close_timeout(Duration::from_millis(50))
        .update_token(move |_: TokenUpdate| {
            let (held, call) = (held.clone(), counter.fetch_add(1, Ordering::SeqCst));
            async move {
                if call == 0 {
                    return Err("down".into());
                }
                run_blocking(move || held.wait()).await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    client.refresh_token().await.unwrap_err();
    let is_dropped = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let done = is_dropped.clone();
    let dropping = spawn(move || async move {
        drop(client);
        done.store(true, Ordering::SeqCst);
    });
    until(|| is_dropped.load(Ordering::SeqCst)).await;
    dropping.join().await;
    until(|| calls.load(Ordering::SeqCst) == 2).await;
    gate.open();
    Ok(())
}

/// The hook finds its row by a request to the API, and did not when it was called first.
#[maybe_async]
#[test]
async fn the_client_is_usable_in_a_hook_that_close_waits_for() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let within: Arc<OnceLock<(OAuth2Client, OAuth2Client)>> = Arc::default();
    let (clients, url) = (within.clone(), server.url("/api"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let built = with_first_token(&server, &clock, 10)
        .update_token(move |update: TokenUpdate| {
            let (clients, url) = (clients.clone(), url.clone());
            let call = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                if call == 0 {
                    return Err("the database is down".into());
                }
                let (client, child) = clients.get().ok_or("no client")?;
                assert_eq!(client.token().as_ref(), Some(&update.token));
                let active = client.ensure_active_token().await?;
                assert_eq!(active, update.token);
                for (client, sent) in [(client, "Bearer t1"), (child, "Bearer child")] {
                    // One that is begun at once, and one that is not.
                    for limit in [None, Some(seconds(60))] {
                        let request = client.get(&url);
                        let request = match limit {
                            Some(limit) => request.timeout(limit),
                            None => request,
                        };
                        let text = request.send().await?.text().await?;
                        assert_eq!(text, sent);
                    }
                }
                assert_reentrant(client).await;
                let error = child.close().await.expect_err("it would wait, too");
                assert_eq!(error.kind(), ErrorKind::Reentrant);
                // To all others the client is closed.
                let other = client.clone();
                let other = spawn(move || async move { other.ensure_active_token().await });
                let error = other.join().await.expect_err("closed");
                assert_eq!(error.kind(), ErrorKind::Closed);
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    let child = built.for_token(Token::new("child"));
    let both = within.set((built.clone(), child.clone()));
    assert!(both.is_ok());
    clock.advance(Duration::from_secs(11));
    let error = built.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    built.close().await?;
    assert_eq!(
        (calls.load(Ordering::SeqCst), server.count("/token")),
        (2, 1)
    );
    let error = built.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}
