//! Errors of the life of a token and of a client.

use std::{error::Error as StdError, fmt, time::Duration};

use super::{BoxError, Error, ErrorKind, ErrorResponse, value::Cause};

impl Error {
    pub(crate) fn token(what: &'static str) -> Self {
        Cause::new(ErrorKind::Token, what).into()
    }

    /// A login that was not completed. `what` says how to complete it.
    pub(crate) fn login(what: impl Into<String>) -> Self {
        Cause::new(ErrorKind::Login, what.into()).into()
    }

    /// The same, with the reason for the login.
    #[allow(dead_code, reason = "only the clients send")]
    pub(crate) fn login_because(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        let cause = Cause::new(ErrorKind::Login, what.into());
        cause.with_source(source.into()).into()
    }

    /// A login that the server has given up, as its response says.
    pub(crate) fn login_refused(what: &'static str, refusal: Self) -> Self {
        let cause = Cause {
            status: refusal.status(),
            response: refusal.response().cloned(),
            ..Cause::new(ErrorKind::Login, what)
        };
        cause.with_source(refusal.into()).into()
    }

    /// A login to which no callback has come in time.
    #[allow(dead_code, reason = "only the interactive logins wait for callbacks")]
    pub(crate) fn without_callback(what: &'static str) -> Self {
        Self::login_because(what, Box::new(NoCallback) as BoxError)
    }

    /// Whether the error is, or was caused by, such a login.
    #[allow(dead_code, reason = "only the clients log users in")]
    pub(crate) fn is_without_callback(&self) -> bool {
        let mut source = self.source();
        while let Some(error) = source {
            if error.is::<NoCallback>() {
                return true;
            }
            source = error.source();
        }
        false
    }

    /// A failure of the store before anything was renewed. Without a source, the holder of the
    /// lease was too slow. It is transient if an error of this crate says so.
    pub(crate) fn store(what: &'static str, source: Option<BoxError>) -> Self {
        Cause {
            is_transient: source.as_ref().is_none_or(|source| {
                let own = source.downcast_ref::<Self>();
                own.is_some_and(Self::is_transient)
            }),
            source: source.map(Into::into),
            ..Cause::new(ErrorKind::Store, what)
        }
        .into()
    }

    /// The error with this hint in its response, unless there is one already.
    pub(crate) fn hinted(self, hint: Option<&'static str>) -> Self {
        let has_none = self
            .response()
            .is_some_and(|response| response.hint().is_none());
        match hint {
            Some(hint) if has_none => self.changed(|cause| {
                cause.message = format!("{} ({hint})", cause.message).into();
                let response = cause.response.take();
                cause.response = response.map(|response| response.with_hint(Some(hint)));
            }),
            _ => self,
        }
    }

    /// Marks the error as one of a client or a grant without an end-user, such as a service account.
    pub(crate) fn unattended(self) -> Self {
        match self.response() {
            Some(_) => self.changed(|cause| {
                if let Some(response) = &mut cause.response {
                    response.unattended = true;
                }
            }),
            None => self,
        }
    }

    /// The same with little of what the server said, and without what a callback said: to be kept for
    /// long.
    pub(crate) fn in_brief(self) -> Self {
        self.changed(|cause| {
            cause.source = None;
            let response = cause.response.take();
            cause.response = response.map(ErrorResponse::in_brief);
        })
    }

    /// An unusable token from the server, which may issue a usable one later.
    pub(crate) fn useless_token(what: &'static str) -> Self {
        Cause {
            is_transient: true,
            ..Cause::new(ErrorKind::Answer, what)
        }
        .into()
    }

    /// Returns the error of an earlier attempt, as it is too early for the next one.
    pub(crate) fn paced(self, left: Duration) -> Self {
        Self(self.0, Some(left))
    }
}

/// Reason of a login to which no callback has come.
#[derive(Debug)]
struct NoCallback;

impl fmt::Display for NoCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no callback came")
    }
}

impl StdError for NoCallback {}
