//! A provider that takes longer than a client waits for it.

use std::time::{Duration, Instant};

use super::{
    replicas::{MODES, log_in},
    *,
};

const USERS: usize = 5;

/// A request ends before its lease does, so no other process sends the refresh token meanwhile.
#[test]
fn a_request_ends_long_before_its_lease() {
    let redis = RedisServer::start("slow");
    let provider = Provider::start(600, Duration::from_millis(1500));
    log_in(&redis, USERS, first_token);
    let settings = settings(&redis, &provider, Duration::from_secs(10));
    let mut workers = MODES.map(|mode| Worker::start(mode, &settings, 0));
    for worker in &mut workers {
        worker.begin(EXPIRY);
    }
    provider.wait_for(USERS);
    let left = least_lease(&redis);
    for worker in &mut workers {
        let tokens: Vec<_> = (0..USERS).map(|user| format!("{user}-1")).collect();
        assert_eq!(worker.tokens(), tokens);
    }
    provider.assert_no_reuse();
    assert_eq!(provider.requests(), USERS);
    // Twice the timeout and 30 seconds, less the wait for the requests.
    assert!(left > Duration::from_secs(30), "{left:?}");
    for worker in workers {
        worker.terminate();
    }
}

#[test]
fn a_provider_that_hangs_is_asked_again_at_a_slow_pace() {
    let redis = RedisServer::start("hanging");
    let provider = Provider::start(600, Duration::ZERO);
    log_in(&redis, USERS, first_token);
    let settings = settings(&redis, &provider, Duration::from_secs(2));
    let mut workers = MODES.map(|mode| Worker::start(mode, &settings, 0));
    provider.hang(Some(Duration::from_secs(4)));
    let began = Instant::now();
    for _ in 0..4 {
        for worker in &mut workers {
            worker.begin(EXPIRY);
        }
        for worker in &mut workers {
            for token in worker.tokens() {
                assert!(
                    token.starts_with('!') && token.contains("needs_login=false"),
                    "{token}"
                );
            }
        }
    }
    let (asked, took) = (provider.requests(), began.elapsed());
    // The lease goes round, so a user has one request at a time, which takes two seconds.
    let most = USERS * (1 + usize::try_from(took.as_secs()).unwrap());
    assert!((USERS..=most).contains(&asked), "{asked} in {took:?}");
    provider.hang(None);
    let tokens: Vec<_> = (0..USERS).map(|user| format!("{user}-1")).collect();
    for worker in &mut workers {
        let has_ended = (0..60).any(|_| {
            worker.begin(EXPIRY);
            let is_there = worker.tokens() == tokens;
            if !is_there {
                std::thread::sleep(Duration::from_millis(250));
            }
            is_there
        });
        assert!(has_ended);
    }
    provider.assert_no_reuse();
    assert_eq!(provider.requests(), asked + USERS);
    tell(&format!(
        "a provider that hangs, 3 replicas, {USERS} users: {asked} requests in {took:.1?}, then {USERS} \
         that succeed, 0 used again"
    ));
}

fn settings(redis: &RedisServer, provider: &Provider, timeout: Duration) -> Settings {
    Settings {
        token_endpoint: provider.token_endpoint(),
        client: "id".to_owned(),
        secret: None,
        store: redis.url(),
        users: USERS,
        timeout,
    }
}

/// The least time that a lease has left.
fn least_lease(redis: &RedisServer) -> Duration {
    let keys = redis.cli(&["KEYS", "*:lease"]);
    // A lease that was released meanwhile has no time.
    let left = |key| redis.cli(&["PTTL", key]).parse().ok();
    let left = keys.lines().filter_map(left).min().expect("leases");
    Duration::from_millis(left)
}
