//! Commands that Redis has done, and whose answers are lost, or which it does too late.

use super::{
    proxy::{self, Proxy},
    test, *,
};

fn proxied(name: &str) -> (RedisServer, Proxy, Redis) {
    let redis = RedisServer::start(name);
    let proxy = Proxy::start(&redis.url());
    let shared = Redis::open(&proxy.url()).expect("a URL");
    (redis, proxy, shared)
}

#[maybe_async]
#[test]
async fn a_lease_whose_answer_was_lost_is_recognised() -> TestResult {
    let (redis, proxy, shared) = proxied("lost-lease");
    let store = RedisTokenStore::new(&shared, ROW);
    proxy.lose(proxy::LEASE, 1);
    let lease = leased(&store).await.expect("its own lease");
    assert_eq!(proxy.losses(), 1);
    let is_held = leased(&store).await.is_none();
    assert!(is_held, "by the first");
    store.release(lease).await.unwrap();
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    Ok(())
}

/// The second answer too, and then there is no connection for a while.
#[maybe_async]
#[test]
async fn a_lease_that_nobody_knows_of_is_released_later() -> TestResult {
    let (redis, proxy, shared) = proxied("unknown-lease");
    let store = RedisTokenStore::new(&shared, ROW);
    store.load().await.unwrap();
    proxy.lose(proxy::LEASE, 2);
    let is_unanswered = store.lease(Duration::from_secs(60)).await.is_err();
    proxy.refuse(true);
    assert!(is_unanswered);
    assert_eq!(proxy.losses(), 2);
    proxy.lose("", usize::MAX);
    sleep(Duration::from_millis(300)).await;
    proxy.lose("", 0);
    proxy.refuse(false);
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    Ok(())
}

/// What was requested arrives at the server after the release of it.
#[maybe_async]
#[test]
async fn a_lease_that_comes_too_late_is_released() -> TestResult {
    let (redis, proxy, shared) = proxied("late-lease");
    let shared = shared.timeout(Duration::from_secs(1));
    let store = RedisTokenStore::new(&shared, ROW);
    store.load().await.unwrap();
    proxy.hold(Some(proxy::LEASE));
    let is_unanswered = store.lease(Duration::from_secs(60)).await.is_err();
    assert!(is_unanswered);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    proxy.hold(None);
    sleep(Duration::from_millis(50)).await;
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_release_whose_answer_was_lost_is_repeated() -> TestResult {
    let (redis, proxy, shared) = proxied("lost-release");
    let store = RedisTokenStore::new(&shared, ROW);
    for losses in [1, 2] {
        let lease = leased(&store).await.expect("a lease");
        proxy.lose(proxy::RELEASE, losses);
        let released = store.release(lease).await;
        assert_eq!(released.is_ok(), losses == 1);
        let is_free = is_free_in_the_end(&redis).await;
        assert!(is_free);
    }
    assert_eq!(proxy.losses(), 3);
    Ok(())
}

/// The token is stored, and the client does not know it: no second request, and no lease that is left.
#[maybe_async]
#[test]
async fn a_save_whose_answer_was_lost_ends_the_lease_all_the_same() -> TestResult {
    let (redis, proxy, shared) = proxied("lost-save");
    let server = strict();
    put(&redis, expired()).await;
    let client = client_of(&server)
        .token_store(RedisTokenStore::new(&shared, ROW))
        .build()?;
    proxy.lose(proxy::SAVE, 2);
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update, "{error:?}");
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "1");
    let is_free = is_free_in_the_end(&redis).await;
    assert!(is_free);
    let token = client.ensure_active_token().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    assert_eq!(server.count("/token"), 1);
    let row = store_at(&redis).load().await.unwrap().expect("a row");
    assert_eq!(row.version, 2);
    Ok(())
}
