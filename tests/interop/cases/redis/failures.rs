//! Redis that is down, hangs, refuses to write, or holds something else.

use super::{proxy::Proxy, test, *};

/// Asserts that the client cannot reach its store, and that this may pass.
#[track_caller]
fn assert_unreachable(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Store, "{error:?}");
    assert!(error.is_transient() && !error.needs_login(), "{error:?}");
}

#[maybe_async]
#[test]
async fn no_refresh_token_is_used_while_redis_is_down() -> TestResult {
    let mut redis = RedisServer::start("down");
    let server = strict();
    put(&redis, expired()).await;
    let known = client_of(&server).token_store(store_at(&redis)).build()?;
    let unknown = client_of(&server).token_store(store_at(&redis)).build()?;
    // It has read the row, and has a connection.
    let other = store_at(&redis);
    let lease = leased(&other).await.expect("a lease");
    let impatient = client_of(&server).timeout(Duration::from_secs(2));
    let impatient = impatient.token_store(store_at(&redis)).build()?;
    let is_refused = impatient.ensure_active_token().await.is_err();
    assert!(is_refused, "it is leased");
    other.release(lease).await.unwrap();
    redis.stop();
    for client in [&known, &unknown, &impatient] {
        for _ in 0..2 {
            assert_unreachable(&client.ensure_active_token().await.unwrap_err());
            assert_unreachable(&client.refresh_token().await.unwrap_err());
        }
    }
    assert_eq!(server.count("/token"), 0);
    redis.start_again();
    let mut tokens = Vec::new();
    for client in [&known, &unknown, &impatient] {
        tokens.push(client.refresh_token().await?);
    }
    assert_eq!(server.count("/token"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_valid_token_is_used_while_redis_is_down() -> TestResult {
    let mut redis = RedisServer::start("valid");
    let server = strict();
    let clock = ManualClock::new();
    put(
        &redis,
        token(0).with_expires_at(clock.now() + Duration::from_secs(200)),
    )
    .await;
    let client = client_of(&server)
        .clock(clock.clock())
        .leeway(Duration::from_secs(60))
        .token_store(store_at(&redis))
        .build()?;
    client.ensure_active_token().await?;
    redis.stop();
    // Fresh, due, and expired.
    for seconds in [0, 150] {
        clock.advance(Duration::from_secs(seconds));
        let token = client.ensure_active_token().await?;
        assert_eq!(token.access_token().expose_secret(), "t0");
    }
    clock.advance(Duration::from_secs(51));
    let error = client.ensure_active_token().await.unwrap_err();
    assert_unreachable(&error);
    assert_eq!(server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_restart_of_redis_is_not_noticed() -> TestResult {
    let mut redis = RedisServer::start("restart");
    let shared = redis_at(&redis);
    let stores: Vec<_> = (0..4)
        .map(|n| RedisTokenStore::new(&shared, format!("tokens:{{{n}}}")))
        .collect();
    for round in 1..4 {
        let saved = at_once(4, |n| {
            let store = stores[n].clone();
            async move { store.save(&stored(n, round)).await.unwrap() }
        })
        .await;
        assert_eq!(saved, [true; 4]);
        redis.stop();
        redis.start_again();
    }
    let loaded = stores[3].load().await.unwrap();
    assert_eq!(loaded, Some(stored(3, 3)));
    Ok(())
}

/// A server that takes connections and never answers.
#[maybe_async]
#[test]
async fn redis_that_hangs_is_waited_for_for_a_limited_time() -> TestResult {
    let redis = RedisServer::start("hangs");
    let server = strict();
    put(&redis, expired()).await;
    let shared = redis_at(&redis).timeout(Duration::from_secs(1));
    let connected = RedisTokenStore::new(&shared, ROW);
    connected.load().await.unwrap();
    redis.signal("STOP");
    let fresh = redis_at(&redis).timeout(Duration::from_secs(1));
    for store in [connected.clone(), RedisTokenStore::new(&fresh, ROW)] {
        let began = Instant::now();
        let client = client_of(&server).token_store(store).build()?;
        assert_unreachable(&client.ensure_active_token().await.unwrap_err());
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{:?}",
            began.elapsed()
        );
    }
    assert_eq!(server.count("/token"), 0);
    redis.signal("CONT");
    // The answer to what timed out is not taken for that of the next command.
    let loaded = connected.load().await.unwrap();
    assert_eq!(loaded.map(|row| row.version), Some(1));
    let client = client_of(&server).token_store(connected).build()?;
    client.ensure_active_token().await?;
    Ok(())
}

/// Other processes need not wait until the leases end that were held while Redis was away.
#[maybe_async]
#[test]
async fn leases_that_could_not_be_released_are_released_later() -> TestResult {
    let mut redis = RedisServer::start("unreleased");
    let proxy = Proxy::start(&redis.url());
    let shared = Redis::open(&proxy.url())?;
    let keys = ["tokens:{a}", "tokens:{b}", "tokens:{c}"];
    let stores = keys.map(|key| RedisTokenStore::new(&shared, key));
    let mut leases = Vec::new();
    for store in &stores {
        leases.push(leased(store).await.expect("a lease"));
    }
    proxy.refuse(true);
    redis.stop();
    let dropped = leases.pop();
    drop(dropped);
    for (store, lease) in stores.iter().zip(leases) {
        let released = store.release(lease).await;
        assert!(released.is_err());
    }
    redis.start_again();
    assert_ne!(redis.cli(&["DBSIZE"]), "0", "a restart loses no lease");
    proxy.refuse(false);
    for _ in 0..3000 {
        if redis.cli(&["DBSIZE"]) == "0" {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("still leased: {}", redis.cli(&["KEYS", "*"]));
}

#[maybe_async]
#[test]
async fn no_refresh_token_is_used_while_redis_cannot_be_written() -> TestResult {
    let redis = RedisServer::start("read-only");
    let server = strict();
    put(&redis, expired()).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let client = client_of(&server).token_store(store_at(&redis)).build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{error:?}");
    assert!(format!("{error:?}").contains("maxmemory"), "{error:?}");
    assert_eq!(server.count("/token"), 0);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    client.refresh_token().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn errors_name_the_key_and_quote_no_content() -> TestResult {
    let redis = RedisServer::start("foreign");
    let store = store_at(&redis);
    for (commands, what) in [
        (format!("SET {ROW} hunter2"), "WRONGTYPE"),
        (
            format!("DEL {ROW}\nHSET {ROW} version 1 token hunter2"),
            "is no token",
        ),
        (format!("HSET {ROW} version hunter2"), "not of this library"),
        (
            format!("HSET {ROW} version 1 token sealed1.aaaa.hunter2"),
            "is sealed",
        ),
    ] {
        redis.pipe(&commands);
        let error = store.load().await.unwrap_err().to_string();
        assert!(
            error.contains(what) && !error.contains("hunter2"),
            "{error}"
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refused_password_is_named_and_not_shown() -> TestResult {
    let redis = RedisServer::with("password", &["--requirepass", "right"]);
    let url = redis.url();
    for (url, what) in [
        (url.clone(), Some("NOAUTH")),
        (url.replace("//", "//:hunter2@"), Some("credentials")),
        (url.replace("//", "//:right@"), None),
    ] {
        let shared = Redis::open(&url)?;
        let loaded: Result<_, BoxError> = RedisTokenStore::new(&shared, ROW).load().await;
        match what {
            Some(what) => {
                let error = loaded.unwrap_err().to_string();
                assert!(error.contains("credentials"), "{what}: {error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
            None => assert_eq!(loaded.unwrap(), None),
        }
        assert!(!format!("{shared:?}").contains("hunter2"));
    }
    for url in [
        "http://:hunter2@127.0.0.1",
        "127.0.0.1",
        "",
        "redis://:hunter2@h:x",
    ] {
        let error = Redis::open(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    Ok(())
}
