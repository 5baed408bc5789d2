//! Failures of a keyring.

use std::{fmt, time::Duration};

/// KeyringFailure of a call of the keyring. It contains no value.
#[derive(Clone, Debug)]
pub(super) enum KeyringFailure {
    /// Access was denied, or needs a user who is not there.
    Locked(String),
    /// There was no answer in this time.
    TimedOut(Duration),
    /// Any other failure, as a clause that follows the name of the keyring.
    Other(String),
}

impl fmt::Display for KeyringFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(error) => write!(
                f,
                "is locked, or denies access; unlock it and try again ({error})"
            ),
            Self::TimedOut(time) => write!(
                f,
                "did not answer within {time:?}; it is probably locked and waits for its password: \
                 unlock it and try again"
            ),
            Self::Other(what) => f.write_str(what),
        }
    }
}
