//! Errors of operations that did not begin, or were cut off.

use super::{Error, ErrorKind, value::Cause};

impl Error {
    pub(crate) fn random() -> Self {
        Self::unprovided("the operating system provided no random numbers")
    }

    /// What the system has not provided for an operation, which did not begin.
    pub(crate) fn unprovided(what: &'static str) -> Self {
        Cause {
            is_transient: true,
            ..Cause::new(ErrorKind::Interrupted, what)
        }
        .into()
    }

    pub(crate) fn interrupted(what: &'static str) -> Self {
        Cause {
            is_transient: true,
            outcome_unknown: true,
            ..Cause::new(ErrorKind::Interrupted, what)
        }
        .into()
    }
}
