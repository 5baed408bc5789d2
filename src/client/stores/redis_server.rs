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

/// First wait before a release is repeated, doubled each time …
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
    releases: Vec<Release>,
    /// The wait after the last failure; none after a success.
    wait: Option<Duration>,
    /// Alive while something releases them.
    worker: Weak<()>,
}

/// End of a lease, to be repeated until it is known to have ended.
struct Release {
    command: Cmd,
    /// When the lease ends by itself.
    until: Instant,
    /// Whether the server has granted the lease. If its answer was lost, the request for it may
    /// arrive after the first release.
    is_granted: bool,
    next: Instant,
    wait: Duration,
}

/// What the worker does next.
enum NextRelease {
    Release(Cmd),
    Wait(Duration),
    Nothing,
}

impl SharedServer {
    pub(super) fn new(connections: RedisConnections) -> Self {
        let unreleased = Mutex::default();
        Self {
            connections,
            unreleased,
        }
    }

    /// Releases a lease in the background, again and again until it has ended.
    pub(super) fn release_later(self: Arc<Self>, command: Cmd, until: Instant, is_granted: bool) {
        let mut unreleased = self.unreleased();
        unreleased.releases.push(Release {
            command,
            until,
            is_granted,
            next: Instant::now(),
            wait: FIRST_WAIT,
        });
        if unreleased.worker.strong_count() > 0 {
            return;
        }
        let worker = Arc::new(());
        unreleased.worker = Arc::downgrade(&worker);
        drop(unreleased);
        run_in_background(move || release_all(self, worker));
    }

    /// If there is nothing, the worker has ended with this.
    fn due(&self) -> NextRelease {
        let mut unreleased = self.unreleased();
        let now = Instant::now();
        unreleased.releases.retain(|release| release.until > now);
        let Some(first) = unreleased.releases.iter().min_by_key(|first| first.next) else {
            unreleased.worker = Weak::new();
            return NextRelease::Nothing;
        };
        match first.next.saturating_duration_since(now) {
            Duration::ZERO => NextRelease::Release(first.command.clone()),
            // Another may come meanwhile.
            wait => NextRelease::Wait(wait.min(FIRST_WAIT)),
        }
    }

    /// Notes that the server has answered; whether it has ended a lease by that.
    fn note_answer(&self, command: &Cmd, has_ended: bool) {
        let done = command.get_packed_command();
        let mut unreleased = self.unreleased();
        unreleased.wait = None;
        unreleased.releases.retain_mut(|release| {
            if release.command.get_packed_command() != done {
                return true;
            }
            release.next = Instant::now() + release.wait;
            release.wait = (release.wait * 2).min(LONGEST_WAIT);
            !has_ended && !release.is_granted
        });
    }

    /// Notes that the server cannot be reached: nothing is sent for a while.
    fn note_failure(&self) {
        let mut unreleased = self.unreleased();
        let wait = unreleased.wait.map_or(FIRST_WAIT, |wait| wait * 2);
        let wait = wait.min(LONGEST_WAIT);
        unreleased.wait = Some(wait);
        let next = Instant::now() + wait;
        for release in &mut unreleased.releases {
            release.next = release.next.max(next);
        }
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
    loop {
        match server.due() {
            NextRelease::Nothing => break,
            NextRelease::Wait(time) => sleep(time).await,
            NextRelease::Release(command) => {
                let answer = server.query(&command).await;
                match answer {
                    Ok(answer) => server.note_answer(&command, answer == Value::Int(1)),
                    Err(_) => server.note_failure(),
                }
            }
        }
    }
    drop(worker);
    Ok(())
}
