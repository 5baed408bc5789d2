//! Errors that only the clients produce, and the conversion of reqwest's errors.

use std::{error::Error as StdError, io};

use http::StatusCode;
use url::Url;

use super::{
    BoxError, Error, ErrorCode, ErrorKind,
    call::{TransportFailure, host},
    value::Cause,
};

/// Keeps the host of the URL, and removes the rest, which may contain a token or a code.
impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        let host = error.url().map(host);
        let source = error.without_url();
        let (kind, status, failure) = (kind(&source), source.status(), failure(&source));
        let message = match host {
            Some(host) => failure.message(&format!("the server at {host}")),
            None => failure.message("the server"),
        };
        Cause {
            status,
            is_transient: match kind {
                // The same certificate would be refused again.
                ErrorKind::Transport => {
                    !is_untrusted(&source) && !matches!(failure, TransportFailure::Certificate)
                }
                _ => status.is_some_and(|status| status.is_server_error() || status == 429),
            },
            outcome_unknown: match kind {
                ErrorKind::Transport => !source.is_connect(),
                kind => kind == ErrorKind::Answer,
            },
            failure: Some(failure),
            ..Cause::new(kind, message)
        }
        .with_source(source.into())
        .into()
    }
}

impl Error {
    /// A request to this URL whose response was not there in time: the server may have processed it.
    #[allow(dead_code)]
    pub(crate) fn unanswered(url: &Url) -> Self {
        let failure = TransportFailure::Timeout;
        let message = failure.message(&format!("the server at {}", host(url)));
        Cause {
            is_transient: true,
            outcome_unknown: true,
            failure: Some(failure),
            ..Cause::new(ErrorKind::Transport, message)
        }
        .with_source(io::Error::from(io::ErrorKind::TimedOut).into())
        .into()
    }

    /// Whether the connection failed, so that nothing was sent and the request may be repeated.
    pub(crate) fn is_unsent(&self) -> bool {
        let source = self.source().and_then(<dyn StdError>::downcast_ref);
        source.is_some_and(reqwest::Error::is_connect) && self.is_transient()
    }

    /// Marks the outcome as of no consequence: the request for a document changes nothing.
    pub(crate) fn without_consequence(self) -> Self {
        match self.outcome_unknown() {
            true => self.changed(|cause| cause.outcome_unknown = false),
            false => self,
        }
    }

    /// Marks the outcome as unknown, where the server may have processed the request all the same.
    pub(crate) fn ambiguous(self) -> Self {
        match self.response() {
            Some(_) => self.changed(|cause| cause.outcome_unknown = true),
            None => self,
        }
    }

    /// A response with an unusable token, and what is wrong with it.
    pub(crate) fn useless_answer(problem: &Self) -> Self {
        Self::answer(
            format!("the response contains no usable token: {problem}"),
            StatusCode::OK,
        )
    }

    /// Whether a token request was refused for its scope: by its code, or by a description that
    /// mentions it.
    pub(crate) fn is_about_scope(&self) -> bool {
        let description = self.response().and_then(|response| response.description());
        let mentions_scope =
            || description.is_some_and(|text| text.to_ascii_lowercase().contains("scope"));
        self.status() == Some(StatusCode::BAD_REQUEST)
            && match self.code() {
                Some(ErrorCode::InvalidScope) => true,
                Some(ErrorCode::InvalidRequest) => mentions_scope(),
                _ => false,
            }
    }
}

impl Error {
    pub(crate) fn update(source: BoxError) -> Self {
        let what = "the token was obtained and is usable, but update_token failed";
        let cause = Cause::new(ErrorKind::Update, what);
        cause.with_source(source).into()
    }

    /// A token that the store did not save.
    pub(crate) fn unsaved(source: impl Into<BoxError>) -> Self {
        let what = "the client's token is usable, but token_store failed to save it";
        let cause = Cause::new(ErrorKind::Update, what);
        cause.with_source(source.into()).into()
    }

    /// A token that was forgotten, and that the store still has.
    pub(crate) fn not_removed(source: impl Into<BoxError>) -> Self {
        let what = "the client has forgotten its token, but token_store failed to remove it; \
                    repeat the call";
        let cause = Cause::new(ErrorKind::Update, what);
        cause.with_source(source.into()).into()
    }

    /// A store that cannot be reached for the time being.
    #[cfg(feature = "redis")]
    pub(crate) fn unreachable_store(what: String) -> Self {
        Cause {
            is_transient: true,
            ..Cause::new(ErrorKind::Store, what)
        }
        .into()
    }

    pub(crate) fn closed() -> Self {
        Cause::new(ErrorKind::Closed, "the client is closed").into()
    }

