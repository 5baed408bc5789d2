//! Redirects of requests that are authorised for one URL, followed by a new request.
//!
//! [RFC 9110 section 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};

use super::super::http;

/// As many redirects as for requests with a bearer token.
pub(super) const REDIRECT_LIMIT: usize = 10;

/// The request that a redirect within the origin asks for.
///
/// [RFC 9110 section 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)
pub(super) fn redirected(
    mut request: http::Request,
    response: &http::Response,
) -> Option<http::Request> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = request.url().join(location).ok()?;
    if to.origin() != request.url().origin() || !to.username().is_empty() {
        return None;
    }
    let becomes_get = match response.status() {
        StatusCode::SEE_OTHER => *request.method() != Method::HEAD,
        // "For historical reasons, a user agent MAY change the request method from POST to GET".
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *request.method() == Method::POST,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    *request.url_mut() = to;
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    Some(request)
}
