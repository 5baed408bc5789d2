//! Concurrent events.

use super::{test, *};

/// The token comes too late, the caller's own has expired, and the hook takes its time: whoever
/// waits begins the next renewal, and does not look again and again.
#[maybe_async]
#[test]
async fn a_superseded_renewal_blocks_no_caller() -> TestResult {
    let clock = ManualClock::new();
    let gate = Gate::new();
    let server = gated(&gate);
    let client = with_first_token(&server, &clock, 10)
        .update_token(|update: TokenUpdate| async move {
            if update.superseded {
                sleep(Duration::from_millis(200)).await;
            }
            Ok::<(), BoxError>(())
        })
        .build()?;
    clock.advance(seconds(11));
    let leading = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let waiter = spawn_ensure_active_token(&client);
    sleep(Duration::from_millis(50)).await;
    client.set_token(first_token(&clock, 0).with_refresh_token("r9"))?;
    gate.open();
    for renewed in [leading.join().await?, waiter.join().await?] {
        assert_eq!(access_token(&renewed), "t2");
    }
    client.close().await?;
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// An early renewal that is left to others is none.
#[maybe_async]
#[test]
async fn a_forced_renewal_does_not_join_one_that_is_left_to_others() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(560));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    shelf.story();
    shelf.hold(Some("load"));
    let early = spawn_ensure_active_token(&client);
    seen(&shelf, "load").await;
    let forced = spawn_refresh_token(&client);
    sleep(Duration::from_millis(50)).await;
    shelf.hold(None);
    let token = early.join().await?;
    assert_eq!(access_token(&token), "t0");
    drop(held);
    let token = forced.join().await?;
    assert_eq!(access_token(&token), "t1");
    Ok(())
}

/// Reading is no renewal.
#[maybe_async]
#[test]
async fn a_forced_renewal_does_not_join_the_first_look_into_the_store() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.hold(Some("load"));
    let reading = spawn_ensure_active_token(&client);
    seen(&shelf, "load").await;
    let forced = spawn_refresh_token(&client);
    sleep(Duration::from_millis(50)).await;
    shelf.hold(None);
    let token = forced.join().await?;
    assert_eq!(access_token(&token), "t1");
    reading.join().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_set_while_the_store_is_read_counts() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.hold(Some("load"));
    let reading = spawn_ensure_active_token(&client);
    seen(&shelf, "load").await;
    let setting = client.clone();
    let setting = spawn(move || async move { setting.set_token(Token::new("given")) });
    until(|| client.token().is_some()).await;
    shelf.hold(None);
    setting.join().await?;
    let token = reading.join().await?;
    assert_eq!(access_token(&token), "given");
    client.close().await?;
    assert_eq!(shelf.held(), "2:given");
    Ok(())
}

#[maybe_async]
#[test]
async fn of_two_concurrent_saves_the_later_token_stays() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.hold(Some("save"));
    let first = client.clone();
    let first = spawn(move || async move { first.fetch_token(ClientCredentials::new()).await });
    seen(&shelf, "save(1:t1)").await;
    let second = client.clone();
    let second = spawn(move || async move { second.fetch_token(ClientCredentials::new()).await });
    until(|| access_token(&client.token().unwrap()) != "t1").await;
    sleep(Duration::from_millis(50)).await;
    shelf.hold(None);
    second.join().await?;
    // Whichever of the two the store took first.
    assert!(
        shelf.held().ends_with(":t2"),
        "by the time that it is returned"
    );
    first.join().await?;
    Ok(())
}

