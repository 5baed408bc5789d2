//! Calls of the user's code: logins, tokens from elsewhere, revocation, settings, hooks.

use oauth_twin::{UserKey, oauth2::Password};

use super::{test, *};

#[maybe_async]
#[test]
async fn a_login_elsewhere_counts_more_than_a_renewal() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 10));
    let gate = Gate::new();
    let server = gated(&gate);
    let told: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    let note = told.clone();
    let client = process(&server, &shelf, &clock)
        .update_token(move |update: TokenUpdate| {
            let token = access_token(&update.token).to_owned();
            note.lock().unwrap().push((token, update.superseded));
            Ok(())
        })
        .build()?;
    clock.advance(seconds(11));
    let renewing = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    shelf.put(Some(Token::new("login").with_refresh_token("r9")));
    gate.open();
    let token = renewing.join().await?;
    assert_eq!(access_token(&token), "login");
    assert_eq!(access_token(&client.token().unwrap()), "login");
    assert_eq!(shelf.held(), "2:login");
    assert_eq!(*told.lock().unwrap(), [("t1".to_owned(), true)]);
    assert!(!shelf.is_leased(), "there is nothing to store under it");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_here_takes_the_place_of_whatever_is_stored() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(Token::new("old"));
    let server = strict(&shelf, 600);
    let client = process(&server, &shelf, &clock).build()?;
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(shelf.held(), "2:t1");
    assert_eq!(shelf.story(), "request(-) load save(2:t1)");
    shelf.put(Some(Token::new("elsewhere")));
    client.fetch_token(ClientCredentials::new()).await?;
    assert_eq!(shelf.held(), "4:t2");
    shelf.put(Some(Token::new("elsewhere")));
    client.set_token(Token::new("given"))?;
    client.close().await?;
    assert_eq!(shelf.held(), "6:given");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_could_not_be_stored_is_returned_as_an_error_and_kept() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Load, Fault::Save]);
    for _ in 0..2 {
        let result = client.fetch_token(ClientCredentials::new()).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Update);
    }
    assert_eq!(access_token(&client.token().unwrap()), "t2");
    client.close().await?;
    assert_eq!(shelf.held(), "1:t2");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_revoked_token_is_revoked_for_all() -> TestResult {
    let (clock, shelf, server) = with_stored_token(10, 600);
    let revoking = || process(&server, &shelf, &clock).revocation_endpoint(server.url("/revoke"));
    let other = revoking().build()?;
    other.ensure_active_token().await?;
    // A new run, which has not read the store yet.
    let client = revoking().build()?;
    client.revoke_token().await?;
    let request = &server.requests("/revoke")[0];
    assert_eq!(request.parameter("token").as_deref(), Some("r0"));
    assert_eq!((&*shelf.held(), client.token()), ("2:-", None));
    clock.advance(seconds(11));
    for client in [&client, &other] {
        let error = client.ensure_active_token().await.unwrap_err();
        assert!(error.needs_login(), "{error}");
        assert_eq!(client.token(), None);
    }
    assert_eq!(server.count("/token"), 0);
    // The next login is the next version.
    client.set_token(Token::new("again"))?;
    client.close().await?;
    assert_eq!(shelf.held(), "3:again");
    let token = other.ensure_active_token().await?;
    assert_eq!(access_token(&token), "again");
    Ok(())
}

/// Another process may have renewed the token: that is the one to be revoked.
#[maybe_async]
#[test]
async fn revocation_and_introspection_are_about_what_is_stored() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let server = Server::start(|_: &Request| Reply::json(200, json!({"active": true})));
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .introspection_endpoint(server.url("/introspect"))
        .build()?;
    client.introspect_token().await?;
    shelf.put(Some(Token::new("t5").with_refresh_token("r5")));
    client.introspect_token().await?;
    client.revoke_token().await?;
    let sent = |path: &str| -> Vec<_> {
        let requests = server.requests(path);
        requests
            .iter()
            .filter_map(|r| r.parameter("token"))
            .collect()
    };
    assert_eq!(
        (sent("/introspect"), sent("/revoke")),
        (vec!["t0".into(), "t5".into()], vec!["r5".into()])
    );
    shelf.fail([Fault::Load]);
    let error = client.revoke_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_and_a_store_are_one_too_many() -> TestResult {
    let error = OAuth2Client::builder("id")
        .token(Token::new("t"))
        .token_store(Shelf::default())
        .build()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("token is that of token_store; leave it out"),
        "{error}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn set_token_stores_without_being_waited_for() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let client = process(&server, &shelf, &clock).build()?;
    client.set_token(Token::new("given"))?;
    until(|| shelf.held() == "1:given").await;
    Ok(())
}

