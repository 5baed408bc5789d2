//! Events of the clients for `tracing`, without secrets and without the queries of URLs.

use std::time::Duration;

use crate::error::Error;

const TARGET: &str = "oauth_twin";

/// Reports a token that was obtained or renewed.
pub(crate) fn renewed() {
    tracing::debug!(target: TARGET, "obtained a token");
}

/// Reports a failed renewal while the old token is still valid.
pub(crate) fn renewal_failed(error: &Error) {
    tracing::warn!(target: TARGET, %error, "renewal failed; the old token stays in use");
}

/// Reports a failed renewal after a 401, which the caller then gets.
pub(crate) fn unauthorized(error: &Error) {
    tracing::warn!(target: TARGET, %error, "the token was refused and could not be renewed");
}

/// Reports a token request that is retried.
pub(crate) fn retrying(error: &Error, wait: Duration) {
    tracing::info!(target: TARGET, %error, ?wait, "retrying the token request");
}

/// Reports a failure of `token_store` or `update_token` that no caller gets as an error.
pub(crate) fn update_failed(error: &Error) {
    tracing::warn!(target: TARGET, %error, "the token could not be stored");
}

/// Reports that the client uses the content of its store, which may be no token.
pub(crate) fn taken() {
    tracing::debug!(target: TARGET, "loaded the token from the token store");
}

/// Reports tokens of superseded logins that `update_token` failed to save until they were dropped.
pub(crate) fn updates_dropped(count: usize) {
    tracing::error!(target: TARGET, count, "tokens of superseded logins were dropped, as update_token failed");
}

/// Reports a document of the server that could not be fetched again; the old one stays in use.
pub(crate) fn refetch_failed(error: &Error) {
    tracing::warn!(target: TARGET, %error, "a document of the server could not be fetched again; the old one stays in use");
}

/// Reports a key of the server that cannot be used.
pub(crate) fn key_skipped(reason: &str) {
    tracing::warn!(target: TARGET, reason, "skipped a key of the server");
}
