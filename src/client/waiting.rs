//! Waits of callers, and their limits.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Store, maybe_async, wait_for};
use crate::{
    error::{Error, Result},
    lifecycle::single_flight::{Outcome, Waiter},
    signal::Signal,
};

/// Timeout of a call of a store.
pub(super) const STORE_CALL: Duration = Duration::from_secs(10);

/// Store of a slot.
#[derive(Clone)]
pub(in super::super) struct KeptIn(pub(super) Store);

impl fmt::Debug for KeptIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptIn")
    }
}

/// Signal that callers of one mode wait for: the outcome of a flight.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Waiting(Arc<Signal<Result<Outcome>>>);

impl Waiter for Waiting {
    type Store = KeptIn;

    fn settle(&self, outcome: Result<Outcome>) {
        self.0.set(outcome);
    }

    fn is_settled(&self) -> bool {
        self.0.is_set()
    }
}

impl Waiting {
    /// The outcome, if there is one yet.
    pub(super) fn outcome(&self) -> Option<Result<Outcome>> {
        self.0.get()
    }
}

#[maybe_async]
impl Waiting {
    /// The outcome, waited for until the deadline.
    pub(super) async fn until(&self, deadline: Deadline) -> Result<Outcome> {
        let outcome = wait_for(&self.0, deadline.left()).await;
        outcome.unwrap_or_else(|| Err(renewal_timed_out()))
    }

    /// Waits for any outcome; whether there was one before the deadline.
    pub(super) async fn has_ended(&self, deadline: Deadline) -> bool {
        wait_for(&self.0, deadline.left()).await.is_some()
    }
}

pub(super) fn renewal_timed_out() -> Error {
    Error::timed_out("timed out waiting for the renewal of the token")
}

pub(super) fn store_timed_out() -> Error {
    Error::timed_out("timed out waiting for token_store")
}

/// End of a caller's wait, whatever it waits for.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Deadline(Option<Instant>);

impl Deadline {
    /// None, if `limit` is too long for an `Instant`.
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// The deadline at half of the remaining time, and that half.
    pub(super) fn half(self) -> (Self, Duration) {
        let now = Instant::now();
        let half = self.left_at(now) / 2;
        (Self(now.checked_add(half)), half)
    }

    pub(super) fn left(self) -> Duration {
        self.left_at(Instant::now())
    }

    fn left_at(self, now: Instant) -> Duration {
        match self.0 {
            Some(deadline) => deadline.saturating_duration_since(now),
            None => Duration::MAX,
        }
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
