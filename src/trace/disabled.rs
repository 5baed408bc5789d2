//! Empty spans and events, for builds without the feature `tracing`.

use std::time::Duration;

use url::Url;

use crate::{
    error::Error,
    oauth2::{server::metadata::AuthorizationServer, token::Token},
};

pub(crate) struct RequestSpan;

pub(crate) fn token_request(
    _: &str,
    _: &str,
    _: impl FnOnce() -> Option<AuthorizationServer>,
    _: &'static str,
) -> RequestSpan {
    RequestSpan
}

pub(crate) fn credentials_request(_: &str, _: &Url, _: &'static str) -> RequestSpan {
    RequestSpan
}

#[allow(dead_code, reason = "each mode needs a part of them")]
impl RequestSpan {
    pub(crate) fn current() -> Self {
        Self
    }

    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(crate) fn around<F: Future>(&self, work: F) -> F {
        work
    }

    pub(crate) fn end(&self, _: Result<&Token, &Error>) {}
    pub(crate) fn end_without_expiry(&self, _: Option<&Error>) {}
}

#[allow(dead_code, reason = "only tasks leave the span of their caller")]
pub(crate) fn in_current_span<F: Future>(work: F) -> F {
    work
}

pub(crate) fn retrying(_: &Error, _: Duration) {}
pub(crate) fn clock_corrected(_: &str, _: i64) {}
pub(crate) fn login(_: &str) {}
pub(crate) fn login_failed(_: &str, _: &Error) {}
pub(crate) fn token_kept(_: &str) {}
pub(crate) fn exchanged(_: &str, _: &str) {}
pub(crate) fn revocation(_: &str, _: Option<&Error>) {}
pub(crate) fn renewal_failed(_: &str, _: &Error) {}
pub(crate) fn unauthorized(_: &str, _: &Error) {}
pub(crate) fn update_failed(_: &Error) {}
#[allow(dead_code, reason = "only the feature `keyring` needs it")]
pub(crate) fn keyring_unusable(_: &str) {}
pub(crate) fn token_loaded(_: &str) {}
pub(crate) fn lease_wait(_: &str) {}
pub(crate) fn lease_wait_ended(_: &str, _: Duration) {}
pub(crate) fn lease_not_released(_: Option<&str>, _: &Error) {}
pub(crate) fn renewal_deferred(_: &str) {}
pub(crate) fn updates_dropped(_: &str, _: usize) {}
pub(crate) fn refetch_failed(_: &Error) {}
pub(crate) fn key_skipped(_: &str) {}
pub(crate) fn id_token_dropped(_: &str, _: &Error) {}
pub(crate) fn members_left_out(_: &[&str]) {}
pub(crate) fn certificate_unusable(_: &Error) {}
