//! Processes that share a token: one renews it, the others load it.

use super::{test, *};

#[maybe_async]
#[test]
async fn the_store_is_read_leased_written_and_released_in_this_order() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let told = shelf.clone();
    let client = process(&server, &shelf, &clock)
        .grant(ClientCredentials::new())
        .update_token(move |update: TokenUpdate| {
            told.note(format!("told({})", access_token(&update.token)));
            Ok(())
        })
        .build()?;
    assert_eq!((client.token(), &*shelf.story()), (None, ""));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(
        shelf.story(),
        "load load lease load request(-) save(1:t1) release told(t1)"
    );
    client.get(server.url("/api")).send().await?;
    client.close().await?;
    assert_eq!(shelf.story(), "");
    assert_eq!(shelf.held(), "1:t1");
    // Two token requests and three calls of the store may be made under it.
    assert_eq!(shelf.0.lock().unwrap().lease_time, seconds(90));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_next_run_goes_on_with_the_token_and_sends_nothing() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token, first_token(&clock, 600));
    client.ensure_active_token().await?;
    client.close().await?;
    assert_eq!(shelf.story(), "load");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_crowd_reads_the_store_once() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    let tokens = tokens_at_once(vec![client; CROWD]).await;
    for token in tokens {
        assert_eq!(access_token(&token?), "t0");
    }
    assert_eq!(shelf.story(), "load");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_expired_token_is_renewed_with_its_own_refresh_token() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    clock.advance(seconds(11));
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "load load lease load request(r0) save(2:t1) release"
    );
    clock.advance(seconds(601));
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "load lease load request(r1) save(3:t2) release"
    );
    Ok(())
}

/// The token is still good for a while, and the first request of a run is no different from others.
#[maybe_async]
#[test]
async fn a_stored_token_that_ends_soon_is_renewed_early() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    clock.advance(seconds(560));
    let client = process(&server, &shelf, &clock).build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t1", "2:t1"));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_other_processes_load_a_token_that_one_has_renewed() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 100);
    let one = process(&server, &shelf, &clock).build()?;
    let other = process(&server, &shelf, &clock).build()?;
    for client in [&one, &other] {
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t0");
    }
    clock.advance(seconds(11));
    let token = one.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    shelf.story();
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shelf.story(), "load");
    // And the other way round, with the refresh token that the other has never been told.
    clock.advance(seconds(101));
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    let token = one.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t2");
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn one_of_many_processes_renews_an_expired_token() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    clock.advance(seconds(11));
    let processes: Result<Vec<_>, Error> = (0..16)
        .map(|_| process(&server, &shelf, &clock).build())
        .collect();
    let processes = processes?;
    let tokens = tokens_at_once(processes).await;
    for token in tokens {
        assert_eq!(access_token(&token?), "t1");
    }
    assert_eq!((server.count("/token"), &*shelf.held()), (1, "2:t1"));
    Ok(())
}

