//! Limits of waits for a renewal.

use super::{test, *};

const OWN_LIMIT: Duration = Duration::from_millis(300);
/// Far less than the client's own timeout.
const SOON: Duration = Duration::from_secs(15);

/// The leader of a renewal never comes back; others wait, and one comes when it should have ended
/// long ago.
#[maybe_async]
#[test]
async fn a_renewal_that_exceeds_its_limit_blocks_no_caller() -> TestResult {
    let gate = Gate::new();
    let server = first_held(&gate);
    let (clock, updates) = (ManualClock::new(), Updates::default());
    let client = with_first_token(&server, &clock, 0)
        .timeout(seconds(30))
        .update_token(recording(&updates))
        .build()?;
    let leader = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let begun = Instant::now();
    let request = client.get(server.url("/api")).timeout(OWN_LIMIT);
    let error = request.send().await.unwrap_err();
    assert_timed_out(&error);
    assert_within(SOON, begun);

    clock.advance(seconds(61));
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t2", 2));
    assert_within(SOON, begun);
    // What comes late is not used, and is not lost.
    gate.open();
    let token = leader.join().await?;
    assert_eq!((access_token(&token), &*in_use(&client)), ("t2", "t2"));
    client.close().await?;
    let updates = updates.lock().unwrap();
    let told = |n: usize| (access_token(&updates[n].token), updates[n].superseded);
    assert_eq!(updates.len(), 2);
    assert_eq!((told(0), told(1)), (("t2", false), ("t1", true)));
    Ok(())
}

/// `client.for_token(client.token())`: both expire, and the server revokes all of the login if a
/// refresh token comes twice.
#[maybe_async]
#[test]
async fn a_child_with_the_client_s_own_token_never_spends_it_again() -> TestResult {
    let (server, clock) = (strict(&Shelf::default(), 10), ManualClock::new());
    let client = with_first_token(&server, &clock, 10).build()?;
    let own = client.token().expect("a token");
    let child = client.for_token(own.clone());
    for n in 1..=3 {
        clock.advance(seconds(11));
        let both = [vec![client.clone(); 5], vec![child.clone(); 5]].concat();
        for token in tokens_at_once(both).await {
            assert_eq!(access_token(&token?), format!("t{n}"));
        }
    }
    // One after the other, each beginning once.
    for (n, [first, second]) in [(4, [&child, &client]), (5, [&client, &child])] {
        clock.advance(seconds(11));
        first.ensure_active_token().await?;
        let token = second.ensure_active_token().await?;
        assert_eq!(access_token(&token), format!("t{n}"));
    }
    assert_eq!(server.count("/token"), 5);
    Ok(())
}

/// A request with a timeout of 300 ms and an expired token, and a token endpoint that does not
/// answer.
#[maybe_async]
#[test]
async fn a_request_s_own_timeout_bounds_the_wait_for_a_renewal() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 0).build()?;
    let begun = Instant::now();
    // The first leads, the second waits.
    for _ in 0..2 {
        let request = client.get(server.url("/api")).timeout(OWN_LIMIT);
        let error = request.send().await.unwrap_err();
        assert_timed_out(&error);
    }
    assert_within(SOON, begun);
    run_blocking(server.arrivals("/token", 1)).await;
    assert_eq!((server.count("/token"), server.count("/api")), (1, 0));
    gate.open();
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t1", 1));
    Ok(())
}

/// The same for a token that a server refuses.
#[maybe_async]
#[test]
async fn a_request_s_own_timeout_bounds_the_renewal_after_a_401() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            held.wait();
            Reply::json(200, tokens(1, 600))
        }
        _ => Reply::text(401, ""),
    });
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 600).build()?;
    let begun = Instant::now();
    // Long enough for the request that is refused.
    let request = client.get(server.url("/api")).timeout(seconds(2));
    let status = request.send().await?.status();
    assert_eq!(status, 401);
    assert_within(SOON, begun);
    run_blocking(server.arrivals("/token", 1)).await;
    assert_eq!((server.count("/token"), server.count("/api")), (1, 1));
    gate.open();
    Ok(())
}

fn assert_timed_out(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.is_transient() && !error.needs_login());
    assert!(
        error.to_string().contains("the renewal of the token"),
        "{error}"
    );
}
