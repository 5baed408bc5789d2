//! What all stores of a Redis server share: its connections, and the leases that are to be released.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use redis::{Cmd, Value};

use super::{
    super::{maybe_async, run_in_background, sleep},
    RedisConnections,
};
use crate::{
    error::{BoxError, Error, Result},
    token_store::redis::explained,
};

/// First wait before a failed release is repeated, doubled each time …
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

pub(super) struct SharedServer {
    pub(super) connections: RedisConnections,
    unreleased: Mutex<Unreleased>,
}

/// Leases that nobody waits for. While Redis is down none can be released, and once it is back, they
/// would hold up other processes until their time ends.
#[derive(Default)]
struct Unreleased {
    releases: Vec<(Cmd, Instant)>,
    /// Alive while something releases them.
    worker: Weak<()>,
}

impl SharedServer {
    pub(super) fn new(connections: RedisConnections) -> Self {
        let unreleased = Mutex::default();
        Self {
            connections,
            unreleased,
        }
    }

    /// Releases a lease in the background, again and again until its time ends.
    pub(super) fn release_later(self: Arc<Self>, release: Cmd, until: Instant) {
        let mut unreleased = self.unreleased();
        unreleased.releases.push((release, until));
        if unreleased.worker.strong_count() > 0 {
            return;
        }
        let worker = Arc::new(());
        unreleased.worker = Arc::downgrade(&worker);
        drop(unreleased);
        run_in_background(move || release_all(self, worker));
    }

    /// The next release. If there is none, the worker has ended with this.
    fn next(&self) -> Option<Cmd> {
        let mut unreleased = self.unreleased();
        let now = Instant::now();
        unreleased.releases.retain(|(_, until)| *until > now);
        let next = unreleased.releases.last();
        let next = next.map(|(release, _)| release.clone());
        if next.is_none() {
            unreleased.worker = Weak::new();
        }
        next
    }

    fn is_released(&self, release: &Cmd) {
        let done = release.get_packed_command();
        let mut unreleased = self.unreleased();
        unreleased
            .releases
            .retain(|(release, _)| release.get_packed_command() != done);
    }

    fn unreleased(&self) -> MutexGuard<'_, Unreleased> {
        self.unreleased
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[maybe_async]
impl SharedServer {
    pub(super) async fn query(&self, command: &Cmd) -> Result<Value, BoxError> {
        let answer = self.connections.query(command).await;
        answer.map_err(|error| match error.is_io_error() {
            true => Error::unreachable_store(explained(&error)).into(),
            false => explained(&error).into(),
        })
    }
}

#[maybe_async]
async fn release_all(server: Arc<SharedServer>, worker: Arc<()>) -> Result<()> {
    let mut wait = FIRST_WAIT;
    while let Some(release) = server.next() {
        let released = server.query(&release).await;
        if released.is_ok() {
            server.is_released(&release);
            wait = FIRST_WAIT;
        } else {
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
    drop(worker);
    Ok(())
}