/// The token that the other process brings is revoked, not the one that it has spent.
#[maybe_async]
#[test]
async fn a_revocation_waits_for_a_renewal_of_another_process() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    client.ensure_active_token().await?;
    let held = shelf.lease(seconds(60)).await.unwrap().unwrap();
    let revoking = client.clone();
    let revoking = spawn(move || async move { revoking.revoke_token().await });
    seen(&shelf, "held").await;
    shelf.put(Some(Token::new("t5").with_refresh_token("r5")));
    drop(held);
    revoking.join().await?;
    let requests = server.requests("/revoke");
    let revoked: Vec<_> = requests
        .iter()
        .filter_map(|r| r.parameter("token"))
        .collect();
    assert_eq!((revoked, &*shelf.held()), (vec!["r5".to_owned()], "3:-"));
    assert!(!shelf.is_leased());
    Ok(())
}

/// It was stored without the lease, and is not the revoked token.
#[maybe_async]
#[test]
async fn a_login_elsewhere_outlives_a_revocation() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 600));
    let other = shelf.clone();
    let server = Server::start(move |_: &Request| {
        other.put(Some(Token::new("login")));
        Reply::text(200, "")
    });
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    client.revoke_token().await?;
    assert_eq!(shelf.held(), "2:login");
    let token = client.ensure_active_token().await?;
    assert_eq!(access_token(&token), "login");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hook_can_ask_about_the_token() -> TestResult {
    let clock = ManualClock::new();
    let shelf = Shelf::with(first_token(&clock, 0));
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ => Reply::json(200, json!({"active": true})),
    });
    let within: Arc<std::sync::OnceLock<OAuth2Client>> = Arc::default();
    let asking = within.clone();
    let client = process(&server, &shelf, &clock)
        .introspection_endpoint(server.url("/introspect"))
        .update_token(move |_: TokenUpdate| {
            let asking = asking.clone();
            async move {
                let client = asking.get().ok_or("no client")?;
                client.introspect_token().await?;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    within.set(client.clone()).expect("once");
    client.ensure_active_token().await?;
    let request = &server.requests("/introspect")[0];
    assert_eq!(request.parameter("token").as_deref(), Some("t1"));
    Ok(())
}

/// An unsaved token of a login counts as the caller's, and so does its renewal.
#[maybe_async]
#[test]
async fn the_renewal_of_an_unsaved_login_replaces_the_stored_token_like_it() -> TestResult {
    let (clock, shelf, server) = with_empty_store(10);
    let client = process(&server, &shelf, &clock).build()?;
    shelf.fail([Fault::Save, Fault::Save]);
    client
        .fetch_token(ClientCredentials::new())
        .await
        .unwrap_err();
    clock.advance(seconds(11));
    client.ensure_active_token().await.unwrap_err();
    shelf.put(Some(Token::new("elsewhere")));
    client.close().await?;
    assert_eq!(shelf.held(), "2:t2");
    Ok(())
}

/// The user has logged out, and the kept password does not log them in again, whoever reads the store first.
#[maybe_async]
#[test]
async fn a_kept_password_does_not_outlive_a_logout_elsewhere() -> TestResult {
    for reads_first in [false, true] {
        let (clock, shelf, server) = with_empty_store(10);
        let make = || {
            process(&server, &shelf, &clock)
                .revocation_endpoint(server.url("/revoke"))
                .build()
        };
        let (client, other) = (make()?, make()?);
        client.fetch_token(password().keep_for_renewal()).await?;
        other.revoke_token().await?;
        if reads_first {
            client.introspect_token().await.unwrap_err();
            assert_eq!(client.token(), None);
        }
        clock.advance(seconds(11));
        let error = client.ensure_active_token().await.unwrap_err();
        assert!(error.needs_login(), "{error}");
        assert_eq!((&*shelf.held(), server.count("/token")), ("2:-", 1));
    }
    Ok(())
}

/// The same for the client of a user whom another client of the same process logs out.
#[maybe_async]
#[test]
async fn a_kept_password_does_not_outlive_a_logout_of_its_user() -> TestResult {
    let (_, shelf, server) = with_empty_store(600);
    let store = shelf.clone();
    let client = builder(&server)
        .revocation_endpoint(server.url("/revoke"))
        .user_store(move |_: &UserKey| store.clone())
        .build()?;
    let alice = client.for_user("alice");
    alice.fetch_token(password().keep_for_renewal()).await?;
    client.forget_user("alice").await?;
    let error = alice.ensure_active_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert_eq!((&*shelf.held(), server.count("/token")), ("2:-", 1));
    Ok(())
}

/// A login takes the place of the builder's grant until its end.
#[maybe_async]
#[test]
async fn after_a_logout_elsewhere_the_builder_s_grant_is_sent_again() -> TestResult {
    let (clock, shelf, server) = with_empty_store(600);
    let make = || process(&server, &shelf, &clock).revocation_endpoint(server.url("/revoke"));
    let client = make().grant(ClientCredentials::new()).build()?;
    client.fetch_token(password()).await?;
    make().build()?.revoke_token().await?;
    client.introspect_token().await.unwrap_err();
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), &*shelf.held()), ("t2", "3:t2"));
    Ok(())
}

