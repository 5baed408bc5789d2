//! `update_token`: when it is called, what it may do, and what happens when it fails.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use oauth_twin::{BoxError, Error, ErrorKind, TokenUpdate};

use super::{test, *};

/// `told` in short: the refresh token that was spent, and the new access token.
pub(super) fn story(told: &Updates) -> String {
    let told = told.lock().unwrap();
    let words: Vec<_> = told
        .iter()
        .map(|update| {
            let spent = update.previous_refresh_token.as_ref();
            let spent = spent.map_or("-", |spent| spent.expose_secret());
            format!("{spent}>{}", access_token(&update.token))
        })
        .collect();
    words.join(" ")
}

/// A client whose hook records its updates, and fails `failures` times.
fn client_that_fails(
    server: &Server,
    clock: &ManualClock,
    failures: usize,
) -> Result<(OAuth2Client, Updates), Error> {
    let told = Updates::default();
    let (note, left) = (recording(&told), AtomicUsize::new(failures));
    let client = builder(server)
        .token(first_token(clock, 10))
        .clock(clock.clock())
        .update_token(move |update: TokenUpdate| {
            note(update)?;
            let failing =
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            match failing {
                Ok(_) => Err("disk full".into()),
                Err(_) => Ok(()),
            }
        })
        .build()?;
    Ok((client, told))
}

/// Asserts that what would wait for the hook is refused in it.
#[maybe_async]
pub(super) async fn assert_reentrant(client: &OAuth2Client) {
    let fetched = client.fetch_token(ClientCredentials::new()).await;
    let refused = [
        client.refresh_token().await.map(|_| ()),
        fetched.map(|_| ()),
        client.set_token(Token::new("x")),
        client.close().await,
    ];
    for refused in refused {
        let error = refused.expect_err("it would wait for the hook");
        assert_eq!(error.kind(), ErrorKind::Reentrant);
        assert!(error.to_string().contains("from a callback"), "{error}");
    }
}

