//! Empty events, for builds without the feature `tracing`.

use std::time::Duration;

use crate::error::Error;

pub(crate) fn renewed() {}
pub(crate) fn renewal_failed(_error: &Error) {}
pub(crate) fn unauthorized(_error: &Error) {}
pub(crate) fn retrying(_error: &Error, _wait: Duration) {}
pub(crate) fn update_failed(_error: &Error) {}
pub(crate) fn taken() {}
pub(crate) fn updates_dropped(_: usize) {}
pub(crate) fn refetch_failed(_error: &Error) {}
pub(crate) fn key_skipped(_reason: &str) {}
