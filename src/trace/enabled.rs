//! Spans and events of the clients for `tracing`. Their names and fields are a contract, which
//! `docs/logging.md` states: no secrets, no queries of URLs, and nothing that identifies a user, so
//! no free text of a server either.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use tracing::{Instrument as _, field::Empty, instrument::Instrumented};
use url::Url;

use crate::{
    error::{Error, ErrorCode, ErrorKind},
    oauth2::{server::metadata::AuthorizationServer, token::Token},
};

const TARGET: &str = "oauth_twin";

/// Span of a request.
pub(crate) struct RequestSpan(tracing::Span);

/// Makes the span of a token request, all attempts included.
pub(crate) fn token_request(
    client: &str,
    grant: &str,
    server: impl FnOnce() -> Option<AuthorizationServer>,
    reason: &'static str,
) -> RequestSpan {
    let server = server();
    let endpoint = server.as_ref().and_then(|server| server.token_endpoint());
    RequestSpan(tracing::info_span!(
        target: TARGET,
        "token_request",
        client,
        grant,
        endpoint = endpoint.and_then(host),
        reason,
        outcome = Empty,
        expires_at = Empty,
    ))
}

/// Makes the span of a request for credentials of OAuth 1.0.
pub(crate) fn credentials_request(client: &str, endpoint: &Url, step: &'static str) -> RequestSpan {
    RequestSpan(tracing::info_span!(
        target: TARGET,
        "credentials_request",
        client,
        endpoint = host(endpoint),
        step,
        outcome = Empty,
    ))
}

#[allow(dead_code, reason = "each mode needs a part of them")]
impl RequestSpan {
    /// The span of the caller, for work on another thread.
    pub(crate) fn current() -> Self {
        Self(tracing::Span::current())
    }

    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(crate) fn around<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.0.clone())
    }

    /// Records the outcome of a token request.
    pub(crate) fn end(&self, token: Result<&Token, &Error>) {
        let token = match token {
            Ok(token) => token,
            Err(error) => return self.fail(error),
        };
        self.0.record("outcome", "issued");
        let since_epoch = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let expires_at = token.expires_at().and_then(since_epoch);
        let expires_at = expires_at.map(|expires_at| expires_at.as_secs());
        if let Some(expires_at) = expires_at {
            self.0.record("expires_at", expires_at);
        }
        self.0.in_scope(|| {
            tracing::debug!(name: "token_obtained", target: TARGET, expires_at, "obtained a token");
        });
    }

    /// Records the outcome of a request for credentials.
    pub(crate) fn end_without_expiry(&self, error: Option<&Error>) {
        match error {
            Some(error) => self.fail(error),
            None => {
                self.0.record("outcome", "issued");
                self.0.in_scope(|| {
                    tracing::debug!(
                        name: "credentials_obtained", target: TARGET, "obtained credentials"
                    );
                });
            }
        }
    }

    fn fail(&self, error: &Error) {
        self.0.record("outcome", outcome(error));
        let error = Told(error);
        self.0.in_scope(|| {
            tracing::info!(
                name: "token_request_failed", target: TARGET, %error, "the token request failed"
            );
        });
    }
}

/// Runs work in the span that is current now, wherever it continues.
#[allow(dead_code, reason = "only tasks leave the span of their caller")]
pub(crate) fn in_current_span<F: Future>(work: F) -> Instrumented<F> {
    work.in_current_span()
}

/// Reports a token request that is retried.
pub(crate) fn retrying(error: &Error, wait: Duration) {
    let (error, wait_ms) = (Told(error), milliseconds(wait));
    tracing::info!(
        name: "request_retried", target: TARGET, %error, wait_ms, "retrying the token request"
    );
}

/// Reports that what is signed for a server has its time, as the clock of the client is wrong.
pub(crate) fn clock_corrected(client: &str, seconds: i64) {
    tracing::warn!(
        name: "clock_corrected", target: TARGET, client, seconds,
        "the clock differs from that of the server, whose time is in what is signed for it now"
    );
}

/// Reports a completed login.
pub(crate) fn login(client: &str) {
    tracing::info!(name: "login", target: TARGET, client, "a user logged in");
}

/// Reports a login that was refused, which the caller then gets as an error.
pub(crate) fn login_failed(client: &str, error: &Error) {
    let error = Told(error);
    tracing::info!(name: "login_failed", target: TARGET, client, %error, "a login failed");
}

/// Reports that the client keeps a token that the caller requested.
pub(crate) fn token_kept(client: &str) {
    tracing::debug!(name: "token_kept", target: TARGET, client, "the client keeps a new token");
}

/// Reports a grant that was exchanged for a token, which the client does not keep.
pub(crate) fn exchanged(client: &str, grant: &str) {
    tracing::debug!(name: "exchange", target: TARGET, client, grant, "exchanged a grant");
}

/// Reports a revocation and its outcome.
pub(crate) fn revocation(client: &str, error: Option<&Error>) {
    match error.map(Told) {
        None => tracing::info!(name: "revocation", target: TARGET, client, "revoked a token"),
        Some(error) => tracing::info!(
            name: "revocation_failed", target: TARGET, client, %error, "a revocation failed"
        ),
    }
}

