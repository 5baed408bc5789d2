//! The store by itself: rows, versions, leases.

use super::{test, *};

#[maybe_async]
#[test]
async fn a_row_is_replaced_by_the_next_version_only() -> TestResult {
    let redis = RedisServer::start("versions");
    let store = store_at(&redis);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded, None);
    for (version, is_next) in [(2, false), (1, true), (1, true), (3, false), (2, true)] {
        let saved = store.save(&stored(1, version)).await.unwrap();
        assert_eq!(saved, is_next, "{version}");
    }
    // The same version with another token is that of another process.
    let saved = store.save(&stored(2, 2)).await.unwrap();
    assert!(!saved);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded, Some(stored(1, 2)));
    let revoked = StoredToken::new(None, 3);
    let saved = store.save(&revoked).await.unwrap();
    assert!(saved);
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded, Some(revoked));
    let saved = store.save(&stored(4, 4)).await.unwrap();
    assert!(saved);
    Ok(())
}

#[maybe_async]
#[test]
async fn one_of_many_saves_of_a_version_succeeds() -> TestResult {
    let redis = RedisServer::start("one-save");
    let shared = redis_at(&redis);
    for version in 1..5 {
        let saved = at_once(10, |n| {
            let store = RedisTokenStore::new(&shared, ROW);
            async move { store.save(&stored(n, version)).await.unwrap() }
        })
        .await;
        assert_eq!(saved.iter().filter(|saved| **saved).count(), 1);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_lease_has_one_owner_who_alone_releases_it() -> TestResult {
    let redis = RedisServer::start("owner");
    let [one, other] = [(); 2].map(|()| store_at(&redis));
    let lease = leased(&one).await.expect("a lease");
    let is_held = leased(&other).await.is_none();
    assert!(is_held);
    let is_held = leased(&one).await.is_none();
    assert!(is_held, "not even for its holder");
    let left: u64 = redis.cli(&["PTTL", LEASE]).parse()?;
    assert!((50_000..=60_000).contains(&left), "{left}");
    // Its time ends, and another takes it.
    redis.cli(&["DEL", LEASE]);
    let later = leased(&other).await.expect("a lease");
    one.release(lease).await.unwrap();
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "1", "it is the other's");
    other.release(later).await.unwrap();
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_lease_ends_by_itself() -> TestResult {
    let redis = RedisServer::start("ends");
    let store = store_at(&redis);
    let lease = store.lease(Duration::from_secs(1)).await.unwrap();
    let is_held = leased(&store).await.is_none();
    assert!(lease.is_some() && is_held);
    sleep(Duration::from_millis(1100)).await;
    let is_leased = leased(&store).await.is_some();
    assert!(is_leased);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_lease_that_is_dropped_is_released_in_the_background() -> TestResult {
    let redis = RedisServer::start("dropped");
    let store = store_at(&redis);
    let lease = leased(&store).await.expect("a lease");
    drop(lease);
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    // Of another store, or of none: refused, and dropped.
    let lease = leased(&store).await.expect("a lease");
    let is_refused = store.release(Lease::new(())).await.is_err();
    assert!(is_refused);
    drop(lease);
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    Ok(())
}

/// The number that is told by a row: of the last lease, and of that under which it was saved.
fn fence(redis: &RedisServer, name: &str) -> u64 {
    redis.cli(&["HGET", ROW, name]).parse().unwrap_or(0)
}

#[maybe_async]
#[test]
async fn fencing_numbers_grow_from_lease_to_lease() -> TestResult {
    let redis = RedisServer::start("fences");
    let store = store_at(&redis);
    put(&redis, token(0)).await;
    // As if the clock of the server had been ahead when the last one was granted.
    redis.cli(&["HSET", ROW, "leased", "4000000000000000"]);
    let mut last = 4_000_000_000_000_000;
    for n in 0..5 {
        let lease = leased(&store).await.expect("a lease");
        assert!(fence(&redis, "leased") > last);
        last = fence(&redis, "leased");
        let version = store.load().await.unwrap().unwrap().version;
        let saved = store.save(&stored(n, version + 1)).await.unwrap();
        assert!(saved);
        assert_eq!(fence(&redis, "fence"), last);
        store.release(lease).await.unwrap();
    }
    Ok(())
}

/// Redis has lost its data, the user has logged in again, and the row has come to the version that
/// one who was stopped meanwhile wants to replace.
#[maybe_async]
#[test]
async fn a_save_under_a_lease_before_the_last_save_is_refused() -> TestResult {
    let redis = RedisServer::start("stale");
    let [stopped, other] = [(); 2].map(|()| store_at(&redis));
    let saved = stopped.save(&stored(1, 1)).await.unwrap();
    assert!(saved);
    let stale = leased(&stopped).await.expect("a lease");
    redis.cli(&["FLUSHALL"]);
    let lease = leased(&other).await.expect("a lease");
    let saved = other.save(&stored(7, 1)).await.unwrap();
    assert!(saved);
    other.release(lease).await.unwrap();
    let saved = stopped.save(&stored(2, 2)).await.unwrap();
    assert!(!saved);
    let loaded = other.load().await.unwrap();
    assert_eq!(loaded, Some(stored(7, 1)));
    // It has seen what there is now, and may go on from it.
    stopped.load().await.unwrap();
    let saved = stopped.save(&stored(8, 2)).await.unwrap();
    assert!(saved);
    drop(stale);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_row_expires_when_nobody_uses_it_if_asked() -> TestResult {
    let redis = RedisServer::start("expiry");
    let store = store_at(&redis);
    store.save(&stored(1, 1)).await.unwrap();
    assert_eq!(redis.cli(&["PTTL", ROW]), "-1");
    let expiring = store.clone().expire_after(Duration::from_secs(1000));
    expiring.load().await.unwrap();
    let left = |redis: &RedisServer| redis.cli(&["TTL", ROW]).parse::<i64>().unwrap();
    assert!((990..=1000).contains(&left(&redis)));
    redis.cli(&["EXPIRE", ROW, "5"]);
    let saved = expiring.save(&stored(2, 2)).await.unwrap();
    assert!(saved);
    assert!((990..=1000).contains(&left(&redis)));
    let short = store.clone().expire_after(Duration::from_millis(30));
    short.load().await.unwrap();
    sleep(Duration::from_millis(80)).await;
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded, None);
    // Asked no more, it stays again.
    let saved = expiring.save(&stored(1, 1)).await.unwrap();
    assert!(saved);
    let saved = store.save(&stored(2, 2)).await.unwrap();
    assert!(saved);
    assert_eq!(left(&redis), -1);
    Ok(())
}

#[maybe_async]
#[test]
async fn sealed_rows_open_with_their_key_and_in_their_place_only() -> TestResult {
    let redis = RedisServer::start("sealed");
    let shared = redis_at(&redis);
    let old = SealingKeys::new("old", &[1; 32]);
    let both = SealingKeys::new("new", &[2; 32]).and_open_with("old", &[1; 32]);
    let at =
        |key: &str, keys: &SealingKeys| RedisTokenStore::new(&shared, key).sealed(keys.clone());
    let (before, after) = (at(ROW, &old), at(ROW, &both));
    let saved = before.save(&stored(1, 1)).await.unwrap();
    assert!(saved);
    let raw = redis.cli(&["HGET", ROW, "token"]);
    assert!(
        raw.starts_with("sealed1.") && !raw.contains("access_token"),
        "{raw}"
    );
    let loaded = after.load().await.unwrap();
    assert_eq!(loaded, Some(stored(1, 1)));
    let saved = after.save(&stored(2, 2)).await.unwrap();
    assert!(saved);
    let error = before.load().await.unwrap_err().to_string();
    assert!(
        error.contains(ROW) && error.contains(r#"the key "new""#),
        "{error}"
    );

    // Somebody who can write puts it elsewhere, or brings back an earlier one.
    redis.cli(&["COPY", ROW, "tokens:{bob}"]);
    let error = at("tokens:{bob}", &both).load().await.unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    redis.cli(&["HSET", ROW, "token", &raw]);
    let is_refused = after.load().await.is_err();
    assert!(is_refused);
    redis.cli(&["HSET", ROW, "token", r#"{"access_token":"planted"}"#]);
    let error = after.load().await.unwrap_err().to_string();
    assert!(
        error.contains("not sealed") && !error.contains("planted"),
        "{error}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn users_have_rows_of_their_own() -> TestResult {
    let redis = RedisServer::start("users");
    let shared = redis_at(&redis);
    let keys = [
        "tokens:{alice}",
        "tokens:{Alice}",
        "tokens:{a%3Ab}",
        "tokens:{a%253Ab}",
        "{b}",
    ];
    for (n, key) in keys.into_iter().enumerate() {
        let store = RedisTokenStore::new(&shared, key);
        let saved = store.save(&stored(n, 1)).await.unwrap();
        assert!(saved, "{key}");
        let is_leased = leased(&store).await.is_some();
        assert!(is_leased, "{key}");
    }
    for (n, key) in keys.into_iter().enumerate() {
        let store = RedisTokenStore::new(&shared, key);
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded, Some(stored(n, 1)));
    }
    for key in ["", "tokens:{}", "a}b"] {
        let store = RedisTokenStore::new(&shared, key);
        let is_refused = store.load().await.is_err();
        let is_save_refused = store.save(&stored(1, 1)).await.is_err();
        assert!(is_refused && is_save_refused);
        let is_refused = store.lease(Duration::from_secs(1)).await.is_err();
        assert!(is_refused, "{key}");
    }
    Ok(())
}
