//! Stores that fail, hang, panic, forget, or answer too late.

use super::{test, *};

#[maybe_async]
#[test]
async fn a_lease_that_is_never_given_back_is_an_error_that_passes() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock)
        .timeout(seconds(1))
        .build()?;
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    clock.advance(seconds(590));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0", "it is still good");
    clock.advance(seconds(60));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (ErrorKind::Store, true)
    );
    assert!(!error.needs_login() && !error.outcome_unknown());
    assert!(
        error.to_string().contains("holds the lease of token_store"),
        "{error}"
    );
    assert_eq!(server.count("/token"), 0);
    drop(held);
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert!(!shelf.is_leased());
    Ok(())
}

#[maybe_async]
#[test]
async fn without_the_store_nothing_is_renewed() -> TestResult {
    let clock = ManualClock::new();
    for (fault, message) in [
        (
            Fault::Load,
            "token_store could not be read: the disk is gone",
        ),
        (
            Fault::Lease,
            "token_store could not be leased: the lock is broken",
        ),
    ] {
        let shelf = Shelf::with(first_token(&clock, 10));
        let server = strict(&shelf, 600);
        let client = process(&server, &shelf, &clock).build()?;
        client.ensure_active_token().await?;
        let late = clock.clone();
        late.advance(seconds(11));
        shelf.fail([fault]);
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient(), server.count("/token")),
            (ErrorKind::Store, false, 0),
            "{fault:?}"
        );
        let source = cause(&error);
        assert_eq!(format!("{error}: {source}"), message);
        assert!(!shelf.is_leased());
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_fails_at_first_is_read_again() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Load]);
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t0");
    Ok(())
}

/// The old token stays in use while the store is down.
#[maybe_async]
#[test]
async fn a_store_that_is_down_costs_no_token_that_is_good() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    clock.advance(seconds(590));
    shelf.fail([Fault::Load]);
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t0", 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_could_not_be_stored_is_in_use_and_stored_later() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let told = shelf.clone();
    let client = process(&server, &shelf, &clock)
        .update_token(move |update: TokenUpdate| {
            told.note(format!("told({})", access_token(&update.token)));
            Ok(())
        })
        .build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Save, Fault::Save]);
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let source = cause(&error);
    assert_eq!(
        format!("{error}: {source}"),
        "the client's token is usable, but token_store failed to save it: the disk is full"
    );
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, &*shelf.held()), ("Bearer t1", "1:t0"));
    let story = shelf.story();
    assert!(
        story.ends_with("request(r0) save(2:t1) told(t1)"),
        "the hook may be all that keeps it: {story}"
    );
    assert!(shelf.is_leased(), "until it is stored");
    // By `close`, which fails once more …
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    // … and is called again.
    client.close().await?;
    assert_eq!(shelf.story(), "save(2:t1) release save(2:t1)");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_could_not_be_stored_is_stored_before_the_next_renewal() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 10);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    clock.advance(seconds(11));
    shelf.story();
    client.ensure_active_token().await?;
    assert_eq!(
        shelf.story(),
        "load load request(r1) save(2:t2) release",
        "under the lease of the first, in its place"
    );
    // Even if that fails, too, it is the newest refresh token that is spent.
    clock.advance(seconds(11));
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    clock.advance(seconds(11));
    shelf.story();
    client.ensure_active_token().await?;
    assert_eq!(shelf.story(), "load load request(r3) save(3:t4) release");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_save_whose_confirmation_was_lost_is_not_repeated() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let client = process(&server, &shelf, &clock).build()?;
    clock.advance(seconds(11));
    shelf.fail([Fault::Saved]);
    client.ensure_active_token().await.unwrap_err();
    client.close().await?;
    assert_eq!(shelf.held(), "2:t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_refuses_for_ever_is_not_asked_for_ever() -> TestResult {
    #[derive(Clone)]
    struct Stubborn;
    #[maybe_async(AFIT)]
    impl TokenStore for Stubborn {
        async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
            Ok(None)
        }
        async fn save(&self, _: &StoredToken) -> Result<bool, BoxError> {
            Ok(false)
        }
        async fn lease(&self, _: Duration) -> Result<Option<Lease>, BoxError> {
            Ok(Some(Lease::new(())))
        }
    }
    let server = provider(600);
    let client = with_credentials(&server).token_store(Stubborn).build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_lost_its_token_is_no_reason_to_lose_ours() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 10);
    let client = process(&server, &shelf, &clock).build()?;
    client.ensure_active_token().await?;
    shelf.0.lock().unwrap().stored = None;
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    assert_eq!(shelf.held(), "1:t1");
    // It began anew and came to the same version.
    shelf.0.lock().unwrap().stored = None;
    shelf.put(Some(first_token(&clock, 600).with_refresh_token("again")));
    clock.advance(seconds(11));
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_hangs_is_waited_for_no_longer_than_the_timeout() -> TestResult {
    let clock = ManualClock::new();
    for fault in [Fault::HangingLoad, Fault::HangingLease, Fault::HangingSave] {
        let shelf = Shelf::with(first_token(&clock, 0));
        let server = strict(&shelf, 600);
        let client = process(&server, &shelf, &clock)
            .timeout(seconds(1))
            .build()?;
        shelf.fail([fault]);
        let error = client.ensure_active_token().await.unwrap_err();
        let (kind, shown) = match fault {
            Fault::HangingSave => {
                let source = std::error::Error::source(&error).expect("a source");
                (ErrorKind::Update, source.to_string())
            }
            _ => (ErrorKind::Store, error.to_string()),
        };
        assert_eq!((error.kind(), &*shown), (kind, "token_store timed out"));
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}

/// The last clone goes without `close`.
#[maybe_async]
#[test]
async fn a_client_that_is_dropped_stores_what_is_not_stored_yet() -> TestResult {
    let (clock, shelf, server) = with_stored_token(0, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    drop(client);
    until(|| shelf.held() == "2:t1").await;
    Ok(())
}

/// A store whose own code uses the client that it belongs to.
#[derive(Clone, Default)]
struct Curious {
    client: Arc<std::sync::OnceLock<OAuth2Client>>,
    seen: Arc<Mutex<Vec<ErrorKind>>>,
}

#[maybe_async(AFIT)]
impl TokenStore for Curious {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let client = self.client.get().ok_or("no client")?;
        assert_eq!(client.token(), None);
        for refused in [
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client.set_token(Token::new("x")),
            client.close().await,
            client.revoke_token().await,
        ] {
            let kind = refused.expect_err("it would wait for itself").kind();
            self.seen.lock().unwrap().push(kind);
        }
        let error = client.introspect_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Token, "there is none as yet");
        Ok(None)
    }

    async fn save(&self, _: &StoredToken) -> Result<bool, BoxError> {
        let client = self.client.get().ok_or("no client")?;
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
        Ok(true)
    }

    async fn lease(&self, _: Duration) -> Result<Option<Lease>, BoxError> {
        Ok(Some(Lease::new(())))
    }
}

