//! A replica that is killed.

use std::{collections::BTreeSet, thread, time::Duration};

use super::{
    replicas::{MODES, log_in},
    *,
};

/// What no client can prevent: the provider has answered, and the process is killed before Redis has
/// the token. It costs the logins that were in this window, and no other.
#[test]
fn a_replica_that_is_killed_loses_only_what_it_was_renewing() {
    const USERS: usize = 12;
    /// Users of the one that is killed.
    const OWN: usize = 5;
    let redis = RedisServer::start("killed");
    let provider = Provider::start(600, Duration::from_secs(1));
    log_in(&redis, USERS, first_token);
    let mut workers: Vec<_> = (0..3)
        .map(|n| {
            let settings = Settings {
                token_endpoint: provider.token_endpoint(),
                client: format!("replica-{n}"),
                secret: None,
                store: redis.url(),
                users: if n == 0 { OWN } else { USERS },
                timeout: Duration::from_secs(5),
            };
            Worker::start(MODES[n], &settings, 0)
        })
        .collect();
    workers[0].begin(EXPIRY);
    provider.wait_for(1);
    workers.remove(0).kill();
    for worker in &mut workers {
        worker.begin(EXPIRY);
    }
    let tokens: Vec<_> = workers.iter_mut().map(Worker::tokens).collect();
    let window = users_of(&provider, "replica-0");
    // The others wait for its leases, and have all other tokens.
    for tokens in tokens {
        for (user, token) in tokens.iter().enumerate() {
            let is_leased = token.starts_with("!Store needs_login=false");
            let is_renewed = *token == format!("{user}-1") && !window.contains(&user);
            assert!(is_renewed || (is_leased && user < OWN), "{user}: {token}");
        }
    }
    provider.assert_no_reuse();
    // As if the time of its leases had ended. It held some that it had not used yet.
    let leases = redis.cli(&["KEYS", "*:lease"]);
    assert!(leases.lines().count() >= window.len());
    redis.cli(&[
        "EVAL",
        "for _, key in ipairs(redis.call('KEYS', '*:lease')) do redis.call('DEL', key) end",
        "0",
    ]);
    thread::sleep(Duration::from_secs(3));
    let mut lost = BTreeSet::new();
    for worker in &mut workers {
        worker.begin(EXPIRY);
        for (user, token) in worker.tokens().iter().enumerate() {
            if token.contains("needs_login=true") {
                lost.insert(user);
            } else {
                assert_eq!(*token, format!("{user}-1"));
            }
        }
    }
    assert_eq!(lost, window);
    assert!(!lost.is_empty());
    let reused: BTreeSet<_> = provider.state().reused.iter().cloned().collect();
    assert_eq!(
        reused,
        lost.iter().map(|user| format!("{user}-0")).collect()
    );
    for worker in workers {
        worker.terminate();
    }
    tell(&format!(
        "1 of 3 replicas killed by SIGKILL while the provider answered: {} of {USERS} logins lost, \
         those that were in its hands",
        lost.len()
    ));
}

fn users_of(provider: &Provider, client: &str) -> BTreeSet<usize> {
    let state = provider.state();
    let own = state.requests.iter().filter(|(own, ..)| own == client);
    own.map(|(_, user, _)| *user).collect()
}
