//! Signed requests, which are sent exactly as they are signed.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};

use super::{
    super::{
        http,
        oauth1::{session::OpenSession, sign::sign},
        transport::Transport,
    },
    Next,
};
use crate::error::Result;

/// As many redirects as for requests with a bearer token.
const REDIRECT_LIMIT: usize = 10;

/// Authorizer of one signed request, which is signed anew each time that it is sent.
pub(in super::super) struct Signed {
    live: OpenSession,
    redirects_left: usize,
    /// A copy of the request without a signature, to follow a redirect.
    kept: Option<Box<http::Request>>,
}

impl Signed {
    pub(in super::super) fn new(live: OpenSession) -> Self {
        let redirects_left = match live.shared.settings.follow_redirects {
            true => REDIRECT_LIMIT,
            false => 0,
        };
        Self {
            live,
            redirects_left,
            kept: None,
        }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.live.shared.transport
    }

    /// Signs the request, with a new nonce.
    pub(super) fn authorize(&mut self, request: &mut http::Request) -> Result<()> {
        self.transport().check(request.url())?;
        self.kept = match self.redirects_left {
            0 => None,
            _ => request.try_clone().map(Box::new),
        };
        sign(&self.live.signer, request)
    }

    /// A redirect is returned, or followed within the origin if the client is configured so.
    pub(super) fn next(&mut self, response: &http::Response) -> Next {
        match self
            .kept
            .take()
            .and_then(|request| redirected(*request, response))
        {
            Some(request) => {
                self.redirects_left -= 1;
                Next::Again(request)
            }
            None => Next::Done,
        }
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
