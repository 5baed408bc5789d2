//! Real servers, which revoke all tokens of a login whose refresh token is used twice.

use serde_json::json;

use super::{replicas::log_in, *};
use crate::cases::logins::{BOTH, WEB, logged_in};

const USERS: usize = 4;
const EXPIRIES: u64 = 25;

#[test]
fn servers_that_detect_reuse_detect_none() {
    for server in BOTH {
        let id = format!("processes-{server:?}");
        server.register(&json!({
            "client_id": id, "client_secret": "its-secret", "redirect_uris": [WEB],
            "grant_types": ["authorization_code", "refresh_token"],
        }));
        let client = server
            .client(&id)
            .client_secret("its-secret")
            .redirect_uri(WEB);
        let client = client.build().unwrap();
        let redis = RedisServer::start(&id);
        log_in(&redis, USERS, |_| logged_in(server, &client, WEB));
        let path = "/token";
        let settings = Settings {
            token_endpoint: format!("{}{path}", server.issuer()),
            client: id.clone(),
            secret: Some("its-secret".to_owned()),
            store: redis.url(),
            users: USERS,
            timeout: Duration::from_secs(30),
        };
        let modes = [Mode::Blocking, Mode::Async, Mode::Blocking, Mode::Async];
        let mut workers = modes.map(|mode| Worker::start(mode, &settings, 0));
        for expiry in 1..=EXPIRIES {
            for worker in &mut workers {
                worker.begin(expiry * EXPIRY);
            }
            let tokens = workers.each_mut().map(Worker::tokens);
            for other in &tokens {
                assert!(
                    other.iter().all(|token| !token.starts_with('!')),
                    "{other:?}"
                );
                assert_eq!(*other, tokens[0], "{server:?}");
            }
        }
        let counted = server.counted(&id, "refresh_token");
        assert_eq!(counted, (EXPIRIES * USERS as u64, 0), "{server:?}");
        for worker in workers {
            worker.terminate();
        }
        tell(&format!(
            "4 processes at {server:?}, {USERS} users, {EXPIRIES} expiries: {} refreshes, 0 refused",
            counted.0
        ));
    }
}
