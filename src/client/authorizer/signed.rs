//! Signed requests, which are sent exactly as they are signed.
//!
//! [RFC 5849 section 3](https://www.rfc-editor.org/rfc/rfc5849#section-3)

use super::{
    super::{
        execute, http, maybe_async,
        oauth1::{session::SignedSession, shared::OpenSession, sign::sign},
        waiting::Deadline,
    },
    attempt::limit,
    redirect::{REDIRECT_LIMIT, redirected},
};
use crate::error::{Error, Result};

#[maybe_async]
impl SignedSession {
    /// Sends a request, signed anew each time. A redirect is returned, or followed within the origin
    /// if the client is configured so. All of it takes no longer than the request's own timeout.
    pub(in super::super) async fn send(
        self,
        mut request: http::Request,
        own: Option<Deadline>,
    ) -> Result<http::Response> {
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
            if let Some(own) = own {
                // reqwest may send a request that has no time left.
                if own.is_over() {
                    return Err(Error::unanswered(request.url()).without_consequence());
                }
                limit(&mut request, own);
            }
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
