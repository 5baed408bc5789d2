//! Callers: tasks and threads that ask for the token and send requests, are aborted, have short
//! timeouts, log in, and close.

use std::time::Duration;

use crate::{CLIENT_TIMEOUT, CLOSE_TIMEOUT, random::Rng};

pub mod asynchronous;
pub mod blocking;

/// One call.
pub struct Call {
    pub action: Action,
    /// The user logs in before.
    pub log_in: bool,
    /// A task is aborted after this.
    pub abort_after: Option<Duration>,
    /// Wait of the caller afterwards.
    pub pause: Duration,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    EnsureActiveToken,
    RefreshToken,
    /// A request to the API with this timeout.
    Request(Duration),
    Close,
}

impl Call {
    pub fn new(rng: &mut Rng) -> Self {
        let action = match rng.below(1000) {
            0..20 => Action::Close,
            20..22 => Action::RefreshToken,
            22..300 => Action::Request(match rng.below(4) {
                0 => rng.millis(20, 300),
                _ => rng.millis(1000, 2000),
            }),
            _ => Action::EnsureActiveToken,
        };
        Self {
            action,
            log_in: rng.below(1000) == 0,
            abort_after: (rng.below(20) == 0).then(|| rng.millis(0, 100)),
            pause: rng.millis(200, 1800),
        }
    }
}

impl Action {
    /// The call's own limit.
    pub fn limit(self) -> Duration {
        match self {
            Self::EnsureActiveToken | Self::RefreshToken => CLIENT_TIMEOUT,
            Self::Request(timeout) => timeout,
            // For a renewal in flight, and for what is not delivered yet.
            Self::Close => 2 * CLOSE_TIMEOUT,
        }
    }
}