#[maybe_async]
#[test]
async fn update_token_gets_the_tokens_that_the_client_obtained_by_itself_only() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let (client, told) = client_that_fails(&server, &clock, 0)?;
    client.set_token(first_token(&clock, 0))?;
    client.fetch_token(ClientCredentials::new()).await?;
    client.exchange(ClientCredentials::new()).await?;
    assert_eq!(story(&told), "");
    client.refresh_token().await?;
    clock.advance(Duration::from_secs(11));
    client.ensure_active_token().await?;
    client.ensure_active_token().await?;
    assert_eq!(story(&told), "r1>t3 r3>t4");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_token_is_published_before_the_hook_and_usable_in_it() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let within: Arc<OnceLock<OAuth2Client>> = Arc::default();
    let (client, url) = (within.clone(), server.url("/api"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let built = with_first_token(&server, &clock, 10)
        .update_token(move |update: TokenUpdate| {
            let (client, url) = (client.clone(), url.clone());
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                let client = client.get().ok_or("no client")?;
                assert_eq!(client.token().as_ref(), Some(&update.token));
                let active = client.ensure_active_token().await?;
                assert_eq!(active, update.token);
                let text = client.get(url).send().await?.text().await?;
                let access_token = update.token.access_token().expose_secret();
                assert_eq!(text, format!("Bearer {access_token}"));
                let child = client.for_token(Token::new("child"));
                drop(child);
                assert_reentrant(client).await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    within.set(built.clone()).expect("once");
    clock.advance(Duration::from_secs(11));
    let token = built.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert_eq!(
        (calls.load(Ordering::SeqCst), server.count("/token")),
        (1, 1)
    );
    // Outside of the hook all of it works.
    built.refresh_token().await?;
    built.set_token(Token::new("x"))?;
    built.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_expired_as_it_comes_does_not_deadlock_the_hook() -> TestResult {
    let server = provider(0);
    let within: Arc<OnceLock<OAuth2Client>> = Arc::default();
    let client = within.clone();
    let built = with_credentials(&server)
        .update_token(move |update: TokenUpdate| {
            let client = client.clone();
            async move {
                let client = client.get().ok_or("no client")?;
                let active = client.ensure_active_token().await?;
                assert_eq!(active, update.token);
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    within.set(built.clone()).expect("once");
    built.ensure_active_token().await?;
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_failing_hook_leaves_the_token_usable_and_is_told_with_the_next_renewal() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let (client, told) = client_that_fails(&server, &clock, 1)?;
    clock.advance(Duration::from_secs(11));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert!(error.to_string().contains("usable"), "{error}");
    assert_eq!(cause(&error), "disk full");
    assert!(!error.outcome_unknown() && !error.needs_login() && !error.is_transient());

    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(
        (&*text, &*story(&told)),
        ("Bearer t1", "r0>t1"),
        "not again on each request"
    );
    clock.advance(Duration::from_secs(11));
    client.ensure_active_token().await?;
    assert_eq!(
        story(&told),
        "r0>t1 r0>t1 r1>t2",
        "it may have stored the first one before it failed"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn an_update_that_fails_is_told_again_as_it_was_before_the_next_ones() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let (client, told) = client_that_fails(&server, &clock, 3)?;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(11));
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
    }
    client.close().await?;
    // The last two of them are one, as the hook was called with neither.
    assert_eq!(story(&told), "r0>t1 r0>t1 r0>t1 r0>t1 r1>t3");
    assert_eq!(server.count("/token"), 3);
    Ok(())
}

/// The hook of the documentation: the row is found by the token before.
#[maybe_async]
#[test]
async fn a_hook_that_fails_after_it_has_stored_loses_no_token() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let row = Arc::new(std::sync::Mutex::new("r0".to_owned()));
    let (stored, failed) = (row.clone(), AtomicUsize::new(0));
    let client = builder(&server)
        .token(first_token(&clock, 10))
        .clock(clock.clock())
        .update_token(move |update: TokenUpdate| {
            let mut row = stored.lock().map_err(|_| "a panic")?;
            let [old, new] = [
                update.previous_refresh_token.as_ref(),
                update.token.refresh_token(),
            ]
            .map(|token| token.map_or("", |token| token.expose_secret()));
            if *row == old {
                *row = new.to_owned();
            }
            match failed.fetch_add(1, Ordering::SeqCst) {
                0 => Err("the answer of the database is lost".into()),
                _ => Ok(()),
            }
        })
        .build()?;
    for _ in 0..2 {
        clock.advance(Duration::from_secs(11));
        let _ = client.ensure_active_token().await;
    }
    client.close().await?;
    assert_eq!(*row.lock().unwrap(), "r2");
    Ok(())
}

#[maybe_async]
#[test]
async fn only_the_caller_that_renewed_gets_the_hook_s_error() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let (client, told) = client_that_fails(&server, &clock, 1)?;
    clock.advance(Duration::from_secs(11));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            spawn(move || async move { client.ensure_active_token().await })
        })
        .collect();
    run_blocking(server.arrivals("/token", 1)).await;
    gate.open();
    let mut failed = 0;
    for caller in callers {
        match caller.join().await {
            Ok(token) => assert_eq!(token.access_token().expose_secret(), "t1"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Update);
                failed += 1;
            }
        }
    }
    assert_eq!((failed, &*story(&told)), (1, "r0>t1"));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_that_fails_early_is_told_to_the_caller_too() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let (client, _told) = client_that_fails(&server, &clock, 1)?;
    clock.advance(Duration::from_secs(8));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_that_fails_keeps_no_request_from_being_sent() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let (client, told) = client_that_fails(&server, &clock, 1)?;
    clock.advance(Duration::from_secs(11));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, &*story(&told)), ("Bearer t1", "r0>t1"));
    client.close().await?;
    assert_eq!(story(&told), "r0>t1 r0>t1", "it is kept");
    Ok(())
}

#[maybe_async]
#[test]
async fn waiters_do_not_wait_for_the_hook() -> TestResult {
    let gate = Gate::new();
    let server = provider(600);
    let clock = ManualClock::new();
    let client = with_held_hook(with_first_token(&server, &clock, 10), &gate).build()?;
    clock.advance(Duration::from_secs(11));
    let renewal = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    // The renewal has ended; the next one is held up by no hook.
    let refresh = spawn_refresh_token(&client);
    until(|| access_token(&client.token().unwrap()) == "t2").await;
    gate.open();
    renewal.join().await?;
    refresh.join().await?;
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// The panic reaches the caller; the update is delivered again, and no caller waits.
#[maybe_async]
#[test]
async fn a_hook_that_panics_is_called_again() -> TestResult {
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .close_timeout(seconds(20))
        .update_token(move |_: TokenUpdate| {
            let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            assert!(!first, "on purpose");
            Ok(())
        })
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(cause(&error), "it panicked");
    assert_eq!(access_token(&client.token().unwrap()), "t1");
    client.close().await?;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    Ok(())
}
