//! Requests with a token that is to be renewed and still good, where the store brings no other one.

use oauth_twin::UserKey;

use super::{test, *};

/// What the API sees of several requests in a row.
#[maybe_async]
async fn all_see(client: &OAuth2Client, server: &Server, token: &str) -> TestResult {
    for _ in 0..5 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, token);
    }
    Ok(())
}

/// As with a server that is down: the first request tries, then none until a pause has ended.
#[maybe_async]
#[test]
async fn a_store_that_is_down_is_asked_ever_more_rarely_while_the_token_is_good() -> TestResult {
    for faults in [
        [Fault::Load; 5],
        [Fault::Lease; 5],
        [
            Fault::HangingLoad,
            Fault::PanickingLoad,
            Fault::Load,
            Fault::Load,
            Fault::Load,
        ],
    ] {
        let (clock, shelf, server) = with_stored_token(600, 600);
        let client = process(&server, &shelf, &clock)
            .timeout(seconds(2))
            .build()?;
        client.ensure_active_token().await?;
        clock.advance(seconds(550));
        shelf.story();
        // A pause may be a quarter longer than 1, 2 and 4 seconds.
        let steps = [(0, 1), (900, 0), (400, 1), (1_900, 0), (700, 1), (3_900, 0)];
        let mut faults = faults.into_iter();
        for (passed, loads) in steps {
            clock.advance(Duration::from_millis(passed));
            // A renewal that should not begin would find nothing wrong.
            shelf.fail(faults.by_ref().take(loads));
            all_see(&client, &server, "Bearer t0").await?;
            assert_eq!(shelf.story(), ["", "load"][loads], "{passed}");
            assert!(!shelf.has_fault());
        }
        // Who wants another token has the store asked at once, and so has everybody after its end.
        for passed in [0, 50] {
            clock.advance(seconds(passed));
            shelf.fail(faults.by_ref().take(1));
            let error = match passed {
                0 => client.refresh_token().await.unwrap_err(),
                _ => client.ensure_active_token().await.unwrap_err(),
            };
            assert_eq!((error.kind(), &*shelf.story()), (ErrorKind::Store, "load"));
        }
        assert_eq!(server.count("/token"), 0);
        let token = client.ensure_active_token().await?;
        assert_eq!(access_token(&token), "t1");
    }
    Ok(())
}

/// No refresh token: only another process, in which the user logs in again, brings another one.
#[maybe_async]
#[test]
async fn a_token_that_only_others_can_renew_is_looked_for_ever_more_rarely() -> TestResult {
    let clock = ManualClock::new();
    let server = strict(&Shelf::default(), 600);
    for of_user in [false, true] {
        let row = |name: &str| {
            let token = Token::new(name).with_issued_at(clock.now());
            token.with_expires_at(clock.now() + seconds(600))
        };
        let shelf = Shelf::with(row("ours"));
        let client = match of_user {
            false => process(&server, &shelf, &clock).build()?,
            true => {
                let shelf = shelf.clone();
                let client = builder(&server).clock(clock.clock());
                let client = client.user_store(move |_: &UserKey| shelf.clone());
                client.build()?.for_user("alice")
            }
        };
        all_see(&client, &server, "Bearer ours").await?;
        clock.advance(seconds(550));
        shelf.story();
        for (passed, story) in [(0, "load"), (900, ""), (400, "load"), (1_900, "")] {
            clock.advance(Duration::from_millis(passed));
            all_see(&client, &server, "Bearer ours").await?;
            assert_eq!(shelf.story(), story, "{passed}");
        }
        shelf.put(Some(row("theirs")));
        all_see(&client, &server, "Bearer ours").await?;
        clock.advance(Duration::from_millis(700));
        all_see(&client, &server, "Bearer theirs").await?;
        assert_eq!(shelf.story(), "load");
    }
    assert_eq!(server.count("/token"), 0);
    Ok(())
}
