//! Stores of users that fail.

use super::{test, *};

#[maybe_async]
#[test]
async fn while_the_store_is_down_a_usable_token_is_used_and_none_is_renewed() -> TestResult {
    let (server, shelves, clock) = service(300);
    let client = replica(&server, &shelves, &clock).build()?;
    for user in ["alice", "bob"] {
        log_in(&client, user).await.keep_for(user).await?;
    }
    shelves
        .named("alice")
        .fail([Fault::Load, Fault::Load, Fault::Lease]);
    // Between the time of its renewal and its expiry, the token is used.
    clock.advance(seconds(270));
    sees(&client, &server, "alice", "alice1").await?;
    clock.advance(seconds(31));
    for _ in 0..2 {
        let error = ask(&client, &server, "alice").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(!error.needs_login());
    }
    assert_eq!(refreshes(&server).len(), 0);
    // That is no matter of another user; and it is over by itself.
    sees(&client, &server, "bob", "bob2").await?;
    sees(&client, &server, "alice", "alice2").await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_store_that_cannot_be_made_is_an_error_of_each_call_and_no_state() -> TestResult {
    let (server, shelves, clock) = service(600);
    let is_down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (down, of) = (is_down.clone(), shelves.clone());
    let client = without_store(&server, &clock)
        .user_store(move |user: &UserKey| match down.load(Ordering::SeqCst) {
            true => Err("the region of the user is unknown"),
            false => Ok(of.of(user)),
        })
        .build()?;
    let alice = client.for_user("alice");
    for error in [
        alice
            .get(server.url("/api"))
            .send()
            .await
            .map(|_| ())
            .unwrap_err(),
        alice.ensure_active_token().await.map(|_| ()).unwrap_err(),
        alice.set_token(Token::new("t")).unwrap_err(),
        alice.revoke_token().await.unwrap_err(),
        client.forget_user("alice").await.unwrap_err(),
        log_in(&client, "alice")
            .await
            .keep_for("alice")
            .await
            .map(|_| ())
            .unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.needs_login()),
            (ErrorKind::Store, false)
        );
        assert_eq!(cause(&error), "the region of the user is unknown");
    }
    assert_eq!(alice.token(), None);
    alice.close().await?;
    is_down.store(false, Ordering::SeqCst);
    log_in(&client, "alice").await.keep_for("alice").await?;
    sees(&client, &server, "alice", "alice2").await?;
    // The handle of before is what it was.
    let error = alice.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    Ok(())
}

#[maybe_async]
#[test]
async fn without_a_user_store_the_error_names_it() -> TestResult {
    let (server, clock) = (Accounts::default().server(600), ManualClock::new());
    let client = without_store(&server, &clock).build()?;
    for error in [
        ask(&client, &server, "alice").await.unwrap_err(),
        client.forget_user("alice").await.unwrap_err(),
        log_in(&client, "alice")
            .await
            .keep_for("alice")
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("user_store"), "{error}");
    }
    let problem = bad_settings(
        without_store(&server, &clock)
            .user_idle_timeout(Duration::ZERO)
            .build(),
    );
    assert!(problem.contains("user_idle_timeout"), "{problem}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_the_store_does_not_take_is_in_use_and_stored_later() -> TestResult {
    let (server, shelves, clock) = service(60);
    let client = replica(&server, &shelves, &clock).build()?;
    let login = log_in(&client, "alice").await;
    shelves.named("alice").fail([Fault::Save]);
    let error = login.keep_for("alice").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    sees(&client, &server, "alice", "alice1").await?;
    clock.advance(seconds(61));
    sees(&client, &server, "alice", "alice2").await?;
    client.close().await?;
    // The first token may have been stored meanwhile.
    let held = shelves.held("alice");
    assert!(held.ends_with(":alice2"), "{held}");
    Ok(())
}

/// It has made no call since another client of the user got the login.
#[maybe_async]
#[test]
async fn closing_any_client_of_a_user_stores_what_is_owed() -> TestResult {
    let (server, shelves, clock) = service(600);
    let client = replica(&server, &shelves, &clock).build()?;
    let idle = client.for_user("alice");
    let login = log_in(&client, "alice").await;
    let alice = shelves.named("alice");
    alice.fail([Fault::Save; 40]);
    let error = login.keep_for("alice").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let error = idle.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(shelves.held("alice"), "nothing");
    while alice.fault(&[Fault::Save]).is_some() {}
    idle.close().await?;
    assert!(shelves.held("alice").ends_with(":alice1"));
    Ok(())
}

/// Within the hook of a renewal, the token of the user can be used, and nothing waits for itself.
#[maybe_async]
#[test]
async fn a_hook_may_use_the_client_of_the_user() -> TestResult {
    let (server, shelves, clock) = service(600);
    let slot: Arc<Mutex<Option<OAuth2Client>>> = Arc::default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (own, record) = (slot.clone(), told.clone());
    let client = replica(&server, &shelves, &clock)
        .update_token(move |_: TokenUpdate| {
            let client = own.lock().unwrap().clone();
            let record = record.clone();
            async move {
                if let Some(client) = client {
                    let alice = client.for_user("alice");
                    let token = alice.ensure_active_token().await?;
                    let error = alice
                        .refresh_token()
                        .await
                        .expect_err("it would wait for itself");
                    let forgetting = client.forget_user("alice").await;
                    let forgetting = forgetting.expect_err("it would wait for itself");
                    let errors = (error.kind(), forgetting.kind());
                    record
                        .lock()
                        .unwrap()
                        .push((access_token(&token).to_owned(), errors));
                }
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    *slot.lock().unwrap() = Some(client.clone());
    log_in(&client, "alice").await.keep_for("alice").await?;
    client.for_user("alice").refresh_token().await?;
    let reentrant = (ErrorKind::Reentrant, ErrorKind::Reentrant);
    assert_eq!(*told.lock().unwrap(), [("alice2".to_owned(), reentrant)]);
    slot.lock().unwrap().take();
    Ok(())
}
