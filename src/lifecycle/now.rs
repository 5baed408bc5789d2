//! Time of an event.

use std::time::Duration;

use crate::clock::Clock;

/// Time of an event, by both kinds of clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Since 1970, by the wall clock, which may be set back: for expiry.
    pub(crate) unix: Duration,
    /// Since an arbitrary moment, never decreasing: for waits.
    pub(crate) monotonic: Duration,
}

impl Now {
    pub(crate) fn by(clock: &Clock) -> Self {
        Self {
            unix: clock.unix(),
            monotonic: clock.monotonic(),
        }
    }
}
