//! One error for both modes: what went wrong, whose fault it is, and what can be done about it.

mod response;

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::StatusCode;

pub use response::{ErrorCode, ErrorResponse};

/// What a callback of yours may fail with.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// Cheap to clone: everybody who waited for a renewal gets the same error. It holds no token,
/// code, secret or query string, neither in `Display` nor in `Debug` nor in its sources.
///
/// ```
/// use oauth_twin::{Error, ErrorKind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         _ if error.needs_login() => "send the person to the login page",
///         _ if error.is_transient() => "try again later",
///         ErrorKind::Usage => "mend the program",
///         _ => "tell somebody",
///     }
/// }
/// # let error = oauth_twin::oauth2::Scope::from("no\"quotes").validate().unwrap_err();
/// # assert_eq!(advice(&error), "mend the program");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Cause>);

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The network: no connection, no answer in time, a connection that broke.
    Transport,
    /// The server refused or failed: an OAuth error or an HTTP error status.
    Server,
    /// What came from the other side is not what the RFC says: an answer, a callback, or a signed
    /// token that cannot be trusted.
    Answer,
    /// The caller: a bad setting, a bad argument, a request that must not be sent.
    Usage,
    /// There is no token that could be used, and no way to get one without the person.
    Token,
    /// The caller's own callback or token store did not take what the client holds, which is usable
    /// all the same.
    Update,
    /// The token store could not be read or gave no lease, so nothing was renewed.
    Store,
    /// The client is closed.
    Closed,
    /// A callback called a method that would wait for the callback itself.
    Reentrant,
    /// The work was cut off: its runtime shut down, or it panicked.
    Interrupted,
}

#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    expect(dead_code, reason = "there are no clients to fail so")
)]
enum Cause {
    #[error("{}", transport_clause(source))]
    Transport { source: reqwest::Error },
    #[error(transparent)]
    Response(ErrorResponse),
    #[error("{what}{}", with_status(*status))]
    Answer {
        what: String,
        status: Option<StatusCode>,
    },
    #[error("{0}")]
    Usage(String),
    #[error("{what} could not make the request")]
    Callback {
        what: &'static str,
        source: BoxError,
    },
    #[error("bad settings: {}", problems.join("; "))]
    Configuration { problems: Vec<String> },
    #[error("{0}")]
    Token(&'static str),
    #[error("the token was obtained and is usable, but update_token failed")]
    Update { source: BoxError },
    #[error("the client goes on with what it has, but token_store did not take it")]
    Unsaved { source: BoxError },
    #[error("{what}")]
    Store {
        what: &'static str,
        source: Option<BoxError>,
    },
    #[error("the client is closed")]
    Closed,
    #[error("{0} was called from a callback of the client, which it would wait for")]
    Reentrant(&'static str),
    #[error("{0}")]
    Interrupted(&'static str),
}

impl Error {
    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Cause::Transport { source } if source.is_status() => ErrorKind::Server,
            Cause::Transport { source } if source.is_redirect() || is_unreadable(source) => {
                ErrorKind::Answer
            }
            Cause::Transport { source } if source.is_builder() => ErrorKind::Usage,
            Cause::Transport { .. } => ErrorKind::Transport,
            Cause::Response(_) => ErrorKind::Server,
            Cause::Answer { .. } => ErrorKind::Answer,
            Cause::Usage(_) | Cause::Configuration { .. } | Cause::Callback { .. } => {
                ErrorKind::Usage
            }
            Cause::Token(_) => ErrorKind::Token,
            Cause::Update { .. } | Cause::Unsaved { .. } => ErrorKind::Update,
            Cause::Store { .. } => ErrorKind::Store,
            Cause::Closed => ErrorKind::Closed,
            Cause::Reentrant(_) => ErrorKind::Reentrant,
            Cause::Interrupted(_) => ErrorKind::Interrupted,
        }
    }

    /// What the server said, if it refused: the OAuth error, its description, the headers.
    ///
    /// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    pub fn response(&self) -> Option<&ErrorResponse> {
        match &*self.0 {
            Cause::Response(response) => Some(response),
            _ => None,
        }
    }

