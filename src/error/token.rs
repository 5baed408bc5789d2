//! What the life of a token, and of a client, fails with.

use std::time::Duration;

use super::{BoxError, Error, ErrorKind, value::Cause};

impl Error {
    pub(crate) fn token(what: &'static str) -> Self {
        Cause::new(ErrorKind::Token, what).into()
    }

    /// The store failed before anything was renewed; without a source, somebody else was too slow.
    pub(crate) fn store(what: &'static str, source: Option<BoxError>) -> Self {
        Cause {
            is_transient: source.is_none(),
            source,
            ..Cause::new(ErrorKind::Store, what)
        }
        .into()
    }

    /// The server issued a token that is of no use, and may issue a better one later.
    pub(crate) fn useless_token(what: &'static str) -> Self {
        Cause {
            is_transient: true,
            ..Cause::new(ErrorKind::Answer, what)
        }
        .into()
    }

    /// The same error for somebody who has not tried, as it is too early to try again.
    pub(crate) fn paced(self, left: Duration) -> Self {
        Self(self.0, Some(left))
    }
}