/// `refresh_token` renews whatever the time; those that are called at the same time in other
/// processes join it, and none ever sends a refresh token that is spent.
#[maybe_async]
#[test]
async fn forced_renewals_of_many_processes_never_spend_a_refresh_token_twice() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let processes: Result<Vec<_>, Error> = (0..8)
        .map(|_| process(&server, &shelf, &clock).build())
        .collect();
    let processes = processes?;
    let results = at_once(8, |n| {
        let client = processes[n].clone();
        async move {
            for _ in 0..5 {
                client.refresh_token().await?;
            }
            Ok::<(), Error>(())
        }
    })
    .await;
    for result in results {
        result?;
    }
    let requests = server.count("/token");
    assert!((5..=40).contains(&requests), "{requests}");
    assert_eq!(
        shelf.held(),
        format!("{}:t{requests}", requests + 1),
        "each was stored"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn refresh_token_renews_what_is_stored_even_if_that_is_fresh() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let one = process(&server, &shelf, &clock).build()?;
    let other = process(&server, &shelf, &clock).build()?;
    let token = one.refresh_token().await?;
    assert_eq!(access_token(&token), "t1");
    let token = other.refresh_token().await?;
    assert_eq!(access_token(&token), "t2");
    let token = one.refresh_token().await?;
    assert_eq!(access_token(&token), "t3");
    let spent = server.forms("/token");
    assert!(spent[2].ends_with("refresh_token=r2"), "{spent:?}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_the_holder_of_the_lease_stores_is_taken_at_once() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    clock.advance(seconds(11));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let client = process(&server, &shelf, &clock).build()?;
    let waiting = spawn_ensure_active_token(&client);
    sleep(Duration::from_millis(50)).await;
    shelf.put(Some(first_token(&clock, 600)));
    let token = waiting.join().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t0", 0));
    assert!(shelf.is_leased());
    drop(held);
    Ok(())
}

/// As among the tasks of one process, the others wait for nothing.
#[maybe_async]
#[test]
async fn while_another_process_renews_early_the_old_token_goes_on() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(550));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    shelf.story();
    for _ in 0..3 {
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t0");
    }
    assert_eq!(shelf.story(), "load load held", "once a second");
    clock.advance(Duration::from_millis(1300));
    client.ensure_active_token().await?;
    assert_eq!(shelf.story(), "load held");
    shelf.put(Some(Token::new("theirs")));
    clock.advance(seconds(3));
    let token = client.ensure_active_token().await?;
    assert_eq!(
        (access_token(&token), server.count("/token")),
        ("theirs", 0)
    );
    drop(held);
    Ok(())
}

#[maybe_async]
#[test]
async fn after_invalid_grant_the_store_is_read_before_a_login_is_needed() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let other = shelf.clone();
    let issued = AtomicUsize::new(0);
    let now = clock.clone();
    // During the first request another process stores a token without the lease.
    let server = Server::start(move |request: &Request| {
        match (
            issued.fetch_add(1, Ordering::SeqCst),
            request.parameter("refresh_token").as_deref(),
        ) {
            (0, Some("r0")) => {
                other.put(Some(first_token(&now, 600).with_refresh_token("r5")));
                Reply::error(400, "invalid_grant")
            }
            (1, Some("r5")) => {
                other.put(Some(first_token(&now, 0).with_refresh_token("r6")));
                Reply::error(400, "invalid_grant")
            }
            (2, Some("r6")) => Reply::json(200, tokens(7, 600)),
            _ => Reply::error(400, "invalid_grant"),
        }
    });
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(token.refresh_token().unwrap().expose_secret(), "r5");
    clock.advance(seconds(601));
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t7", "4:t7"));
    // No process has: the user has to log in again, and nothing was lost.
    clock.advance(seconds(601));
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert_eq!((server.count("/token"), &*shelf.held()), (4, "4:t7"));
    assert!(!shelf.is_leased());
    Ok(())
}

#[maybe_async]
#[test]
async fn after_a_401_another_token_in_the_store_is_as_good_as_a_renewed_one() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let story = shelf.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            story.note("request");
            Reply::json(200, tokens(1, 600))
        }
        _ => match request.header("authorization") {
            Some("Bearer t0") => Reply::text(401, ""),
            token => Reply::text(200, token.unwrap_or_default()),
        },
    });
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    shelf.put(Some(first_token(&clock, 600)));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(
        (&*text, server.count("/token")),
        ("Bearer t1", 1),
        "it was the same"
    );
    shelf.put(Some(first_token(&clock, 600)));
    let other = process(&server, &shelf, &clock).build()?;
    other.ensure_active_token().await?;
    shelf.put(Some(Token::new("t5")));
    let text = other.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t5", 1));
    Ok(())
}

