//! The error: its accessors and its constructors.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::StatusCode;

use super::{
    Call, ErrorCode, ErrorKind, ErrorResponse,
    call::{TransportFailure, refusal},
};

/// Error of a callback of your own.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Result with the error of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of this crate.
///
/// Cheap to clone: all callers that waited for a renewal get the same error. It contains no token,
/// code, secret or query string, neither in `Display` nor in `Debug` nor in its sources.
///
/// ```
/// use oauth_twin::{Error, ErrorKind};
///
/// fn advice(error: &Error) -> &'static str {
///     match error.kind() {
///         _ if error.needs_login() => "redirect the user to the login page",
///         _ if error.is_transient() => "try again later",
///         ErrorKind::Usage => "fix the calling code",
///         _ => "report it",
///     }
/// }
/// # let error = oauth_twin::oauth2::Scope::from("no\"quotes").validate().unwrap_err();
/// # assert_eq!(advice(&error), "fix the calling code");
/// ```
#[derive(Clone)]
pub struct Error(
    pub(super) Arc<Cause>,
    /// Remaining wait, if the error is that of an earlier attempt.
    pub(super) Option<Duration>,
);

/// Content of an [`Error`].
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) kind: ErrorKind,
    pub(super) message: Cow<'static, str>,
    pub(super) source: Option<Arc<dyn StdError + Send + Sync>>,
    pub(super) status: Option<StatusCode>,
    pub(super) response: Option<ErrorResponse>,
    pub(super) is_transient: bool,
    pub(super) outcome_unknown: bool,
    /// The failure of the transport, if that is what it is.
    pub(super) failure: Option<TransportFailure>,
    /// Whether the message names the endpoint.
    pub(super) names_call: bool,
    /// The message for logs, if it differs: without the path of the endpoint.
    pub(super) logged: Option<Box<str>>,
}

impl Error {
    /// The kind: whose fault the error is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error response of the server, if there was one: the OAuth error, its description, the
    /// headers.
    ///
    /// [RFC 6749 section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    pub fn response(&self) -> Option<&ErrorResponse> {
        self.0.response.as_ref()
    }

    /// The OAuth error code, if the server sent one.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.response()?.code()
    }

    /// The HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Whether the same call may succeed later without any change.
    #[doc(alias = "retry")]
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// The delay before a retry: what the server asks for in `Retry-After`, or the remaining wait after
    /// failed attempts to get a token.
    #[doc(alias = "retry")]
    pub fn retry_after(&self) -> Option<Duration> {
        self.1.or_else(|| self.response()?.retry_after())
    }

    /// Whether the server may have processed the request although no usable response arrived.
    ///
    /// A refresh token may then have been used up. Such a request is never repeated within the same
    /// call; the next call uses the refresh token again, as there is no other.
    pub fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// Whether only the user can resolve the error, by logging in again. Always false for an
    /// assertion client, which has no login, and for a server that refuses the assertion of a
    /// [`JwtBearer`](crate::oauth2::JwtBearer) or [`FederatedGrant`](crate::oauth2::FederatedGrant).
    #[doc(alias = "logout")]
    #[doc(alias = "expired")]
    pub fn needs_login(&self) -> bool {
        match (self.kind(), self.response()) {
            (ErrorKind::Login, _) => true,
            (_, Some(response)) => response.needs_login(),
            (kind, None) => kind == ErrorKind::Token,
        }
    }
}

impl Error {
    pub(crate) fn refused(response: ErrorResponse) -> Self {
        let status = response.status();
        let cause = Cause {
            status,
            is_transient: response.is_transient(),
            outcome_unknown: status.is_some_and(|status| {
                status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE
            }),
            ..Cause::new(ErrorKind::Server, refusal(&response, None))
        };
        let response = Some(response);
        Cause { response, ..cause }.into()
    }

    /// The error with a message that names the call of an endpoint, unless it already names one.
    pub(crate) fn of_call(self, call: &Call) -> Self {
        let cause = &*self.0;
        let mut logged = None;
        let message = match (cause.kind, &cause.response, cause.failure) {
            _ if cause.names_call => return self,
            (ErrorKind::Server, Some(response), _) => refusal(response, Some(call)),
            (_, _, Some(failure)) => failure.message_of(call),
            (ErrorKind::Answer, _, _) if cause.status.is_some() => {
                logged = Some(call.answered_at_host(&cause.message).into());
                call.answered(&cause.message)
            }
            _ => return self,
        };
        self.changed(|cause| {
            cause.message = message.into();
            cause.logged = logged;
            cause.names_call = true;
        })
    }

