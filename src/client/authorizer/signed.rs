//! Sending signed requests: what is signed is what is sent.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use std::borrow::Cow;

use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};

use super::{
    super::{http, oauth1::session::OpenSession, transport::Transport},
    Next,
};
use crate::{
    error::{Error, Result},
    oauth1::{Body, Signer},
};

/// As many redirects as for requests with a bearer token.
const REDIRECT_LIMIT: usize = 10;

/// Signs the request as it stands, and puts the signature where the signer has it.
pub(in super::super) fn sign(signer: &Signer, request: &mut http::Request) -> Result<()> {
    let body = match request.body() {
        None => Body::Bytes(&[]),
        Some(body) => body.as_bytes().map_or(Body::Stream, Body::Bytes),
    };
    let url = request.url().as_str();
    let signed = signer.sign(request.method(), url, request.headers(), body)?;
    let (authorization, content_type) = (signed.authorization, signed.content_type);
    let (url, body) = (owned(signed.url), signed.body);
    if let Some(url) = url {
        *request.url_mut() = Url::parse(&url)
            .map_err(|_| Error::usage("the parameters of OAuth do not fit into the URL"))?;
    }
    if let Some(body) = body {
        // It has grown.
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = Some(body.into());
    }
    for (name, value) in [(AUTHORIZATION, authorization), (CONTENT_TYPE, content_type)] {
        if let Some(value) = value {
            request.headers_mut().insert(name, value);
        }
    }
    Ok(())
}

fn owned(url: Cow<'_, str>) -> Option<String> {
    match url {
        Cow::Borrowed(_) => None,
        Cow::Owned(url) => Some(url),
    }
}

/// A request with a signature, signed anew each time that it is sent.
pub(in super::super) struct Signed {
    live: OpenSession,
    redirects_left: usize,
    /// The request without a signature, to follow a redirect.
    kept: Option<http::Request>,
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
            _ => request.try_clone(),
        };
        sign(&self.live.signer, request)
    }

    /// A redirect is returned, or followed within the origin if the client is set so.
    pub(super) fn next(&mut self, response: &http::Response) -> Next {
        match self
            .kept
            .take()
            .and_then(|request| redirected(request, response))
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