/// A program that only uses what another one keeps up to date.
#[maybe_async]
#[test]
async fn a_reader_takes_what_others_store() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::default();
    let client = OAuth2Client::builder("id")
        .token_store(shelf.clone())
        .clock(clock.clock())
        .build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    shelf.put(Some(first_token(&clock, 10)));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    clock.advance(seconds(11));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.needs_login()),
        (ErrorKind::Token, true)
    );
    shelf.put(Some(Token::new("t1")));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    let story = shelf.story();
    assert!(
        !story.contains("lease") && !story.contains("save"),
        "{story}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn children_have_no_store() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(Token::new("parent"));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    let child = client.for_token(first_token(&clock, 0));
    let token = child.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    child.fetch_token(ClientCredentials::new()).await?;
    child.set_token(Token::new("x"))?;
    child.revoke_token().await?;
    child.close().await?;
    assert_eq!(shelf.held(), "1:parent");
    let story = shelf.story();
    assert!(
        !story.contains("load") && !story.contains("save"),
        "{story}"
    );
    Ok(())
}

/// Runs of a service account's job, one after the other and at the same time.
#[maybe_async]
#[test]
async fn assertion_clients_share_their_token_too() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let job = || {
        AssertionClient::builder(server.url("/token"))
            .assertion(|| Ok("an assertion".into()))
            .token_store(shelf.clone())
            .clock(clock.clock())
            .build()
    };
    let first = job()?;
    let token = first.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(
        shelf.story(),
        "load load lease load request(-) save(1:t1) release"
    );
    first.close().await?;
    let jobs = [job()?, job()?, job()?, job()?];
    for job in &jobs {
        let text = job.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t1");
    }
    assert_eq!(shelf.story(), "load load load load");
    clock.advance(seconds(601));
    let renewed = tokens_at_once(jobs.to_vec()).await;
    for token in renewed {
        // The refresh token that the server sent along is not used.
        assert_eq!(access_token(&token?), "t2");
    }
    assert_eq!((server.count("/token"), &*shelf.held()), (2, "2:t2"));
    assert_eq!(
        server.requests("/token")[1].parameter("refresh_token"),
        None
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn another_process_stores_a_token_while_the_lease_is_acquired() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.0.lock().unwrap().meanwhile = Some(Token::new("theirs"));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "theirs");
    assert_eq!((server.count("/token"), shelf.is_leased()), (0, false));
    Ok(())
}

/// While others renew early, a 401 is a reason to look into the store at once.
#[maybe_async]
#[test]
async fn after_a_401_the_store_is_read_whatever_others_do() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = Server::start(|request: &Request| match request.header("authorization") {
        Some("Bearer t0") => Reply::text(401, ""),
        token => Reply::text(200, token.unwrap_or_default()),
    });
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(560));
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    shelf.put(Some(Token::new("t1")));
    drop(held);
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_forced_renewal_takes_what_the_holder_of_the_lease_stores() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let client = process(&server, &shelf, &clock).build()?;
    let forced = spawn_refresh_token(&client);
    seen(&shelf, "held").await;
    shelf.put(Some(Token::new("theirs").with_refresh_token("r0")));
    drop(held);
    let token = forced.join().await?;
    assert_eq!(
        (access_token(&token), server.count("/token")),
        ("theirs", 0)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn after_a_401_an_expired_token_of_the_store_is_renewed() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = accepting_the_renewed_token();
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    shelf.put(Some(first_token(&clock, 0).with_refresh_token("r5")));
    let response = client.get(server.url("/api")).send().await?;
    assert_eq!(response.status().as_u16(), 200);
    let request = &server.requests("/token")[0];
    assert_eq!(request.parameter("refresh_token").as_deref(), Some("r5"));
    Ok(())
}

/// The token is renewed elsewhere; this client only uses it.
#[maybe_async]
#[test]
async fn a_client_that_never_renews_takes_what_is_stored_as_it_is() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let client = process(&server, &shelf, &clock)
        .refresh_policy(oauth_twin::oauth2::RefreshPolicy::Never)
        .build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.story()), ("t0", "load"));
    Ok(())
}
