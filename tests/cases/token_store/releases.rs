//! The release of a lease, which clients wait for.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::UNIX_EPOCH,
};

use super::{test, *};

/// A shelf whose lease ends by a request.
#[derive(Clone)]
struct Remote {
    shelf: Shelf,
    is_leased: Arc<AtomicBool>,
    /// Whether releases take for ever.
    is_stuck: Arc<AtomicBool>,
}

/// Its lease, which is forgotten rather than released when it is dropped.
struct Forgotten(Shelf);

impl Drop for Forgotten {
    fn drop(&mut self) {
        self.0.note("forgotten");
    }
}

#[maybe_async(AFIT)]
impl TokenStore for Remote {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        TokenStore::load(&self.shelf).await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&self.shelf, next).await
    }

    async fn lease(&self, _: Duration) -> Result<Option<Lease>, BoxError> {
        let meanwhile = self.shelf.0.lock().unwrap().meanwhile.take();
        if meanwhile.is_some() {
            self.shelf.put(meanwhile);
        }
        let is_free = !self.is_leased.swap(true, Ordering::SeqCst);
        Ok(is_free.then(|| Lease::new(Forgotten(self.shelf.clone()))))
    }

    async fn release(&self, lease: Lease) -> Result<(), BoxError> {
        let guard = lease
            .into_guard::<Forgotten>()
            .map_err(|_| "another lease")?;
        self.shelf.note("releasing");
        while self.is_stuck.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(100)).await;
        std::mem::forget(guard);
        self.shelf.note("released");
        self.is_leased.store(false, Ordering::SeqCst);
        Ok(())
    }
}

impl Remote {
    fn with(token: Token) -> Self {
        Self {
            shelf: Shelf::with(token),
            is_leased: Arc::default(),
            is_stuck: Arc::default(),
        }
    }

    /// Asserts that a lease was taken and has been released by now.
    #[track_caller]
    fn assert_released(&self) {
        let story = self.shelf.story();
        assert!(
            story.ends_with("released") && !story.contains("forgotten"),
            "{story}"
        );
    }
}

fn expired() -> Token {
    Token::new("t0")
        .with_refresh_token("r0")
        .with_expires_at(UNIX_EPOCH)
}

#[maybe_async]
#[test]
async fn it_is_over_before_a_caller_goes_on() -> TestResult {
    let server =
        Server::start(
            |request: &Request| match request.parameter("refresh_token").as_deref() {
                Some("r0") => {
                    Reply::json(200, json!({"access_token": "t1", "refresh_token": "r1"}))
                }
                _ => Reply::error(400, "invalid_grant"),
            },
        );
    let remote = Remote::with(expired());
    // Through a wrapper too.
    let client = OAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .revocation_endpoint(server.url("/revoke"))
        .token_store(Arc::new(remote.clone()))
        .build()?;
    client.ensure_active_token().await?;
    remote.assert_released();
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.needs_login());
    remote.assert_released();
    client.revoke_token().await.unwrap_err();
    remote.assert_released();
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_over_when_another_process_has_renewed_meanwhile() -> TestResult {
    let server = provider(600);
    let remote = Remote::with(expired());
    remote.shelf.0.lock().unwrap().meanwhile = Some(Token::new("other"));
    let client = with_credentials(&server)
        .token_store(remote.clone())
        .build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "other");
    assert_eq!(server.count("/token"), 0);
    remote.assert_released();
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_over_before_close_returns() -> TestResult {
    let server = provider(600);
    let remote = Remote::with(expired());
    let client = with_credentials(&server)
        .token_store(remote.clone())
        .build()?;
    remote.shelf.fail([Fault::Save, Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    assert!(remote.is_leased.load(Ordering::SeqCst), "until it is saved");
    client.close().await.unwrap_err();
    remote.assert_released();
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_over_when_a_login_elsewhere_counts_more() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let remote = Remote::with(expired());
    let client = builder(&server).token_store(remote.clone()).build()?;
    let renewing = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    remote.shelf.put(Some(Token::new("login")));
    gate.open();
    renewing.join().await?;
    assert_eq!(remote.shelf.held(), "2:login");
    remote.assert_released();
    Ok(())
}

#[maybe_async]
#[test]
async fn it_is_over_when_the_store_turns_out_to_have_the_token() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ => Reply::json(200, json!({"active": true})),
    });
    for is_asked in [true, false] {
        let remote = Remote::with(expired());
        let client = builder(&server)
            .introspection_endpoint(server.url("/introspect"))
            .token_store(remote.clone())
            .build()?;
        remote.shelf.fail([Fault::Saved]);
        client.ensure_active_token().await.unwrap_err();
        assert!(
            remote.is_leased.load(Ordering::SeqCst),
            "until that is known"
        );
        match is_asked {
            true => drop(client.introspect_token().await?),
            // The save is repeated.
            false => until(|| !remote.is_leased.load(Ordering::SeqCst)).await,
        }
        remote.assert_released();
        assert_eq!(remote.shelf.held(), "2:t1");
    }
    Ok(())
}

