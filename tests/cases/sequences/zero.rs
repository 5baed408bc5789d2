//! `expires_in: 0`, by which providers mean different things.

use oauth_twin::UserKey;

use super::{test, *};

/// One caller every ten milliseconds, for three seconds and for minutes.
#[maybe_async]
#[test]
async fn a_token_that_is_expired_as_it_comes_is_used_once_and_renewed_ever_more_rarely()
-> TestResult {
    for (with_grant, negative) in [(false, false), (true, false), (false, true)] {
        let (server, clock) = (dead_on_arrival(negative), ManualClock::new());
        let client = match with_grant {
            true => with_credentials(&server).clock(clock.clock()),
            false => with_first_token(&server, &clock, 0),
        };
        let client = client.build()?;
        // At 0, 1 and 3 seconds; at 7, 15, 31, 61 and so on. The waits may be a quarter longer.
        for (passed, step, [least, most]) in [(3, 10, [2, 3]), (200, 100, [7, 11])] {
            for _ in 0..passed * 1000 / step {
                let before = server.count("/token");
                let outcome = client.ensure_active_token().await;
                let now = server.count("/token");
                match outcome {
                    Ok(token) => {
                        assert!(!negative, "it has expired");
                        assert_eq!(access_token(&token), format!("t{now}"));
                        assert_eq!(now, before + 1, "only who waited for it uses it");
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Answer);
                        let wait = error.retry_after();
                        assert!(wait.is_some() || (negative && now > before), "{error}");
                        assert!(wait <= Some(seconds(38)), "{wait:?}");
                    }
                }
                clock.advance(Duration::from_millis(step));
            }
            let requests = server.count("/token");
            assert!(requests >= least && requests <= most, "{requests} requests");
        }
    }
    Ok(())
}

/// Many callers wait for one response.
#[maybe_async]
#[test]
async fn all_who_waited_for_a_token_that_is_expired_as_it_comes_use_it() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::json(200, tokens(1, 0))
    });
    let clock = ManualClock::new();
    let client = with_first_token(&server, &clock, 0).build()?;
    for token in crowd_at(&client, &server, &gate).await {
        assert_eq!(access_token(&token?), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// A login that brings no refresh token, in memory, in a store, and in that of a user. A store is no
/// way to renew it: it is read when the process starts, and after a 401.
#[maybe_async]
#[test]
async fn where_nothing_can_renew_it_a_zero_says_nothing_and_a_401_ends_it() -> TestResult {
    for (home, read) in [("memory", ""), ("store", "load"), ("user", "load")] {
        let refuses = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let switch = refuses.clone();
        let server = Server::start(move |request: &Request| match &*request.path {
            "/token" => Reply::json(200, json!({"access_token": "t1", "expires_in": 0})),
            _ if switch.load(Ordering::SeqCst)
                && request.header("authorization") == Some("Bearer t1") =>
            {
                Reply::text(401, "")
            }
            _ => Reply::authorization_of(request),
        });
        let (clock, shelf) = (ManualClock::new(), Shelf::default());
        let process = || {
            let (client, shelf) = (builder(&server).clock(clock.clock()), shelf.clone());
            let client = match home {
                "store" => client.token_store(shelf),
                "user" => client.user_store(move |_: &UserKey| shelf.clone()),
                _ => client,
            };
            client.build()
        };
        let owner = |client: &OAuth2Client| match home {
            "user" => client.for_user("alice"),
            _ => client.clone(),
        };
        let mut client = process()?;
        let token = client.exchange(ClientCredentials::new()).await?;
        owner(&client).set_token(token)?;
        if home != "memory" {
            client.close().await?;
            client = process()?;
            shelf.story();
        }
        let client = owner(&client);
        for passed in [0, 1, 1_000_000] {
            clock.advance(seconds(passed));
            let text = client.get(server.url("/api")).send().await?.text().await?;
            assert_eq!(text, "Bearer t1", "{home}");
        }
        assert_eq!(shelf.story(), read, "{home}");
        refuses.store(true, Ordering::SeqCst);
        let status = client.get(server.url("/api")).send().await?.status();
        assert_eq!((status.as_u16(), server.count("/token")), (401, 1));
        assert_eq!(shelf.story(), read, "{home}");
        // The user has logged in elsewhere.
        shelf.put(Some(Token::new("theirs")));
        let status = client.get(server.url("/api")).send().await?.status();
        let expected = if home == "memory" { 401 } else { 200 };
        assert_eq!((status.as_u16(), server.count("/token")), (expected, 1));
    }
    Ok(())
}

/// The same with a negative lifetime, which means expired.
#[maybe_async]
#[test]
async fn a_negative_lifetime_is_over() -> TestResult {
    let server = dead_on_arrival(true);
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clock()).build()?;
    let mut token = client.exchange(ClientCredentials::new()).await?;
    let row = serde_json::to_value(&token)?;
    assert!(
        row["expires_at"].as_u64() < row["issued_at"].as_u64(),
        "{row}"
    );
    token = Token::new(access_token(&token))
        .with_issued_at(token.issued_at().expect("a time"))
        .with_expires_at(token.expires_at().expect("a time"));
    client.set_token(token)?;
    let error = client.get(server.url("/api")).send().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Token && error.needs_login());
    assert_eq!((server.count("/token"), server.count("/api")), (1, 0));
    Ok(())
}

/// A server whose n-th token `t<n>` lives for no time, or for less.
fn dead_on_arrival(negative: bool) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |_: &Request| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answer = tokens(n, 0);
        if negative {
            answer["expires_in"] = json!(-1);
        }
        Reply::json(200, answer)
    })
}
