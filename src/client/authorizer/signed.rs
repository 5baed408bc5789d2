//! Signed requests, which are sent exactly as they are signed.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use super::{
    super::{
        execute, http, maybe_async,
        oauth1::{session::SignedSession, shared::OpenSession, sign::sign},
    },
    redirect::{REDIRECT_LIMIT, redirected},
};
use crate::error::Result;

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
