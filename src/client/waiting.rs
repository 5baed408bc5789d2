//! Waits of callers, and their limits.

use std::time::{Duration, Instant};

use super::{maybe_async, wait_for};
use crate::{
    error::{Error, Result},
    lifecycle::single_flight::{Flight, Outcome},
    signal::Signal,
};

/// Timeout of a call of a store.
pub(super) const STORE_CALL: Duration = Duration::from_secs(10);

/// The outcome of a flight, waited for until the deadline.
#[maybe_async]
pub(super) async fn outcome_of(flight: &Flight, deadline: Deadline) -> Result<Outcome> {
    let outcome = wait_for(&flight.outcome, deadline.left()).await;
    outcome.unwrap_or_else(|| Err(renewal_timed_out()))
}

/// Waits for a signal; whether it was set before the deadline.
#[maybe_async]
pub(super) async fn is_set_until<T: Clone>(signal: &Signal<T>, deadline: Deadline) -> bool {
    wait_for(signal, deadline.left()).await.is_some()
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

    /// What is left, but `limit` at most.
    pub(super) fn left_of(self, limit: Duration) -> Duration {
        self.left().min(limit)
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