    /// The error with advice at the end of its message.
    pub(crate) fn advised(self, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => self.changed(|cause| {
                cause.message = format!("{}; {hint}", cause.message).into();
            }),
            None => self,
        }
    }

    /// The error with a changed cause.
    pub(super) fn changed(self, change: impl FnOnce(&mut Cause)) -> Self {
        let mut cause = Arc::unwrap_or_clone(self.0);
        change(&mut cause);
        Self(Arc::new(cause), self.1)
    }

    /// A response that violates the RFC. `what` must not quote the response.
    pub(crate) fn answer(what: impl Into<String>, status: StatusCode) -> Self {
        let message = format!("{} (status {status})", what.into());
        Cause {
            status: Some(status),
            outcome_unknown: status.is_success(),
            ..Cause::new(ErrorKind::Answer, message)
        }
        .into()
    }

    /// A callback that does not answer the authorization request. `what` must not quote it.
    pub(crate) fn callback(what: impl Into<String>) -> Self {
        Cause::new(ErrorKind::Answer, what.into()).into()
    }

    /// A received token that cannot be trusted. `what` must not quote it.
    pub(crate) fn untrusted(what: impl Into<String>) -> Self {
        Self::callback(what)
    }

    /// The same, with the words of others, which may name a user, as its source.
    pub(crate) fn untrusted_because(what: &'static str, source: BoxError) -> Self {
        Cause::new(ErrorKind::Answer, what)
            .with_source(source)
            .into()
    }

    /// A mistake in the calling code. `what` says what to do and quotes no secret.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Cause::new(ErrorKind::Usage, what.into()).into()
    }

    /// A failure of a grant, a client authentication or a hook to complete the request. An
    /// [`Error`] that it passed on stays what it is.
    pub(crate) fn refused_by(what: &'static str, source: BoxError) -> Self {
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => Self::failed_in(what, source),
        }
    }

    /// A failure of the caller's own code to complete a request. An [`Error`] that it passed on is
    /// not about that request, and becomes the source.
    pub(crate) fn failed_in(what: &'static str, source: BoxError) -> Self {
        let message = format!("{what} could not complete the request");
        let cause = Cause::new(ErrorKind::Usage, message);
        cause.with_source(source).into()
    }
}

impl Cause {
    /// A cause that is neither transient nor of unknown outcome.
    pub(super) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
            status: None,
            response: None,
            is_transient: false,
            outcome_unknown: false,
            failure: None,
            names_call: false,
            logged: None,
        }
    }

    pub(super) fn with_source(self, source: BoxError) -> Self {
        let source = Some(source.into());
        Self { source, ..self }
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Arc::new(cause), None)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// Kind, message, and the messages of all sources, as `main` prints them.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind());
        debug.field("message", &format_args!("{}", self.0.message));
        if let Some(source) = self.source() {
            debug.field("source", &format_args!("{}", chain(source)));
        }
        debug.finish()
    }
}

/// The messages of an error and its sources, without those that another has repeated.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref();
        source.map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_kind_message_and_source() {
        assert_eq!(
            format!("{:?}", Error::usage("no such thing")),
            r#"Error { kind: Usage, message: no such thing }"#
        );
        let error = Error::failed_in("a hook", "no such file".into());
        assert_eq!(
            format!("{error:?}"),
            "Error { kind: Usage, message: a hook could not complete the request, \
             source: no such file }"
        );
    }

    #[test]
    fn debug_says_every_source_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Layer(&'static str, #[source] Option<Box<Self>>);
        let refused = Layer("connection refused", None);
        let repeated = Layer("tcp: connection refused", Some(refused.into()));
        let error = Error::failed_in("a hook", Layer("sending", Some(repeated.into())).into());
        assert!(
            format!("{error:?}").ends_with("source: sending: tcp: connection refused }"),
            "{error:?}"
        );
    }

    #[test]
    fn a_call_is_named_once_and_changes_nothing_else() {
        let call = |name| {
            let url = url::Url::parse("https://id.example/token").expect("a URL");
            Call::new(name, &url, "the refresh token")
        };
        let refused = ErrorResponse::new(StatusCode::BAD_REQUEST, http::HeaderMap::new())
            .with_error("invalid_grant", Some("gone"), None);
        let error = Error::refused(refused).of_call(&call("token_endpoint"));
        let error = error.of_call(&call("other_endpoint"));
        assert_eq!(
            error.to_string(),
            "the token endpoint id.example/token refused the refresh token: \
             400 invalid_grant: gone"
        );
        assert!(error.needs_login() && error.status() == Some(StatusCode::BAD_REQUEST));
        let error = Error::usage("a setting").of_call(&call("token_endpoint"));
        assert_eq!(error.to_string(), "a setting");
        // An ID token, for example.
        let error = Error::untrusted("a token").of_call(&call("token_endpoint"));
        assert_eq!(error.to_string(), "a token");
    }

    #[test]
    fn an_answer_that_broke_off_after_success_leaves_the_outcome_unknown() {
        let error = Error::answer("the response is not JSON", StatusCode::OK);
        assert_eq!(
            error.to_string(),
            "the response is not JSON (status 200 OK)"
        );
        assert!(error.outcome_unknown());
        assert!(!Error::answer("a redirect", StatusCode::FOUND).outcome_unknown());
        assert!(!Error::usage("x").outcome_unknown());
    }

    #[test]
    fn a_refusal_is_asked_for_what_the_server_said() {
        for (status, transient, unknown) in [
            (400, false, false),
            (408, true, false),
            (429, true, false),
            (500, true, true),
            (503, true, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let response = ErrorResponse::new(status, http::HeaderMap::new());
            let verb = match status.is_server_error() {
                true => "could not process",
                false => "refused",
            };
            let error = Error::refused(response.with_error("invalid_grant", None, None));
            assert_eq!(
                error.to_string(),
                format!(
                    "the server {verb} the request: {} invalid_grant",
                    status.as_u16()
                )
            );
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(error.status(), Some(status));
            assert_eq!(error.is_transient(), transient, "{status}");
            assert_eq!(error.outcome_unknown(), unknown, "{status}");
            assert_eq!(error.needs_login(), status.as_u16() < 500);
            assert!(error.source().is_none());
        }
    }
}
