//! What the clients tell `tracing`: never a secret, never a URL with its query.

use std::time::Duration;

use crate::error::Error;

const TARGET: &str = "oauth_twin";

/// A token was obtained or renewed.
pub(crate) fn renewed() {
    tracing::debug!(target: TARGET, "obtained a token");
}

/// A renewal failed while the old token is still valid.
pub(crate) fn renewal_failed(error: &Error) {
    tracing::warn!(target: TARGET, %error, "the token could not be renewed; the old one goes on");
}

/// A renewal after a 401 failed; the caller gets the 401.
pub(crate) fn unauthorized(error: &Error) {
    tracing::warn!(target: TARGET, %error, "the token was refused and could not be renewed");
}

/// A token request is tried again.
pub(crate) fn retrying(error: &Error, wait: Duration) {
    tracing::info!(target: TARGET, %error, ?wait, "trying the token request again");
}

/// `token_store` or `update_token` did not take a token, and no caller hears of it.
pub(crate) fn update_failed(error: &Error) {
    tracing::warn!(target: TARGET, %error, "a token is still not stored");
}

/// The client goes on with what its store holds, which may be that there is no token.
pub(crate) fn taken() {
    tracing::debug!(target: TARGET, "took what the token store holds");
}

/// Updates of superseded logins were given up, as `update_token` does not take them.
pub(crate) fn updates_dropped(count: usize) {
    tracing::error!(target: TARGET, count, "tokens of superseded logins were never told");
}
