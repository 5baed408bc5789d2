//! Tokens, and their removal, that the store has not taken yet.

use super::{test, *};

/// The refresh token that is stored is spent, so no other process may read it.
#[maybe_async]
#[test]
async fn an_attempt_that_fails_leaves_its_lease_with_a_token_that_is_not_saved() -> TestResult {
    for is_renewal in [true, false] {
        let clock = ManualClock::new();
        let shelf = Shelf::with(first_token(&clock, 600));
        let server = Server::start(|request: &Request| {
            match request.parameter("refresh_token").as_deref() {
                Some("r0") => Reply::json(200, tokens(1, 600)),
                _ => Reply::error(503, "temporarily_unavailable"),
            }
        });
        let client = process(&server, &shelf, &clock)
            .revocation_endpoint(server.url("/revoke"))
            .build()?;
        shelf.fail([Fault::Save]);
        client.refresh_token().await.unwrap_err();
        shelf.hold(Some("save"));
        let failed = match is_renewal {
            true => client.refresh_token().await.map(drop),
            false => client.revoke_token().await,
        };
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Server);
        assert_eq!((shelf.is_leased(), &*shelf.held()), (true, "1:t0"));
        shelf.hold(None);
        until(|| shelf.held() == "2:t1").await;
        until(|| !shelf.is_leased()).await;
        assert_eq!(access_token(&client.token().unwrap()), "t1");
    }
    Ok(())
}

/// That it is revoked is no reason to forget that it is stored.
#[maybe_async]
#[test]
async fn a_revocation_is_repeated_until_the_token_is_removed() -> TestResult {
    let (clock, shelf, server) = with_stored_token(600, 600);
    let client = process(&server, &shelf, &clock)
        .revocation_endpoint(server.url("/revoke"))
        .build()?;
    shelf.fail([Fault::Save; 20]);
    for _ in 0..2 {
        let error = client.revoke_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Update);
        assert_eq!(
            format!("{error}: {}", cause(&error)),
            "the client has forgotten its token, but token_store failed to remove it; repeat the \
             call: the disk is full"
        );
        assert_eq!((client.token(), &*shelf.held()), (None, "1:t0"));
    }
    shelf.heal();
    if let Err(error) = client.revoke_token().await {
        assert_eq!(error.kind(), ErrorKind::Token, "it was removed meanwhile");
    }
    assert_eq!(shelf.held(), "2:-");
    let error = client.revoke_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Token);
    assert_eq!(server.count("/revoke"), 1);
    Ok(())
}

/// Connections and threads of a store end with it, and a lease that nobody can use any more.
#[maybe_async]
#[test]
async fn a_store_is_let_go_with_the_last_client_whatever_it_has_not_taken() -> TestResult {
    for is_closed in [true, false] {
        let (clock, shelf, server) = with_stored_token(0, 600);
        let owners = shelf.owners();
        let client = process(&server, &shelf, &clock).build()?;
        shelf.fail([Fault::Save; 20]);
        client.ensure_active_token().await.unwrap_err();
        if is_closed {
            client.close().await.unwrap_err();
        }
        drop(client);
        if !is_closed {
            // The lease lasts for as long as the save is repeated.
            clock.advance(seconds(100));
        }
        until(|| shelf.owners() == owners).await;
        assert!(!shelf.is_leased());
        assert_eq!(shelf.held(), "1:t0");
    }
    Ok(())
}
