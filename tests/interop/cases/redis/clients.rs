//! Clients that share a token in Redis.

use super::{test, *};

#[maybe_async]
#[test]
async fn one_of_many_clients_renews() -> TestResult {
    let redis = RedisServer::start("many");
    let server = strict();
    put(&redis, expired()).await;
    let shared = redis_at(&redis);
    let clients: Result<Vec<_>, Error> = (0..8)
        .map(|_| {
            client_of(&server)
                .token_store(RedisTokenStore::new(&shared, ROW))
                .build()
        })
        .collect();
    let clients = clients?;
    let tokens = at_once(8, |n| {
        let client = clients[n].clone();
        async move { client.ensure_active_token().await }
    })
    .await;
    for token in tokens {
        assert_eq!(token?.access_token().expose_secret(), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    let forced = at_once(8, |n| {
        let client = clients[n].clone();
        async move {
            for _ in 0..5 {
                client.refresh_token().await?;
            }
            client.close().await
        }
    })
    .await;
    for result in forced {
        result?;
    }
    let requests = server.count("/token");
    assert!((6..=41).contains(&requests), "{requests}");
    let row = store_at(&redis).load().await.unwrap().expect("a row");
    // The first one was put there by hand.
    assert_eq!(row.version, requests as u64 + 1);
    assert_eq!(
        row.token.unwrap().access_token().expose_secret(),
        format!("t{requests}")
    );
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    Ok(())
}

#[maybe_async]
#[test]
async fn the_lease_is_released_before_a_caller_goes_on() -> TestResult {
    let redis = RedisServer::start("released");
    let server =
        Server::start(
            |request: &Request| match request.parameter("refresh_token").as_deref() {
                Some("r0") => {
                    Reply::json(200, json!({"access_token": "t1", "refresh_token": "r1"}))
                }
                _ => Reply::error(400, "invalid_grant"),
            },
        );
    put(&redis, expired()).await;
    let client = client_of(&server).token_store(store_at(&redis)).build()?;
    client.refresh_token().await?;
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0", "after a renewal");
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.needs_login());
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0", "after a refusal");
    Ok(())
}

/// The server has answered, and Redis is gone: what was issued is stored when it is back.
#[maybe_async]
#[test]
async fn a_token_that_could_not_be_saved_is_saved_later() -> TestResult {
    let mut redis = RedisServer::start("later");
    put(&redis, expired()).await;
    let gate = crate::gate::Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_: &Request| {
        held.wait();
        Reply::json(
            200,
            json!({"access_token": "t1", "refresh_token": "r1", "expires_in": 600}),
        )
    });
    let client = client_of(&server).token_store(store_at(&redis)).build()?;
    let renewing = client.clone();
    let renewal = crate::mode::spawn(move || renew(renewing));
    let arrival = server.arrivals("/token", 1);
    crate::mode::run_blocking(arrival).await;
    redis.stop();
    gate.open();
    let error = renewal.join().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update, "{error:?}");
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    redis.start_again();
    client.close().await?;
    let row = store_at(&redis).load().await.unwrap().expect("a row");
    assert_eq!(
        row.token.unwrap().refresh_token().unwrap().expose_secret(),
        "r1"
    );
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    Ok(())
}

#[maybe_async]
async fn renew(client: OAuth2Client) -> Result<Token, Error> {
    client.refresh_token().await
}
