//! Number of requests to a server that is down, or whose tokens are short-lived.

use std::{
    sync::{Mutex, atomic::AtomicBool},
    time::SystemTime,
};

use super::{test, *};

/// A server that is down and says `retry_after`, until the switch is turned. Its API takes `t1`.
fn down(retry_after: &'static str) -> (Server, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let switch = well.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" if switch.load(Ordering::SeqCst) => Reply::json(200, tokens(1, 600)),
        "/token" => Reply::text(503, "down").with("retry-after", retry_after),
        _ if request.header("authorization") == Some("Bearer t1") => Reply::text(200, ""),
        _ => Reply::text(401, ""),
    });
    (server, well)
}

/// One 503 with a `Retry-After` of a year, on the first of many 401s; the server is well again.
#[maybe_async]
#[test]
async fn a_server_s_wish_to_be_left_alone_counts_up_to_five_minutes() -> TestResult {
    let (server, well) = down("31536000");
    let clock = ManualClock::new();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .clock(clock.clock())
        .build()?;
    // A quarter more, so that those who failed together do not come back together.
    for (passed, status, requests) in [(0, 401, 1), (299, 401, 1), (77, 200, 2), (1, 200, 2)] {
        clock.advance(seconds(passed));
        let answer = client.get(server.url("/api")).send().await?;
        let came = (answer.status().as_u16(), server.count("/token"));
        assert_eq!(came, (status, requests), "{passed}");
        well.store(true, Ordering::SeqCst);
    }
    Ok(())
}

/// No token that can be used, a token endpoint that answers 503 with `Retry-After: 60`, and twenty
/// callers for three seconds.
#[maybe_async]
#[test]
async fn a_server_that_is_down_is_asked_once_however_many_call() -> TestResult {
    for has_token in [true, false] {
        let (server, well) = down("60");
        let clock = ManualClock::new();
        let client = match has_token {
            true => with_first_token(&server, &clock, 0),
            false => with_credentials(&server).clock(clock.clock()),
        };
        let client = client.build()?;
        for _ in 0..30 {
            for outcome in tokens_at_once(vec![client.clone(); 20]).await {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Server);
                let wait = error.retry_after().expect("when to try again");
                assert!(wait >= seconds(57) && wait <= seconds(75), "{wait:?}");
            }
            clock.advance(Duration::from_millis(100));
        }
        // Whoever asks by hand heeds the server's wish, too.
        client.refresh_token().await.unwrap_err();
        assert_eq!(server.count("/token"), 1);
        well.store(true, Ordering::SeqCst);
        clock.advance(seconds(73));
        client.ensure_active_token().await?;
        assert_eq!(server.count("/token"), 2);
    }
    Ok(())
}

/// Tokens of one and of three seconds by the system's clock, which begin late in a second, and one
/// caller who never rests.
#[maybe_async]
#[test]
async fn short_tokens_are_not_renewed_in_the_first_half_of_their_life() -> TestResult {
    for (lifetime, runs) in [(1, 3), (3, 4)] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let times = asked.clone();
        let issued = AtomicUsize::new(0);
        let server = Server::start(move |_: &Request| {
            times.lock().unwrap().push(Instant::now());
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, lifetime))
        });
        let client = with_credentials(&server).build()?;
        let late = |time: SystemTime| {
            let time = time.duration_since(UNIX_EPOCH).expect("after 1970");
            (600..900).contains(&time.subsec_millis())
        };
        until(|| late(SystemTime::now())).await;
        let begun = Instant::now();
        while begun.elapsed() < seconds(runs) {
            client.ensure_active_token().await?;
            sleep(Duration::from_millis(2)).await;
        }
        let asked = asked.lock().unwrap();
        assert!(asked.len() >= 2, "it was renewed");
        for pair in asked.windows(2) {
            // The life of a token begins when its answer comes, so this holds on any machine.
            let apart = pair[1] - pair[0];
            let half = Duration::from_millis(lifetime * 500 - 20);
            assert!(apart >= half, "{apart:?} of {lifetime} s");
        }
    }
    Ok(())
}