fn password() -> Password {
    Password::new("alice", "wonderland")
}

/// The child has no grant to send, and the client has.
#[maybe_async]
#[test]
async fn a_refusal_that_a_child_meets_leaves_the_client_its_grant() -> TestResult {
    for is_stored in [true, false] {
        let (clock, is_down) = (ManualClock::new(), Flag::default());
        let down = is_down.clone();
        let server = Server::start(move |request: &Request| {
            let refresh = request.parameter("refresh_token");
            match refresh {
                Some(_) => Reply::error(400, "invalid_grant"),
                None if down.is_set() => Reply::error(500, "server_error"),
                None => Reply::json(200, tokens(1, 600)),
            }
        });
        let row = first_token(&clock, 10);
        let client = match is_stored {
            true => process(&server, &Shelf::with(row.clone()), &clock),
            false => with_first_token(&server, &clock, 10),
        };
        let client = client.grant(ClientCredentials::new()).build()?;
        client.ensure_active_token().await?;
        clock.advance(seconds(11));
        let error = client.for_token(row).ensure_active_token().await;
        assert!(error.unwrap_err().needs_login());
        clock.advance(seconds(2));
        // One attempt fails, and the next one has to wait.
        is_down.set();
        for _ in 0..2 {
            let error = client.ensure_active_token().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(server.count("/token"), 2, "{is_stored}");
        }
        is_down.clear();
        clock.advance(seconds(60));
        let token = client.ensure_active_token().await?;
        assert_eq!((access_token(&token), server.count("/token")), ("t1", 3));
    }
    Ok(())
}

/// A store that asks the client that it belongs to for the token.
#[derive(Clone, Default)]
struct Nosy {
    shelf: Shelf,
    client: Arc<std::sync::OnceLock<OAuth2Client>>,
    seen: Arc<Mutex<Vec<String>>>,
}

#[maybe_async]
impl Nosy {
    async fn ask(&self) -> Result<(), BoxError> {
        let client = self.client.get().ok_or("no client")?;
        let (has_token, active) = (client.token().is_some(), client.ensure_active_token().await);
        let seen = match active {
            Ok(token) => access_token(&token).to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        let seen = match has_token {
            true => seen,
            false => format!("none {seen}"),
        };
        self.seen.lock().unwrap().push(seen);
        Ok(())
    }
}

#[maybe_async(AFIT)]
impl TokenStore for Nosy {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        self.ask().await?;
        self.shelf.load().await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        self.ask().await?;
        self.shelf.save(next).await
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        self.ask().await?;
        self.shelf.lease(time).await
    }
}

/// Within the store, the token that is renewed counts as long as it lives.
#[maybe_async]
#[test]
async fn a_store_gets_no_token_that_has_expired() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let store = Nosy {
        shelf,
        ..Nosy::default()
    };
    let client = builder(&server)
        .token_store(store.clone())
        .clock(clock.clock())
        .build()?;
    store.client.set(client.clone()).expect("once");
    client.ensure_active_token().await?;
    clock.advance(seconds(570));
    client.ensure_active_token().await?;
    clock.advance(seconds(601));
    client.ensure_active_token().await?;
    client.close().await?;
    let seen = std::mem::take(&mut *store.seen.lock().unwrap());
    let early = ["t0", "t0", "t0", "t1"];
    let late = ["Reentrant", "Reentrant", "Reentrant", "t2"];
    assert_eq!(seen, [&["none Reentrant"][..], &early, &late].concat());
    Ok(())
}