/// A slow hook delays no login.
#[maybe_async]
#[test]
async fn a_login_is_stored_while_a_hook_runs() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let (told, release) = (Flag::default(), Flag::default());
    let (telling, waiting) = (told.clone(), release.clone());
    let client = process(&server, &shelf, &clock)
        .introspection_endpoint(server.url("/introspect"))
        .update_token(move |_: TokenUpdate| {
            let (telling, waiting) = (telling.clone(), waiting.clone());
            async move {
                telling.set();
                until(|| waiting.is_set()).await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    let renewing = spawn_ensure_active_token(&client);
    until(|| told.is_set()).await;
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(shelf.held(), "3:t2");
    // It is answered with an error, which is not the point.
    client.introspect_token().await.unwrap_err();
    release.set();
    renewing.join().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_that_is_closed_waits_for_no_lease() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let client = process(&server, &shelf, &clock).build()?;
    let waiting = spawn_ensure_active_token(&client);
    seen(&shelf, "held").await;
    client.close().await?;
    let error = waiting.join().await.unwrap_err();
    assert_eq!(
        (error.kind(), server.count("/token")),
        (ErrorKind::Closed, 0)
    );
    assert!(shelf.is_leased());
    drop(held);
    Ok(())
}

/// The store goes with the handle that has it; what is left renews without a lease, which nobody gives.
#[maybe_async]
#[test]
async fn a_renewal_whose_store_moves_away_does_not_wait_for_its_lease() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    let child = client.for_token(first_token(&clock, 10));
    clock.advance(seconds(11));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let renewing = spawn_ensure_active_token(&child);
    seen(&shelf, "held").await;
    client.set_token(Token::new("given").with_refresh_token("r9"))?;
    let token = renewing.join().await?;
    assert_eq!(access_token(&token), "t1");
    client.close().await?;
    assert_eq!(shelf.held(), "2:given");
    drop(held);
    Ok(())
}

/// Nobody uses the old token any more, so it is not renewed; and the new one is revoked.
#[maybe_async]
#[test]
async fn who_waits_for_the_lease_of_a_store_that_moves_away_decides_again() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(11));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let renewing = spawn_ensure_active_token(&client);
    seen(&shelf, "held").await;
    client.set_token(Token::new("given"))?;
    let token = renewing.join().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("given", 0));
    until(|| shelf.held() == "2:given").await;
    shelf.story();
    let revoking = client.clone();
    let revoking = spawn(move || async move { revoking.revoke_token().await });
    seen(&shelf, "held").await;
    client.set_token(Token::new("again"))?;
    drop(held);
    revoking.join().await?;
    let requests = server.requests("/revoke");
    let last = requests.last().and_then(|last| last.parameter("token"));
    assert_eq!((last.as_deref(), client.token()), (Some("again"), None));
    client.close().await?;
    assert!(shelf.held().ends_with(":-"), "{}", shelf.held());
    Ok(())
}

/// The same where the store moves away while the lease is requested.
#[maybe_async]
#[test]
async fn who_requests_the_lease_of_a_store_that_moves_away_decides_again() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(11));
    shelf.hold(Some("lease"));
    let renewing = spawn_ensure_active_token(&client);
    seen(&shelf, "leasing").await;
    client.set_token(Token::new("given"))?;
    shelf.hold(None);
    let token = renewing.join().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("given", 0));
    until(|| shelf.held() == "2:given").await;
    client.close().await?;
    assert!(!shelf.is_leased());
    Ok(())
}

/// Nobody asks for it any more.
#[maybe_async]
#[test]
async fn a_stale_row_that_is_read_is_replaced_at_once() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    let child = client.for_token(first_token(&clock, 600));
    child.refresh_token().await?;
    assert_eq!(shelf.held(), "1:t0");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    until(|| shelf.held() == "2:t1").await;
    Ok(())
}

/// The time of the lease says whether the other token is renewed under it, not whether it is looked for.
#[maybe_async]
#[test]
async fn the_store_is_read_again_before_a_login_is_asked_for_however_short_the_lease() -> TestResult
{
    for expires_in in [1000, 0] {
        let clock = ManualClock::new();
        let shelf = Shelf::with(first_token(&clock, 0));
        let (other, time) = (shelf.clone(), clock.clone());
        let server = Server::start(move |request: &Request| {
            if request.parameter("refresh_token").as_deref() != Some("r0") {
                return Reply::json(200, tokens(6, 600));
            }
            // A process without the lease, and a server that takes its time.
            time.advance(seconds(60));
            let token = Token::new("t5").with_refresh_token("r5");
            other.put(Some(
                token.with_expires_at(time.now() + seconds(expires_in)),
            ));
            Reply::error(400, "invalid_grant")
        });
        let client = process(&server, &shelf, &clock).build()?;
        let token = client.ensure_active_token().await?;
        let expected = if expires_in > 0 { "t5" } else { "t6" };
        assert_eq!(access_token(&token), expected);
        assert!(!shelf.is_leased());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_timeout_without_an_end_is_none() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let client = process(&server, &shelf, &clock)
        .timeout(Duration::MAX)
        .build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t1", "2:t1"));
    client.fetch_token(ClientCredentials::new()).await?;
    client.close().await?;
    assert_eq!(shelf.held(), "3:t2");
    Ok(())
}