#[maybe_async]
#[test]
async fn a_store_that_calls_its_client_does_not_wait_for_itself() -> TestResult {
    let server = provider(600);
    let store = Curious::default();
    let client = with_credentials(&server)
        .token_store(store.clone())
        .build()?;
    store.client.set(client.clone()).expect("once");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t1");
    let seen = store.seen.lock().unwrap().clone();
    assert!(!seen.is_empty() && seen.iter().all(|kind| *kind == ErrorKind::Reentrant));
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_panics_blocks_no_caller() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::PanickingLoad]);
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(cause(&error), "it panicked");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "t0");
    Ok(())
}

/// The database completes the save although no caller waits for it any more.
#[maybe_async]
#[test]
async fn a_token_that_is_stored_late_takes_no_newer_ones_place() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let landing = shelf.clone();
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |_: &Request| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        if n == 2 {
            landing.land();
        }
        Reply::json(200, tokens(n, 600))
    });
    let client = process(&server, &shelf, &clock)
        .timeout(seconds(1))
        .build()?;
    shelf.fail([Fault::LateSave, Fault::Save]);
    for n in 1..=2 {
        let error = client.refresh_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
        assert_eq!(access_token(&client.token().unwrap()), format!("t{n}"));
    }
    client.refresh_token().await?;
    assert_eq!(shelf.held(), "3:t3");
    let spent = server.forms("/token");
    for (n, form) in spent.iter().enumerate() {
        assert!(form.ends_with(&format!("refresh_token=r{n}")), "{spent:?}");
    }
    Ok(())
}

/// The token itself arrives late, and that is all that was to be done.
#[maybe_async]
#[test]
async fn a_token_that_was_stored_late_is_stored() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock)
        .timeout(seconds(1))
        .build()?;
    shelf.fail([Fault::LateSave]);
    client.refresh_token().await.unwrap_err();
    shelf.land();
    client.close().await?;
    assert_eq!(shelf.held(), "2:t1");
    Ok(())
}

/// A login is in use, though the store has never been read.
#[maybe_async]
#[test]
async fn a_store_that_was_never_read_costs_no_token_that_is_good() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Load; 20]);
    client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    clock.advance(seconds(550));
    for _ in 0..3 {
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}