    pub(crate) fn reentrant(method: &'static str) -> Self {
        let message = format!(
            "{method} was called from a callback of the same client, and would wait for \
                that callback for ever; call it after the callback has returned"
        );
        Cause::new(ErrorKind::Reentrant, message).into()
    }

    /// An async client that was called outside of a runtime.
    #[allow(dead_code, reason = "the blocking clients need none")]
    pub(crate) fn no_runtime() -> Self {
        Self::usage(
            "there is no tokio runtime, which the async clients need; call them within \
             #[tokio::main] or Runtime::block_on, or use the blocking clients",
        )
    }

    /// The message for logs, without the path of an endpoint.
    #[cfg(feature = "tracing")]
    pub(crate) fn logged(&self) -> &str {
        self.0.logged.as_deref().unwrap_or(&self.0.message)
    }

    /// The wait for something ended before that did.
    pub(crate) fn timed_out(what: &'static str) -> Self {
        Cause {
            is_transient: true,
            ..Cause::new(ErrorKind::Interrupted, what)
        }
        .into()
    }
}

fn kind(error: &reqwest::Error) -> ErrorKind {
    match error {
        _ if error.is_status() => ErrorKind::Server,
        _ if error.is_redirect() || is_unreadable(error) => ErrorKind::Answer,
        _ if error.is_builder() => ErrorKind::Usage,
        _ => ErrorKind::Transport,
    }
}

/// Whether a response arrived and cannot be decoded, such as a body that is not the gzip it claims
/// to be.
///
/// reqwest reports this as a failure to decode or to read the body, depending on the mode, and
/// reports a broken connection the same way. The source of its errors tells them apart: a
/// decompression error is an I/O error, a connection error is hyper's.
fn is_unreadable(error: &reqwest::Error) -> bool {
    if error.is_timeout() || !(error.is_decode() || error.is_body()) {
        return false;
    }
    let mut cause = error.source();
    while let Some(inner) = cause.filter(|cause| cause.is::<reqwest::Error>()) {
        cause = inner.source();
    }
    cause.is_none_or(|cause| cause.is::<io::Error>() || cause.is::<serde_json::Error>())
}

/// Whether the TLS authentication of the server failed, which a retry does not change. TLS
/// libraries report it as an I/O error of the kind "invalid data".
fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        cause = match error.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::InvalidData => return true,
            // The source of an I/O error is the source of its inner error, and so would skip the
            // inner error itself.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

fn failure(error: &reqwest::Error) -> TransportFailure {
    let has = |test: fn(&str) -> bool| {
        let mut source = error.source();
        while let Some(error) = source {
            if test(&error.to_string()) {
                return true;
            }
            source = error.source();
        }
        false
    };
    match error {
        _ if error.is_timeout() && !error.is_connect() => TransportFailure::Timeout,
        _ if is_untrusted(error) => match has(|text| text.contains("certificate")) {
            true => TransportFailure::Certificate,
            false => TransportFailure::Tls,
        },
        _ if error.is_connect() && has(is_certificate_error) => TransportFailure::Certificate,
        _ if error.is_connect() => TransportFailure::Connect,
        _ if error.is_builder() => TransportFailure::Builder,
        _ if error.is_redirect() => TransportFailure::Redirect,
        _ if error.is_status() => TransportFailure::Status,
        _ if is_unreadable(error) => TransportFailure::Unreadable,
        _ if has(is_parse_error) => TransportFailure::NotHttp,
        _ => TransportFailure::Broken,
    }
}

/// Whether this is the text of an error of the platform's TLS library about the certificate of the
/// server. Its type is not reachable through reqwest. An alert is about that of the client.
fn is_certificate_error(text: &str) -> bool {
    text.contains("certificate") && !text.contains("alert")
}

/// Whether this is the text of hyper's errors about a response that it cannot parse. Their type is
/// not reachable through reqwest.
fn is_parse_error(text: &str) -> bool {
    text.ends_with(" parsed") || text == "message head is too large"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_clause_and_keeps_the_source_apart() {
        let url = "http://user:s3cret@host:99999/?code=s3cret";
        let out_of_range = reqwest::Proxy::all(url).expect_err("a port that is out of range");
        let error = Error::from(out_of_range);
        assert_eq!(error.to_string(), "the request could not be built");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(!error.is_transient() && !error.outcome_unknown() && !error.is_unsent());
        let source = error.source().expect("a source");
        assert!(source.is::<reqwest::Error>());
        assert!(!error.to_string().contains(&source.to_string()));
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[test]
    fn a_store_that_failed_is_not_one_that_was_too_slow() {
        assert!(Error::store("the lease is taken", None).is_transient());
        assert!(!Error::store("the store failed", Some("full".into())).is_transient());
    }
}
