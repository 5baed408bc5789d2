//! Hooks that hang, panic and fail every time.

use std::sync::atomic::AtomicBool;

use super::{test, *};

/// `update_token` never returns, and the token that it was told of expires, again and again.
#[maybe_async]
#[test]
async fn a_hook_that_never_returns_prevents_no_renewal() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = with_first_token(&server, &clock, 10)
        // A call waits for twice that and a second.
        .timeout(seconds(2))
        .close_timeout(seconds(1))
        .update_token(move |_: TokenUpdate| {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                never().await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    let begun = Instant::now();
    let mut leaders = Vec::new();
    for n in 1..=3 {
        clock.advance(seconds(11));
        leaders.push(spawn_ensure_active_token(&client));
        until(|| in_use(&client) == format!("t{n}")).await;
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), format!("t{n}"));
    }
    leaders.push(spawn_refresh_token(&client));
    until(|| in_use(&client) == "t4").await;
    clock.advance(seconds(11));
    let request = client.get(server.url("/api")).timeout(seconds(2));
    let text = request.send().await?.text().await?;
    assert_eq!(text, "Bearer t5");
    // Whoever renewed waits for no longer than its limit, and learns that its token is not told;
    // or gets that which counts by then.
    for leader in leaders {
        match leader.join().await {
            Ok(token) => assert_eq!(access_token(&token), "t5"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Update),
        }
    }
    assert_within(seconds(60), begun);
    let calls = calls.load(Ordering::SeqCst);
    assert_eq!((server.count("/token"), calls), (5, 1));
    Ok(())
}

/// `update_token` lasts for longer than the token that it is told of, and the second time ends, or never
/// does. Its caller gets one that can be used.
#[maybe_async]
#[test]
async fn a_token_that_ends_while_it_is_delivered_is_not_returned() -> TestResult {
    for hangs in [false, true] {
        let server = provider(10);
        let clock = ManualClock::new();
        let (late, calls) = (clock.clone(), AtomicUsize::new(0));
        let client = with_first_token(&server, &clock, 0)
            // A call waits for twice that and a second.
            .timeout(seconds(3))
            .close_timeout(seconds(1))
            .update_token(move |_: TokenUpdate| {
                let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
                if is_first {
                    late.advance(seconds(11));
                }
                async move {
                    if is_first && hangs {
                        never().await;
                    }
                    Ok::<(), BoxError>(())
                }
            })
            .build()?;
        match client.ensure_active_token().await {
            Ok(token) => assert_eq!(access_token(&token), "t2"),
            Err(error) => assert!(hangs && error.kind() == ErrorKind::Update, "{error}"),
        }
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!((&*text, server.count("/token")), ("Bearer t2", 2));
    }
    Ok(())
}

/// `update_token` panics each time, over six expiries.
#[maybe_async]
#[test]
async fn a_hook_that_panics_each_time_prevents_no_renewal() -> TestResult {
    let server = provider(10);
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 10)
        .update_token(|_: TokenUpdate| -> Result<(), BoxError> { panic!("on purpose") })
        .build()?;
    for n in 1..=6 {
        clock.advance(seconds(11));
        let leader = spawn_ensure_active_token(&client).outcome().await;
        let error = leader.expect("no panic").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
        assert_eq!(cause(&error), "it panicked");
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), format!("t{n}"));
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, format!("Bearer t{n}"));
        assert_eq!(server.count("/token"), n);
    }
    Ok(())
}

/// `update_token` fails a thousand times, while `set_token` alternates between two users, who log in
/// anew each time or come back with the row that they had.
#[maybe_async]
#[test]
async fn updates_of_superseded_logins_that_nobody_takes_are_bounded() -> TestResult {
    const TURNS: usize = 1000;
    const KEPT: usize = 64;
    for anew in [true, false] {
        let server = provider(600);
        let (takes, told) = (Arc::new(AtomicBool::new(false)), Updates::default());
        let (switch, note) = (takes.clone(), recording(&told));
        let client = builder(&server)
            .update_token(
                move |update: TokenUpdate| match switch.load(Ordering::SeqCst) {
                    true => note(update),
                    false => Err("disk full".into()),
                },
            )
            .build()?;
        for turn in 0..TURNS {
            let user = ["alice", "bob"][turn % 2];
            let row = match anew {
                true => format!("{user}-{turn}"),
                false => user.to_owned(),
            };
            client.set_token(Token::new(user).with_refresh_token(row))?;
            let error = client.refresh_token().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Update);
        }
        takes.store(true, Ordering::SeqCst);
        client.close().await?;
        let told = told.lock().unwrap();
        let mut issued: Vec<usize> = told
            .iter()
            .map(|update| access_token(&update.token)[1..].parse().unwrap())
            .collect();
        issued.sort_unstable();
        assert_eq!(issued.last(), Some(&TURNS), "that in use is never dropped");
        let superseded = told.iter().filter(|update| update.superseded).count();
        assert_eq!(superseded + 1, told.len());
        match anew {
            true => assert_eq!(issued, Vec::from_iter(TURNS - KEPT..=TURNS)),
            // That bound is for the updates of each login.
            false => assert!((KEPT..=2 * KEPT).contains(&superseded), "{superseded}"),
        }
    }
    Ok(())
}
