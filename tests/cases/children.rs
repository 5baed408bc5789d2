//! `for_token` children.

use std::{sync::atomic::AtomicBool, time::Duration};

use oauth_twin::ErrorKind;

use super::{hooks::story, test, *};

#[maybe_async]
#[test]
async fn twenty_children_with_the_same_row_make_one_request() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let updates = Updates::default();
    let client = builder(&server)
        .clock(clock.clock())
        .update_token(recording(&updates))
        .build()?;
    let row = first_token(&clock, 10);
    clock.advance(Duration::from_secs(11));
    let url = server.url("/api");
    let texts = at_once(20, |_| {
        let (client, row, url) = (client.clone(), row.clone(), url.clone());
        async move {
            let response = client
                .for_token(row)
                .get(url)
                .send()
                .await
                .expect("an answer");
            response.text().await.expect("a text")
        }
    })
    .await;
    assert_eq!(texts, vec!["Bearer t1"; 20]);
    assert_eq!(server.count("/token"), 1);

    // A request that loaded the row before the renewal gets the new token, though no child is
    // left, and so does a child that is made of a child.
    let stale = client.for_token(row.clone());
    assert_eq!(stale.token().unwrap().access_token().expose_secret(), "t1");
    let stale = stale.for_token(row.clone());
    let text = stale.get(&url).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t1", 1));
    drop(stale);

    let updates = updates.lock().unwrap();
    assert_eq!(updates.len(), 1);
    let previous = |secret: &Option<oauth_twin::Secret>| secret.clone().unwrap();
    assert_eq!(
        previous(&updates[0].previous_refresh_token).expose_secret(),
        "r0"
    );
    assert_eq!(
        previous(&updates[0].previous_access_token).expose_secret(),
        "t0"
    );
    assert_eq!(
        client.token(),
        None,
        "the shared client holds no token of a user's"
    );
    Ok(())
}

/// The database cannot be written for an hour: each request loads the row as it was.
#[maybe_async]
#[test]
async fn a_row_that_could_not_be_replaced_is_not_renewed_again() -> TestResult {
    let server = provider(1800);
    let clock = ManualClock::new();
    let updates = Updates::default();
    let (note, fails) = (recording(&updates), Arc::new(AtomicBool::new(true)));
    let is_down = fails.clone();
    let client = builder(&server)
        .clock(clock.clock())
        .update_token(
            move |update: TokenUpdate| match is_down.load(Ordering::SeqCst) {
                true => Err("the database cannot be written".into()),
                false => note(update),
            },
        )
        .build()?;
    let row = first_token(&clock, 10);
    clock.advance(Duration::from_secs(11));
    for (minutes, expected) in [(0, 1), (2, 1), (20, 1), (20, 2), (10, 2)] {
        clock.advance(Duration::from_secs(60 * minutes));
        let request = client.for_token(row.clone()).get(server.url("/api"));
        let text = request.send().await?.text().await?;
        assert_eq!(text, format!("Bearer t{expected}"));
    }
    assert_eq!(server.count("/token"), 2);
    fails.store(false, Ordering::SeqCst);
    client.close().await?;
    // The hook was told of t1, so that it may have stored that.
    assert_eq!(story(&updates), "r0>t1 r1>t2");
    Ok(())
}

/// A service has a child for each request, and the token endpoint is down, or refuses the refresh token.
#[maybe_async]
#[test]
async fn a_server_is_left_alone_by_children_that_come_one_after_the_other() -> TestResult {
    for (status, code, is_refusal) in [
        (503, "temporarily_unavailable", false),
        (400, "invalid_grant", true),
    ] {
        let clock = ManualClock::new();
        let server = Server::start(move |_: &Request| Reply::error(status, code));
        let client = builder(&server).clock(clock.clock()).build()?;
        let row = first_token(&clock, 10);
        clock.advance(Duration::from_secs(11));
        let mut sent = Vec::new();
        for seconds in [0, 0, 0, 2, 0, 3, 0] {
            clock.advance(Duration::from_secs(seconds));
            let request = client.for_token(row.clone()).get(server.url("/api"));
            let error = request.send().await.unwrap_err();
            assert_eq!(error.needs_login(), is_refusal, "{error}");
            assert_eq!(error.code().map(|it| it.as_str()), Some(code));
            sent.push(server.count("/token"));
        }
        match is_refusal {
            false => assert_eq!(sent, [1, 1, 1, 2, 2, 3, 3]),
            true => assert_eq!(sent, [1; 7]),
        }
        // Other rows, and another token of the row, are not concerned.
        let other = client.for_token(row.clone().with_refresh_token("other"));
        let refused = other.ensure_active_token().await;
        assert!(refused.is_err());
        assert_eq!(server.count("/token"), sent[6] + 1);
        let newer = client.for_token(first_token(&clock, 600));
        newer.ensure_active_token().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_spent_refresh_token_leads_to_the_new_token_for_a_minute() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clock()).build()?;
    let row = first_token(&clock, 10);
    clock.advance(Duration::from_secs(11));
    client.for_token(row.clone()).ensure_active_token().await?;
    clock.advance(Duration::from_secs(59));
    let token = client.for_token(row.clone()).ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    clock.advance(Duration::from_secs(1));
    let token = client.for_token(row).ensure_active_token().await?;
    assert_eq!(
        token.access_token().expose_secret(),
        "t2",
        "a request of its own"
    );
    let spent = |n: usize| server.requests("/token")[n].parameter("refresh_token");
    assert_eq!((spent(0), spent(1)), (Some("r0".into()), Some("r0".into())));
    Ok(())
}

