//! Copies of requests, for another attempt.

use super::super::http;
use crate::lifecycle::published::Published;

/// A copy of the request for another attempt, if there may be one.
#[inline]
pub(super) fn copy_for(
    request: &http::Request,
    token: &Published,
    is_renewable: bool,
) -> Option<http::Request> {
    match is_renewable || token.bound().is_some() {
        true => copy(request),
        false => None,
    }
}

/// A copy of the request, unless its body is a stream.
///
/// `try_clone` makes a place for a timeout in each copy, which costs more than all the rest.
pub(super) fn copy(request: &http::Request) -> Option<http::Request> {
    if request.body().is_some() || request.timeout().is_some() {
        return request.try_clone();
    }
    let mut copy = http::Request::new(request.method().clone(), request.url().clone());
    if !request.headers().is_empty() {
        copy.headers_mut().clone_from(request.headers());
    }
    *copy.version_mut() = request.version();
    Some(copy)
}
