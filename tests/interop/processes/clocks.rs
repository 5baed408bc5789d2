//! Processes whose clocks differ.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    replicas::{MODES, log_in},
    *,
};

/// Each of them sees the tokens of another as expired when they are issued.
#[test]
fn clocks_that_are_two_minutes_apart_cost_some_requests() {
    const USERS: usize = 5;
    const TIME: Duration = Duration::from_secs(6);
    let redis = RedisServer::start("clocks");
    let provider = Provider::start(2, Duration::ZERO);
    log_in(&redis, USERS, first_token);
    let settings = Settings {
        token_endpoint: provider.token_endpoint(),
        client: String::new(),
        secret: None,
        store: redis.url(),
        users: USERS,
        timeout: Duration::from_secs(10),
    };
    let mut workers: Vec<_> = (0..3)
        .map(|n| {
            let client = format!("replica-{n}");
            let settings = Settings {
                client,
                ..settings.clone()
            };
            Worker::start(MODES[n], &settings, 120 * n as u64)
        })
        .collect();
    let began = Instant::now();
    for worker in &mut workers {
        worker.begin_for(TIME);
    }
    for worker in &mut workers {
        for token in worker.tokens() {
            assert!(!token.starts_with('!'), "{token}");
        }
    }
    let took = began.elapsed();
    provider.assert_no_reuse();
    let mut at = HashMap::<_, Vec<Instant>>::new();
    for (client, user, when) in &provider.state().requests {
        at.entry((client.clone(), *user)).or_default().push(*when);
    }
    let mut most = 0;
    for ((client, user), times) in &at {
        for begin in times {
            let within = |time: &&Instant| {
                **time >= *begin && time.duration_since(*begin) < Duration::from_secs(1)
            };
            let count = times.iter().filter(within).count();
            // One more than there are, as the server may be late to see one.
            assert!(count <= 3, "{client} {user}: {count} within a second");
        }
        let seconds = usize::try_from(took.as_secs()).unwrap();
        assert!(
            times.len() <= seconds + 1,
            "{client} {user}: {}",
            times.len()
        );
        most = most.max(times.len());
    }
    tell(&format!(
        "3 replicas with clocks 2 minutes apart, {USERS} users, tokens of 2 s, {TIME:?}: {} token \
         requests, at most {most} of one replica for one user, 0 used again",
        provider.requests()
    ));
    for worker in workers {
        worker.terminate();
    }
}
