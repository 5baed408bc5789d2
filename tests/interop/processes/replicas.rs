//! Replicas of a service on Redis, which are terminated and started while they renew, as Redis is.

use std::{
    thread,
    time::{Duration, Instant},
};

use oauth_twin::{OAuth2Client, Redis, RedisTokenStore, UserKey};

use super::*;

pub const MODES: [Mode; 3] = [Mode::Async, Mode::Blocking, Mode::Async];

/// Stores the first token of each user, as their logins do.
pub fn log_in(redis: &RedisServer, users: usize, token: impl Fn(usize) -> Token) {
    let shared = Redis::open(&redis.url()).unwrap();
    let client = OAuth2Client::builder("id")
        .token_endpoint("http://127.0.0.1:9/token")
        .user_store(move |user: &UserKey| {
            RedisTokenStore::new(&shared, format!("tokens:{{{user}}}"))
        })
        .build()
        .unwrap();
    for n in 0..users {
        client.for_user(user(n)).set_token(token(n)).unwrap();
    }
    client.close().unwrap();
}

struct Replicas {
    settings: Settings,
    workers: Vec<Worker>,
    /// The time of the next worker.
    ahead: u64,
    restarts: usize,
}

impl Replicas {
    fn begin(&mut self, expiry: u64) {
        self.ahead = expiry * EXPIRY;
        for worker in &mut self.workers {
            worker.begin(self.ahead);
        }
    }

    /// Terminates the replica, which renews, and starts another.
    fn restart(&mut self, n: usize) {
        let next = Worker::start(MODES[n], &self.settings, self.ahead);
        std::mem::replace(&mut self.workers[n], next).terminate();
        self.workers[n].begin(self.ahead);
        self.restarts += 1;
    }

    /// What each of them has in the end, when nothing fails any more.
    fn settle(&mut self) -> Vec<Vec<String>> {
        for _ in 0..240 {
            let tokens: Vec<_> = self.workers.iter_mut().map(Worker::tokens).collect();
            let failed: Vec<_> = tokens
                .iter()
                .flatten()
                .filter(|t| t.starts_with('!'))
                .collect();
            let lost = failed
                .iter()
                .find(|error| error.contains("needs_login=true"));
            assert!(lost.is_none(), "lost: {lost:?}");
            if failed.is_empty() {
                return tokens;
            }
            thread::sleep(Duration::from_millis(250));
            for worker in &mut self.workers {
                worker.begin(self.ahead);
            }
        }
        panic!("no tokens in the end");
    }
}

/// Asserts that nobody holds a lease any more; what was lost at a restart is released in the background.
#[track_caller]
fn assert_no_lease(redis: &RedisServer, expiry: u64) {
    let began = Instant::now();
    let mut left = String::new();
    while began.elapsed() < Duration::from_secs(30) {
        left = redis.cli(&["KEYS", "*:lease"]);
        if left.is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("still leased after expiry {expiry}: {left}");
}

#[test]
fn replicas_and_redis_restart_while_tokens_are_renewed() {
    const USERS: usize = 200;
    const EXPIRIES: u64 = 50;
    let mut redis = RedisServer::start("replicas");
    let provider = Provider::start(600, Duration::from_millis(20));
    log_in(&redis, USERS, first_token);
    let settings = Settings {
        token_endpoint: provider.token_endpoint(),
        client: "id".to_owned(),
        secret: None,
        store: redis.url(),
        users: USERS,
        timeout: Duration::from_secs(10),
    };
    let workers = MODES.map(|mode| Worker::start(mode, &settings, 0)).into();
    let mut replicas = Replicas {
        settings,
        workers,
        ahead: 0,
        restarts: 0,
    };
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    let mut redis_restarts = 0;
    for expiry in 1..=EXPIRIES {
        let before = provider.requests();
        let round = Instant::now();
        replicas.begin(expiry);
        match expiry % 10 {
            2 | 4 | 6 | 8 => {
                provider.wait_for(before + USERS / 4);
                replicas.restart(replicas.restarts % MODES.len());
            }
            5 => {
                provider.wait_for(before + USERS / 4);
                redis.stop();
                thread::sleep(Duration::from_millis(300));
                redis.start_again();
                redis_restarts += 1;
            }
            _ => {}
        }
        let tokens = replicas.settle();
        longest = longest.max(round.elapsed());
        for (n, tokens) in tokens.iter().enumerate() {
            for (user, token) in tokens.iter().enumerate() {
                assert_eq!(*token, format!("{user}-{expiry}"), "replica {n}");
            }
        }
        provider.assert_no_reuse();
        let requests = provider.requests() - before;
        assert_eq!(requests, USERS, "at expiry {expiry}");
        assert_no_lease(&redis, expiry);
        if expiry == 27 {
            // All of them have the tokens, and Redis loses its own.
            redis.cli(&["FLUSHALL"]);
        }
    }
    let took = began.elapsed();
    for worker in replicas.workers {
        worker.terminate();
    }
    assert_eq!(
        redis.cli(&["DBSIZE"]),
        USERS.to_string(),
        "no lease is left"
    );
    tell(&format!(
        "3 replicas on Redis, {USERS} users, {EXPIRIES} expiries, {} restarts by SIGTERM, Redis \
         restarted {redis_restarts} times and cleared once: {} token requests, 0 used again, 0 logins lost; longest \
         round {longest:.1?}, in all {took:.1?}",
        replicas.restarts,
        provider.requests()
    ));
}