    /// The OAuth error code, if the server sent one.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.response()?.code()
    }

    /// The HTTP status of the answer that is the error, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match &*self.0 {
            Cause::Transport { source } => source.status(),
            Cause::Response(response) => response.status(),
            Cause::Answer { status, .. } => *status,
            _ => None,
        }
    }

    /// Whether the same call may well succeed later without anything being mended.
    pub fn is_transient(&self) -> bool {
        match &*self.0 {
            // Without a source, it was for want of time.
            Cause::Interrupted(_) | Cause::Store { source: None, .. } => true,
            Cause::Response(response) => response.is_transient(),
            Cause::Transport { source } => match self.kind() {
                ErrorKind::Transport => !is_distrusted(source),
                _ => self
                    .status()
                    .is_some_and(|status| status.is_server_error() || status == 429),
            },
            _ => false,
        }
    }

    /// When the server asks to be tried again, if it says so in `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.response()?.retry_after()
    }

    /// Whether the server may have done what was asked although no usable answer came.
    ///
    /// A refresh token may then have been spent. Such a request is never repeated within the same
    /// call; the next call uses the refresh token again, as there is nothing else.
    pub fn outcome_unknown(&self) -> bool {
        match &*self.0 {
            Cause::Interrupted(_) => true,
            Cause::Transport { source } => {
                self.kind() == ErrorKind::Answer
                    || (self.kind() == ErrorKind::Transport && !source.is_connect())
            }
            Cause::Response(response) => response
                .status()
                .is_some_and(|status| status.is_server_error() && status != 503),
            Cause::Answer { status, .. } => status.is_some_and(|status| status.is_success()),
            _ => false,
        }
    }

    /// Whether only the person can help, by logging in again. Never so for an assertion client:
    /// nobody logs in there.
    pub fn needs_login(&self) -> bool {
        match &*self.0 {
            Cause::Token(_) => true,
            Cause::Response(response) => response.needs_login(),
            _ => false,
        }
    }

    pub(crate) fn random() -> Self {
        Cause::Interrupted("the operating system gave no random numbers").into()
    }

    pub(crate) fn refused(response: ErrorResponse) -> Self {
        Cause::Response(response).into()
    }

    /// The answer breaks the RFC. `what` must not quote the answer.
    pub(crate) fn answer(what: impl Into<String>, status: StatusCode) -> Self {
        Cause::Answer {
            what: what.into(),
            status: Some(status),
        }
        .into()
    }

    /// The callback is not the answer to the authorization request. `what` must not quote it.
    pub(crate) fn callback(what: impl Into<String>) -> Self {
        Cause::Answer {
            what: what.into(),
            status: None,
        }
        .into()
    }

    /// What was received is no token that can be trusted. `what` must not quote it.
    pub(crate) fn distrusted(what: impl Into<String>) -> Self {
        Self::callback(what)
    }

    /// A mistake of the caller's. `what` says what to do and quotes no secret.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Cause::Usage(what.into()).into()
    }

    /// A grant or a client authentication could not make the request; an error of ours that it
    /// passed on stays what it is.
    pub(crate) fn refused_by(what: &'static str, source: BoxError) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => Cause::Callback { what, source }.into(),
        }
    }
}

/// What only the clients fail with.
#[cfg(any(feature = "async", feature = "blocking"))]
impl Error {
    /// Whether the request was certainly not carried out, so that it may be repeated at once.
    pub(crate) fn is_certain_and_transient(&self) -> bool {
        self.is_transient() && !self.outcome_unknown()
    }

    pub(crate) fn configuration(problems: Vec<String>) -> Self {
        Cause::Configuration { problems }.into()
    }

    /// The same of a client for which nobody logs in, such as a service account.
    pub(crate) fn unattended(self) -> Self {
        match &*self.0 {
            Cause::Response(response) => Self::refused(response.clone().unattended()),
            _ => self,
        }
    }

    pub(crate) fn token(what: &'static str) -> Self {
        Cause::Token(what).into()
    }