#[maybe_async]
#[test]
async fn children_of_different_users_share_nothing() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let [alice, bob] = ["alice", "bob"]
        .map(|name| client.for_token(Token::new(name).with_refresh_token(format!("r-{name}"))));
    alice.refresh_token().await?;
    assert_eq!(alice.token().unwrap().access_token().expose_secret(), "t1");
    assert_eq!(bob.token().unwrap().access_token().expose_secret(), "bob");
    assert_eq!(client.token(), None);
    // Without a refresh token there is nothing to know a user by.
    let [first, second] = [(); 2].map(|()| client.for_token(Token::new("same")));
    first.set_token(Token::new("other"))?;
    assert_eq!(
        second.token().unwrap().access_token().expose_secret(),
        "same"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_child_never_acts_for_the_client_itself() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let expired = Token::new("t0").with_expires_at(std::time::UNIX_EPOCH);
    let child = client.for_token(expired);
    let error = child.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_row_that_was_renewed_elsewhere_is_taken() -> TestResult {
    let server = provider(600);
    let clock = ManualClock::new();
    let client = builder(&server).clock(clock.clock()).build()?;
    let old = client.for_token(first_token(&clock, 600));
    clock.advance(Duration::from_secs(100));
    let newer = Token::new("t9")
        .with_refresh_token("r0")
        .with_issued_at(clock.now())
        .with_expires_at(clock.now() + Duration::from_secs(600));
    let new = client.for_token(newer);
    for child in [&old, &new] {
        assert_eq!(child.token().unwrap().access_token().expose_secret(), "t9");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_is_set_moves_the_child() -> TestResult {
    let server = provider(600);
    let client = builder(&server).build()?;
    let child = client.for_token(Token::new("a").with_refresh_token("r-a"));
    child.set_token(Token::new("b").with_refresh_token("r-b"))?;
    let same = client.for_token(Token::new("b").with_refresh_token("r-b"));
    same.refresh_token().await?;
    assert_eq!(child.token().unwrap().access_token().expose_secret(), "t1");
    let other = client.for_token(Token::new("a").with_refresh_token("r-a"));
    assert_eq!(other.token().unwrap().access_token().expose_secret(), "a");
    Ok(())
}

#[maybe_async]
#[test]
async fn closing_a_child_leaves_the_others_open() -> TestResult {
    let server = provider(600);
    let client = builder(&server).token(Token::new("root")).build()?;
    let row = || Token::new("a").with_refresh_token("r-a");
    let [first, second] = [client.for_token(row()), client.for_token(row())];
    first.close().await?;
    let error = first.get(server.url("/api")).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let text = second.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer a", "a sibling with the same token goes on");
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer root");
    client.close().await?;
    second.refresh_token().await?;
    let text = second.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t1", "a child outlives its parent");
    let orphan = client.for_token(row());
    let error = orphan.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_row_is_refreshed_with_what_its_login_asked_for() -> TestResult {
    let server = provider(600);
    let client = builder(&server)
        .resource("https://client.example")
        .build()?;
    let grant = ClientCredentials::new()
        .resource("https://a.example")
        .resource("https://b.example")
        .param("audience", "them & us");
    let token = client.exchange(grant).await?;
    let row = serde_json::to_string(&token)?;

    // A day and a process later, and again with what that left in the database.
    let later = builder(&server)
        .resource("https://client.example")
        .build()?;
    let token = later
        .for_token(serde_json::from_str(&row)?)
        .refresh_token()
        .await?;
    let row = serde_json::to_string(&token)?;
    later
        .for_token(serde_json::from_str(&row)?)
        .refresh_token()
        .await?;
    for n in 1..=2 {
        let sent = &server.requests("/token")[n];
        assert_eq!(sent.parameter("refresh_token"), Some(format!("r{n}")));
        assert_eq!(
            sent.parameters("resource"),
            ["https://a.example", "https://b.example"]
        );
        assert_eq!(sent.parameter("audience").as_deref(), Some("them & us"));
    }

    // A row of which nothing is known has the client's own.
    let row = Token::new("t").with_refresh_token("r");
    later.for_token(row).refresh_token().await?;
    let sent = &server.requests("/token")[3];
    assert_eq!(sent.parameters("resource"), ["https://client.example"]);
    assert_eq!(sent.parameter("audience"), None);
    Ok(())
}

/// The row is the user's own: what it holds besides the token comes back with the renewed one.
#[maybe_async]
#[test]
async fn own_members_of_a_row_survive_its_renewal() -> TestResult {
    let server = provider(600);
    let updates = Updates::default();
    let client = builder(&server).update_token(recording(&updates)).build()?;
    let row = r#"{ "access_token": "t", "refresh_token": "r", "user": { "id": 7 } }"#;
    let renewed = client
        .for_token(serde_json::from_str(row)?)
        .refresh_token()
        .await?;
    assert_eq!(renewed.get("user").expect("a member")["id"], 7);
    let update = updates.lock().unwrap()[0].clone();
    assert_eq!(update.token, renewed);
    let again = serde_json::to_string(&update.token)?;
    let renewed = client
        .for_token(serde_json::from_str(&again)?)
        .refresh_token()
        .await?;
    assert_eq!(renewed.get("user").expect("a member")["id"], 7);
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// Only what was stored counts: a server must not put words into the client's mouth.
#[maybe_async]
#[test]
async fn a_server_does_not_say_what_a_refresh_repeats() -> TestResult {
    let server = Server::start(|_: &Request| {
        let mut answer = tokens(1, 600);
        answer["refresh_parameters"] = "resource=https%3A%2F%2Fevil.example".into();
        Reply::json(200, answer)
    });
    let client = with_credentials(&server).build()?;
    let token = client.ensure_active_token().await?;
    assert!(token.refresh_parameters().is_empty());
    client.refresh_token().await?;
    assert_eq!(server.requests("/token")[1].parameter("resource"), None);
    Ok(())
}
