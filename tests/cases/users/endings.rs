//! Users who are forgotten, and clients that are closed.

use super::{test, *};

#[maybe_async]
#[test]
async fn a_user_who_is_forgotten_is_revoked_and_gone() -> TestResult {
    let (server, shelves, clock) = service(600);
    let one = replica(&server, &shelves, &clock).build()?;
    let two = replica(&server, &shelves, &clock).build()?;
    for user in ["alice", "bob"] {
        log_in(&one, user).await.keep_for(user).await?;
        ask(&two, &server, user).await?;
    }
    let alice = one.for_user("alice");
    one.forget_user("alice").await?;
    let revoked = &server.requests("/revoke")[0];
    assert_eq!(revoked.parameter("token").as_deref(), Some("alice-1"));
    assert_eq!(shelves.held("alice"), "2:-");
    for error in [
        alice.get(server.url("/api")).send().await.unwrap_err(),
        ask(&one, &server, "alice").await.unwrap_err(),
    ] {
        assert!(error.needs_login(), "{error}");
        assert!(error.to_string().contains("not logged in"), "{error}");
    }
    // The other replica is refused once, and looks at the store then.
    let request = two.for_user("alice").get(server.url("/api"));
    let response = request.send().await?;
    assert_eq!(response.status(), 401);
    let error = ask(&two, &server, "alice").await.unwrap_err();
    assert!(error.to_string().contains("not logged in"), "{error}");
    assert_eq!((alice.token(), two.for_user("alice").token()), (None, None));
    sees(&two, &server, "bob", "bob1").await?;
    // Once more is no error and no request, on any replica.
    one.forget_user("alice").await?;
    two.forget_user("alice").await?;
    one.forget_user("nobody").await?;
    assert_eq!((server.count("/revoke"), refreshes(&server).len()), (1, 0));
    // The user may come back.
    log_in(&two, "alice").await.keep_for("alice").await?;
    sees(&one, &server, "alice", "alice2").await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_revocation_endpoint_the_user_is_forgotten_under_the_lease() -> TestResult {
    let (server, shelves, clock) = service(600);
    let of = shelves.clone();
    let client = builder(&server)
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri("https://app.example/callback")
        .clock(clock.clock())
        .user_store(move |user: &UserKey| of.of(user))
        .build()?;
    log_in(&client, "alice").await.keep_for("alice").await?;
    shelves.named("alice").story();
    client.forget_user("alice").await?;
    assert_eq!(
        shelves.named("alice").story(),
        "load lease load save(2:-) release"
    );
    needs_login(&client, &server, "alice").await;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_revocation_that_fails_leaves_the_user_logged_in() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock)
        .revocation_endpoint("http://127.0.0.1:9/revoke")
        .build()?;
    log_in(&client, "alice").await.keep_for("alice").await?;
    let error = client.forget_user("alice").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(shelves.held("alice"), "1:alice1");
    sees(&client, &server, "alice", "alice1").await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_user_is_forgotten_in_the_middle_of_a_renewal() -> TestResult {
    let gate = Gate::new();
    let accounts = Accounts {
        gate: Some(gate.clone()),
        ..Accounts::default()
    };
    let (server, shelves, clock) = (accounts.server(600), Shelves::default(), ManualClock::new());
    let client = replica(&server, &shelves, &clock).build()?;
    log_in(&client, "alice").await.keep_for("alice").await?;
    let renewal = spawn_refresh_token(&client.for_user("alice"));
    until(|| server.count("/token") == 2).await;
    let forgetting = {
        let client = client.clone();
        spawn(move || async move { client.forget_user("alice").await })
    };
    sleep(Duration::from_millis(100)).await;
    gate.open();
    forgetting.join().await?;
    let _ = renewal.join().await;
    // The token of the renewal is what is revoked.
    let revoked = &server.requests("/revoke")[0];
    assert_eq!(revoked.parameter("token").as_deref(), Some("alice-2"));
    client.close().await?;
    assert!(
        shelves.held("alice").ends_with(":-"),
        "{}",
        shelves.held("alice")
    );
    let other = replica(&server, &shelves, &clock).build()?;
    needs_login(&other, &server, "alice").await;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_counts_that_comes_in_the_middle_of_a_renewal() -> TestResult {
    let gate = Gate::new();
    let accounts = Accounts {
        gate: Some(gate.clone()),
        ..Accounts::default()
    };
    let (server, shelves, clock) = (accounts.server(600), Shelves::default(), ManualClock::new());
    let updates = Updates::default();
    let client = replica(&server, &shelves, &clock)
        .update_token(recording(&updates))
        .build()?;
    log_in(&client, "first").await.keep_for("alice").await?;
    let alice = client.for_user("alice");
    let renewal = spawn_refresh_token(&alice);
    until(|| server.count("/token") == 2).await;
    log_in(&client, "second").await.keep_for("alice").await?;
    sees(&client, &server, "alice", "second1").await?;
    gate.open();
    let token = renewal.join().await?;
    assert_eq!(access_token(&token), "second1");
    client.close().await?;
    assert_eq!(shelves.held("alice"), "2:second1");
    // What was issued is told all the same.
    let updates = updates.lock().unwrap();
    assert_eq!(updates.len(), 1);
    assert_eq!(
        (access_token(&updates[0].token), updates[0].superseded),
        ("first2", true)
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn close_waits_for_the_renewals_of_users_and_stores_their_tokens() -> TestResult {
    let gate = Gate::new();
    let accounts = Accounts {
        gate: Some(gate.clone()),
        ..Accounts::default()
    };
    let (server, shelves, clock) = (accounts.server(600), Shelves::default(), ManualClock::new());
    let client = replica(&server, &shelves, &clock).build()?;
    let mut renewals = Vec::new();
    for user in ["alice", "bob"] {
        log_in(&client, user).await.keep_for(user).await?;
        renewals.push(spawn_refresh_token(&client.for_user(user)));
    }
    // A user whose token could not be stored.
    let login = log_in(&client, "carol").await;
    shelves.named("carol").fail([Fault::Save]);
    let error = login.keep_for("carol").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    until(|| server.count("/token") == 5).await;
    let closing = {
        let client = client.clone();
        spawn(move || async move { client.close().await })
    };
    sleep(Duration::from_millis(50)).await;
    gate.open();
    closing.join().await?;
    for (user, expected) in [
        ("alice", "2:alice2"),
        ("bob", "2:bob2"),
        ("carol", "1:carol1"),
    ] {
        assert_eq!(shelves.held(user), expected);
    }
    for renewal in renewals {
        let _ = renewal.join().await;
    }
    for error in [
        ask(&client, &server, "alice").await.unwrap_err(),
        client.forget_user("alice").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
    assert_eq!(
        format!("{:?}", client.for_user("alice")),
        format!("{CLIENT}(Failed(Error {{ kind: Closed, message: the client is closed }}))")
    );
    Ok(())
}

/// A closed client of a user is one of many, and the user stays logged in.
#[maybe_async]
#[test]
async fn closing_the_client_of_a_user_leaves_the_others_open() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let login = log_in(&client, "alice").await;
    login.keep_for("alice").await?;
    let alice = client.for_user("alice");
    alice.close().await?;
    let error = alice.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    sees(&client, &server, "alice", "alice1").await?;
    // A login that ends after the client was closed is not kept.
    let login = log_in(&client, "bob").await;
    client.close().await?;
    let error = login.keep_for("bob").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(shelves.held("bob"), "nothing");
    Ok(())
}

/// A store that is slow takes the token of the renewal after the user was forgotten.
#[maybe_async]
#[test]
async fn a_save_that_still_runs_does_not_bring_a_forgotten_user_back() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    log_in(&client, "alice").await.keep_for("alice").await?;
    let shelf = shelves.named("alice");
    shelf.fail([Fault::LateSave]);
    let renewal = spawn_refresh_token(&client.for_user("alice"));
    until(|| shelf.has_seen("save(2:alice2)")).await;
    shelf.hold(Some("save"));
    let forgetting = {
        let client = client.clone();
        spawn(move || async move { client.forget_user("alice").await })
    };
    until(|| shelf.has_seen("save(2:-)")).await;
    shelf.land();
    assert_eq!(shelf.held(), "2:alice2");
    shelf.hold(None);
    forgetting.join().await?;
    assert_eq!(shelf.held(), "3:-");
    let _ = renewal.join().await;
    needs_login(&client, &server, "alice").await;
    client.close().await?;
    assert_eq!(shelf.held(), "3:-");
    let revoked = &server.requests("/revoke")[0];
    assert_eq!(revoked.parameter("token").as_deref(), Some("alice-2"));
    Ok(())
}

/// Whoever repeats it until it succeeds has removed the token.
#[maybe_async]
#[test]
async fn a_user_is_forgotten_when_the_store_has_no_token_any_more() -> TestResult {
    let (server, shelves, clock) = service(600);
    let of = shelves.clone();
    let without_revocation = builder(&server)
        .authorization_endpoint(server.url("/authorize"))
        .redirect_uri("https://app.example/callback")
        .clock(clock.clock())
        .user_store(move |user: &UserKey| of.of(user));
    let with_revocation = replica(&server, &shelves, &clock);
    for (user, builder) in [("alice", with_revocation), ("bob", without_revocation)] {
        let client = builder.build()?;
        log_in(&client, user).await.keep_for(user).await?;
        let (shelf, stored) = (shelves.named(user), format!("1:{user}1"));
        shelf.fail([Fault::Save; 20]);
        for _ in 0..2 {
            let error = client.forget_user(user).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Update);
            assert!(error.to_string().contains("failed to remove it"), "{error}");
            assert_eq!(shelf.held(), stored);
        }
        shelf.heal();
        client.forget_user(user).await?;
        assert_eq!(shelf.held(), "2:-");
        needs_login(&client, &server, user).await;
    }
    assert_eq!(server.count("/revoke"), 1);
    Ok(())
}