/// Reports a failed renewal while the old token is still valid.
pub(crate) fn renewal_failed(client: &str, error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "early_renewal_failed", target: TARGET, client, %error,
        "renewal failed; the old token stays in use"
    );
}

/// Reports an ID token that is not used, unlike the tokens that it came with.
pub(crate) fn id_token_dropped(client: &str, error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "id_token_dropped", target: TARGET, client, %error,
        "an ID token could not be verified and was dropped; the tokens are in use"
    );
}

/// Reports a failed renewal after a 401, which the caller then gets.
pub(crate) fn unauthorized(client: &str, error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "renewal_after_401_failed", target: TARGET, client, %error,
        "the token was refused and could not be renewed"
    );
}

/// Reports a failure of `token_store` or `update_token` that no caller gets as an error.
pub(crate) fn update_failed(error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "update_failed", target: TARGET, %error, "the token could not be stored"
    );
}

/// Reports the members of a token response that cannot be read, and that the token is used without.
pub(crate) fn members_left_out(members: &[&str]) {
    if !members.is_empty() {
        let members = members.join(", ");
        tracing::warn!(
            name: "members_left_out", target: TARGET, members,
            "members of the token response are invalid and left out"
        );
    }
}

/// Reports that a file is used, as the keyring is not usable.
#[allow(dead_code, reason = "only the feature `keyring` needs it")]
pub(crate) fn keyring_unusable(reason: &str) {
    tracing::warn!(
        name: "keyring_unusable", target: TARGET, reason,
        "the keyring is not usable; the token is in the file that was set for this case"
    );
}

/// Reports that the client uses the content of its store, which may be no token.
pub(crate) fn token_loaded(client: &str) {
    tracing::debug!(
        name: "token_loaded", target: TARGET, client, "loaded the token from the token store"
    );
}

/// Reports the begin of a wait for the lease of the store.
pub(crate) fn lease_wait(client: &str) {
    tracing::debug!(
        name: "lease_wait", target: TARGET, client,
        "another process holds the lease of the token store; waiting for it"
    );
}

/// Reports the end of that wait, whatever it was ended by.
pub(crate) fn lease_wait_ended(client: &str, waited: Duration) {
    let waited_ms = milliseconds(waited);
    tracing::debug!(
        name: "lease_wait_ended", target: TARGET, client, waited_ms,
        "the wait for the lease of the token store is over"
    );
}

/// Reports that the lease of the store could not be released, and ends by itself.
pub(crate) fn lease_not_released(client: Option<&str>, error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "lease_not_released", target: TARGET, client, %error,
        "the lease of the token store could not be released; it ends by itself"
    );
}

/// Reports that another process renews the token, while the old one stays in use.
pub(crate) fn renewal_deferred(client: &str) {
    tracing::debug!(
        name: "renewal_deferred", target: TARGET, client,
        "another process holds the lease of the token store; the old token stays in use"
    );
}

/// Reports tokens of superseded logins that `update_token` failed to save until they were dropped.
pub(crate) fn updates_dropped(client: &str, count: usize) {
    tracing::error!(
        name: "updates_dropped", target: TARGET, client, count,
        "tokens of superseded logins were dropped, as update_token failed"
    );
}

/// Reports a document of the server that could not be fetched again; the old one stays in use.
pub(crate) fn refetch_failed(error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "refetch_failed", target: TARGET, %error,
        "a document of the server could not be fetched again; the old one stays in use"
    );
}

/// Reports files of a client certificate that cannot be used; the old one stays in use.
pub(crate) fn certificate_unusable(error: &Error) {
    let error = Told(error);
    tracing::warn!(
        name: "certificate_unusable", target: TARGET, %error,
        "the new client certificate cannot be used; the old one stays in use"
    );
}

/// Reports a key of the server that cannot be used.
pub(crate) fn key_skipped(reason: &str) {
    tracing::warn!(name: "key_skipped", target: TARGET, reason, "skipped a key of the server");
}

/// Text of an error for a log: without the words of the server, which may name a user, and without
/// the path of an endpoint.
struct Told<'a>(&'a Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(response) = self.0.response() else {
            return f.write_str(self.0.logged());
        };
        f.write_str("the server refused the request")?;
        if let Some(status) = response.status() {
            write!(f, " with status {}", status.as_u16())?;
        }
        match known_code(self.0) {
            Some(code) => write!(f, ": {code}"),
            None => Ok(()),
        }
    }
}

/// The error code of the server, if it is no text of its own.
fn known_code(error: &Error) -> Option<&str> {
    match error.code()? {
        ErrorCode::Other(_) => None,
        code => Some(code.as_str()),
    }
}

/// The value of the field `outcome`: the error code of the server, or the kind of the error.
fn outcome(error: &Error) -> &str {
    known_code(error).unwrap_or(match error.kind() {
        ErrorKind::Transport => "transport",
        ErrorKind::Server => "server",
        ErrorKind::Answer => "answer",
        ErrorKind::Usage => "usage",
        ErrorKind::Token => "token",
        ErrorKind::Closed => "closed",
        ErrorKind::Interrupted => "interrupted",
        _ => "other",
    })
}

/// Host and port of an endpoint.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