/// The other token is in use by the time that the renewal ends.
#[maybe_async]
#[test]
async fn it_is_over_when_the_result_does_not_count() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let remote = Remote::with(expired());
    let client = builder(&server).token_store(remote.clone()).build()?;
    let renewing = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    client.set_token(Token::new("given"))?;
    until(|| remote.shelf.held() == "2:given").await;
    gate.open();
    let token = renewing.join().await?;
    assert_eq!(token.access_token().expose_secret(), "given");
    client.close().await?;
    remote.assert_released();
    Ok(())
}

/// Of a renewal that is stored: a process may end as soon as it has closed its client.
#[maybe_async]
#[test]
async fn it_is_over_before_close_returns_even_if_it_has_begun() -> TestResult {
    let server = provider(600);
    let remote = Remote::with(expired());
    let client = with_credentials(&server)
        .token_store(remote.clone())
        .build()?;
    let renewing = client.clone();
    let renewal = crate::mode::spawn(move || renew(renewing));
    seen(&remote.shelf, "releasing").await;
    client.close().await?;
    remote.assert_released();
    renewal.join().await?;
    Ok(())
}

#[maybe_async]
async fn renew(client: OAuth2Client) -> Result<Token, Error> {
    client.ensure_active_token().await
}

/// One that is too short for the next renewal is not in the way of a new one.
#[maybe_async]
#[test]
async fn it_is_over_before_another_lease_is_requested() -> TestResult {
    let clock = ManualClock::new();
    let server = provider(600);
    let remote = Remote::with(expired());
    let client = with_credentials(&server)
        .clock(clock.clock())
        .token_store(remote.clone())
        .build()?;
    remote.shelf.fail([Fault::Save]);
    client.ensure_active_token().await.unwrap_err();
    assert!(remote.is_leased.load(Ordering::SeqCst), "until it is saved");
    // The save is not repeated yet, and most of the lease is over.
    clock.advance(Duration::from_secs(75));
    client.refresh_token().await?;
    remote.assert_released();
    Ok(())
}

/// The token is stored by then, and the lease ends by itself.
#[maybe_async]
#[test]
async fn it_may_take_for_ever_without_a_failure_of_the_save() -> TestResult {
    let server = provider(600);
    let remote = Remote::with(expired());
    let client = builder(&server)
        .timeout(seconds(3))
        .token_store(remote.clone())
        .build()?;
    remote.is_stuck.store(true, Ordering::SeqCst);
    let token = client.ensure_active_token().await?;
    assert_eq!(
        (access_token(&token), &*remote.shelf.held()),
        ("t1", "2:t1")
    );
    client.close().await?;
    remote.is_stuck.store(false, Ordering::SeqCst);
    Ok(())
}
