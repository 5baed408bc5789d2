//! A provider that revokes all tokens of a user whose refresh token is used twice, and counts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::*;

#[derive(Default)]
pub struct State {
    /// The number of the good refresh token of each user.
    good: HashMap<usize, usize>,
    /// Refresh tokens that were used again.
    pub reused: Vec<String>,
    /// The client and the user of each request, and when it came.
    pub requests: Vec<(String, usize, Instant)>,
    /// Time that each request takes, without which nothing is done.
    hang: Option<Duration>,
}

pub struct Provider {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl Provider {
    /// Issues tokens that live for so many seconds, each after `delay`.
    pub fn start(expires_in: u64, delay: Duration) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let own = state.clone();
        let server = Server::start(move |request: &Request| {
            let hang = own.lock().unwrap().hang;
            let client = request.parameter("client_id").unwrap_or_default();
            let token = request.parameter("refresh_token").unwrap();
            let (user, n) = token.split_once('-').unwrap();
            let (user, n): (usize, usize) = (user.parse().unwrap(), n.parse().unwrap());
            own.lock()
                .unwrap()
                .requests
                .push((client, user, Instant::now()));
            if let Some(hang) = hang {
                thread::sleep(hang);
                return Reply::raw(|_| Ok(()));
            }
            {
                let mut state = own.lock().unwrap();
                let good = state.good.entry(user).or_insert(0);
                if *good != n {
                    *good = usize::MAX;
                    state.reused.push(token);
                    return Reply::error(400, "invalid_grant");
                }
                *good += 1;
            }
            thread::sleep(delay);
            let next = format!("{user}-{}", n + 1);
            let tokens = json!({
                "access_token": next, "refresh_token": next, "expires_in": expires_in,
            });
            Reply::json(200, tokens)
        });
        Self { state, server }
    }

    pub fn token_endpoint(&self) -> String {
        self.server.url("/token")
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn requests(&self) -> usize {
        self.state().requests.len()
    }

    /// Waits for so many requests in all.
    pub fn wait_for(&self, count: usize) {
        for _ in 0..12_000 {
            if self.requests() >= count {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{} requests, not {count}", self.requests());
    }

    pub fn hang(&self, time: Option<Duration>) {
        self.state().hang = time;
    }

    #[track_caller]
    pub fn assert_no_reuse(&self) {
        let state = self.state();
        assert!(state.reused.is_empty(), "used again: {:?}", state.reused);
    }
}
