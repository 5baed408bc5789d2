//! Signed requests, which are sent exactly as they are signed.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};

use super::super::{
    execute, http, maybe_async,
    oauth1::{
        session::{OpenSession, SignedSession},
        sign::sign,
    },
};
use crate::error::Result;

/// As many redirects as for requests with a bearer token.
const REDIRECT_LIMIT: usize = 10;

#[maybe_async]
impl SignedSession {
    /// Sends a request, signed anew each time. A redirect is returned, or followed within the origin
    /// if the client is configured so.
    pub(in super::super) async fn send(self, mut request: http::Request) -> Result<http::Response> {
        let live = self.live()?;
        let mut redirects_left = match live.shared.settings.follow_redirects {
            true => REDIRECT_LIMIT,
            false => 0,
        };
        loop {
            live.check(&request)?;
            let kept = match redirects_left {
                0 => None,
                _ => request.try_clone(),
            };
            sign(&live.signer, &mut request)?;
            live.shared.transport.update_certificate();
            let response = live.shared.transport.send(request, execute)?.await?;
            request = match kept.and_then(|kept| redirected(kept, &response)) {
                Some(next) => next,
                None => return Ok(response),
            };
            redirects_left -= 1;
        }
    }
}

impl OpenSession {
    fn check(&self, request: &http::Request) -> Result<()> {
        self.shared.transport.check(request.url())
    }
}

/// The request that a redirect within the origin asks for.
///
/// [RFC 9110 section 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)
fn redirected(mut request: http::Request, response: &http::Response) -> Option<http::Request> {
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