    /// Whether there was no connection, so that nothing was sent and another may be had.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(&*self.0, Cause::Transport { source } if source.is_connect())
            && self.is_transient()
    }

    /// The caller's own code failed where it had to complete a request. An error of ours that it
    /// passes on is about something else than that request, and stays the source.
    pub(crate) fn failed_in(what: &'static str, source: BoxError) -> Self {
        Cause::Callback { what, source }.into()
    }

    pub(crate) fn update(source: BoxError) -> Self {
        Cause::Update { source }.into()
    }

    /// The store did not take a token.
    pub(crate) fn unsaved(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        Cause::Unsaved { source }.into()
    }

    /// The store failed before anything was renewed; without a source, somebody else was too slow.
    pub(crate) fn store(what: &'static str, source: Option<BoxError>) -> Self {
        Cause::Store { what, source }.into()
    }

    /// The body of an answer could not be read to its end.
    #[cfg(feature = "blocking")]
    pub(crate) fn broken_off(source: std::io::Error) -> Self {
        match source.downcast::<reqwest::Error>() {
            Ok(error) => error.into(),
            // reqwest wraps an error of its own, whatever happened.
            Err(_other) => Self::interrupted("the answer broke off"),
        }
    }

    pub(crate) fn closed() -> Self {
        Cause::Closed.into()
    }

    pub(crate) fn reentrant(method: &'static str) -> Self {
        Cause::Reentrant(method).into()
    }

    pub(crate) fn interrupted(what: &'static str) -> Self {
        Cause::Interrupted(what).into()
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }
}

/// The URL is taken out: it may carry a token or a code.
impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        let source = error.without_url();
        Cause::Transport { source }.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind());
        debug.field("message", &format_args!("{}", self.0));
        if let Some(source) = self.source() {
            debug.field("source", &format_args!("{source}"));
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// Whether the answer came and makes no sense, such as what is not the gzip that it says it is.
///
/// reqwest calls that a failure to decode or to read the body, depending on the mode, and says the
/// same of a connection that breaks. Below its own errors stands what happened: an error of the
/// decompressor is an I/O error, one of the connection is hyper's.
fn is_unreadable(error: &reqwest::Error) -> bool {
    if error.is_timeout() || !(error.is_decode() || error.is_body()) {
        return false;
    }
    let mut cause = error.source();
    while let Some(inner) = cause.filter(|cause| cause.is::<reqwest::Error>()) {
        cause = inner.source();
    }
    cause.is_none_or(|cause| cause.is::<std::io::Error>() || cause.is::<serde_json::Error>())
}

/// Whether the other side failed to prove who it is, which it will fail to do next time too. TLS
/// libraries say so by an I/O error about invalid data.
fn is_distrusted(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(io) if io.kind() == std::io::ErrorKind::InvalidData => return true,
            // The source of an I/O error is that of the error within, which is passed over so.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

fn transport_clause(error: &reqwest::Error) -> &'static str {
    match error {
        _ if error.is_connect() => "could not connect to the server",
        _ if error.is_timeout() => "the server did not answer in time",
        _ if error.is_builder() => "the request could not be built",
        _ if error.is_redirect() => "a redirect could not be followed",
        _ if error.is_status() => "the server answered with an error status",
        _ if is_unreadable(error) => "the answer could not be read",
        _ => "the connection to the server failed",
    }
}

fn with_status(status: Option<StatusCode>) -> String {
    status.map_or_else(String::new, |status| format!(" (status {status})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder_error() -> reqwest::Error {
        let url = "http://user:s3cret@host:99999/?code=s3cret";
        reqwest::Proxy::all(url).expect_err("a port that is out of range")
    }

    #[test]
    fn display_is_one_clause_and_keeps_the_source_apart() {
        let error = Error::from(builder_error());
        assert_eq!(error.to_string(), "the request could not be built");
        assert_eq!(error.kind(), ErrorKind::Usage);
        let source = error.source().expect("a source").to_string();
        assert!(!error.to_string().contains(&source));
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn debug_says_kind_message_and_source() {
        assert_eq!(
            format!("{:?}", Error::usage("no such thing")),
            r#"Error { kind: Usage, message: no such thing }"#
        );
    }

    #[test]
    fn an_answer_that_broke_off_after_success_leaves_the_outcome_unknown() {
        assert!(Error::answer("the answer is not JSON", StatusCode::OK).outcome_unknown());
        assert!(!Error::answer("a redirect", StatusCode::FOUND).outcome_unknown());
        assert!(!Error::usage("x").outcome_unknown());
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    #[test]
    fn configuration_names_every_problem() {
        let error = Error::configuration(vec!["a: bad".into(), "b: worse".into()]);
        assert_eq!(error.to_string(), "bad settings: a: bad; b: worse");
    }
}
