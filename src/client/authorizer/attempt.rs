//! Attempts to send a request: the first one, and those that a response asks for.
//!
//! After each response there is one of few steps: none, another proof, another token first, the
//! target of a redirect. The rare ones are in [`Refusal::repeat`], so that a request that is simply
//! answered pays for none of them.

mod resource;

use std::sync::Arc;

use reqwest::{StatusCode, Url};

use super::{
    super::{
        boxed, execute, http, maybe_async,
        session::{Live, ResourceRefusal, Session},
        waiting::Deadline,
    },
    copy::RequestCopy,
    redirect::{REDIRECT_LIMIT, redirected},
};
use crate::{
    error::{Error, Result},
    lifecycle::{published::Published, single_flight::Need},
    oauth2::{dpop::nonce::Nonce, token::bearer::is_invalid_token},
    trace,
};
use resource::refuses_token;

/// First attempt to send a request; with what another one needs, if there may be one.
pub(in super::super) struct FirstAttempt(pub(super) Option<Box<Kept>>);

/// Request without a token, to be sent again.
pub(in super::super) struct Kept {
    session: Session,
    /// None if its body is a stream.
    request: Option<RequestCopy>,
    /// The end of the waits for it, if it has a timeout of its own.
    deadline: Option<Deadline>,
    /// The token that it was sent with. A resource is asked without one what it needs.
    token: Option<Arc<Published>>,
    /// Whether another token can be had.
    is_renewable: bool,
    /// Whether that token was obtained after a refusal.
    has_renewed: bool,
    /// The nonce of the proof that it was sent with.
    nonce: Option<Nonce>,
    /// The nonce that the next proof has to have.
    demanded: Option<Nonce>,
    /// Whether it was sent again for a nonce.
    has_resent: bool,
    redirects_left: usize,
    /// Whether the client was authorised for the resource that has refused the request.
    has_authorized: bool,
    /// The number of logins for more scope, or for another authentication.
    step_ups: u8,
    /// Whether one of them was for another authentication.
    has_authenticated: bool,
}

/// Response that may ask for another attempt, and the request for it.
pub(in super::super) struct Refusal {
    response: http::Response,
    kept: Box<Kept>,
}

/// Step that a response leads to.
enum NextStep {
    /// None: the response is the caller's.
    Done,
    /// The same request with a proof that has this nonce.
    Again(Nonce),
    /// Another token, with which the request is sent again.
    RenewFirst,
    /// The same by the way that the resource names.
    AuthorizeFirst(ResourceRefusal),
    /// The request that a redirect asks for, with a proof for its URL.
    Follow(Box<http::Request>),
}

impl FirstAttempt {
    /// What another attempt needs, if the response may ask for one.
    #[inline]
    pub(in super::super) fn refused(self, response: &http::Response) -> Option<Box<Kept>> {
        self.0.filter(|kept| kept.may_continue(response))
    }
}

#[maybe_async]
impl FirstAttempt {
    /// The response, after as many further attempts as responses ask for.
    pub(super) async fn response(
        self,
        sent: pending!(reqwest::Result<http::Response>),
    ) -> Result<http::Response> {
        let response = sent.await?;
        match self.refused(&response) {
            Some(kept) => boxed((*kept.with(response)).repeat()).await,
            None => Ok(response),
        }
    }
}

#[maybe_async]
impl Refusal {
    /// Sends the request again as often as responses ask for it, each kind of step once; returns the
    /// last response.
    pub(in super::super) async fn repeat(self) -> Result<http::Response> {
        let Self {
            mut response,
            mut kept,
        } = self;
        loop {
            let Ok(live) = kept.session.live() else {
                return Ok(response);
            };
            let is_ready = match kept.next(&live, &response) {
                NextStep::Done => false,
                NextStep::Again(nonce) => kept.answer(nonce)?,
                NextStep::RenewFirst => {
                    let is_ready = kept.renew(&live).await;
                    if !is_ready && live.resource().is_some() {
                        continue;
                    }
                    is_ready
                }
                NextStep::AuthorizeFirst(refusal) => {
                    boxed(kept.authorize(refusal)).await?;
                    true
                }
                NextStep::Follow(request) => kept.follow(*request),
            };
            let again = kept.request.as_ref().and_then(RequestCopy::request);
            let Some(request) = again.filter(|_| is_ready) else {
                return Ok(response);
            };
            drop(response);
            let live = kept.session.live()?;
            response = kept.send(&live, request).await?;
        }
    }
}

impl Kept {
    /// The response that may ask for another attempt.
    #[cold]
    pub(in super::super) fn with(self: Box<Self>, response: http::Response) -> Box<Refusal> {
        let kept = self;
        Box::new(Refusal { response, kept })
    }

    /// What another attempt needs, if there may be one.
    pub(super) fn of(
        session: Session,
        request: Option<RequestCopy>,
        token: Option<Arc<Published>>,
        is_renewable: bool,
        deadline: Option<Deadline>,
        nonce: Option<Nonce>,
    ) -> Option<Box<Self>> {
        // The response to any proof may have a nonce for the next one.
        let is_bound = token.as_ref().is_some_and(|token| token.bound().is_some());
        if request.is_none() && !is_bound {
            return None;
        }
        Some(Box::new(Self {
            session,
            request,
            deadline,
            token,
            is_renewable,
            has_renewed: false,
            nonce,
            demanded: None,
            has_resent: false,
            redirects_left: REDIRECT_LIMIT,
            has_authorized: false,
            step_ups: 0,
            has_authenticated: false,
        }))
    }

    /// Whether it was sent with a token that is bound to a key.
    #[inline]
    fn is_bound(&self) -> bool {
        let token = self.token.as_ref();
        token.is_some_and(|token| token.bound().is_some())
    }

    /// Whether the response may ask for another attempt.
    #[inline]
    fn may_continue(&self, response: &http::Response) -> bool {
        matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) || self.is_bound() && self.observe(response)
    }

    /// Keeps the nonce in the response to a proof. Returns whether it is a redirect.
    fn observe(&self, response: &http::Response) -> bool {
        self.session.observe(response);
        response.status().is_redirection()
    }

    fn next(&self, live: &Live, response: &http::Response) -> NextStep {
        if self.is_bound()
            && let Some(step) = self.next_of_proof(response)
        {
            return step;
        }
        let may_renew = self.token.is_some() && self.is_renewable && !self.has_renewed;
        match (self.is_about_token(response), live.resource()) {
            (true, _) if may_renew => NextStep::RenewFirst,
            (_, Some(resource)) => self.next_for(&**resource, response),
            _ => NextStep::Done,
        }
    }

    /// The step after a response to a proof, if that is another proof.
    fn next_of_proof(&self, response: &http::Response) -> Option<NextStep> {
        if self.observe(response) {
            let copy = self.request.as_ref().filter(|_| self.redirects_left > 0);
            let next = redirected(copy.and_then(RequestCopy::request)?, response)?;
            return Some(NextStep::Follow(Box::new(next)));
        }
        if self.has_resent || response.status() != StatusCode::UNAUTHORIZED {
            return None;
        }
        let (headers, sent) = (response.headers(), self.nonce.as_ref());
        // A new nonce with a 401 is enough. A stream cannot be sent again, so that its refusal is the
        // caller's unless it says that it is about the nonce.
        let nonce = match self.request {
            Some(_) => Nonce::demanded(headers, sent),
            None => Nonce::demanded_explicitly(headers, sent),
        };
        nonce.map(NextStep::Again)
    }

    /// Whether the intended server refused the token of a request that can be sent again; a server to
    /// which it redirected has not received the token.
    fn is_about_token(&self, response: &http::Response) -> bool {
        let headers = response.headers();
        response.status() == StatusCode::UNAUTHORIZED
            && self.is_intended(response)
            && match &self.token {
                Some(token) => token.is_refused_by(headers),
                None => is_invalid_token(headers),
            }
    }

    /// Whether the server has answered that a request was sent to which can be sent again.
    fn is_intended(&self, response: &http::Response) -> bool {
        let request = self.request.as_ref();
        request.is_some_and(|request| is_from(response, request.url()))
    }

    /// Prepares the answer to a demand for a nonce.
    fn answer(&mut self, nonce: Nonce) -> Result<bool> {
        if self.request.is_none() {
            return Err(Error::usage(
                "the server demands a DPoP nonce, and the request cannot be sent again with it, as \
                 its body is a stream; send it anew, which has the nonce by now, or use a body in \
                 memory",
            ));
        }
        self.has_resent = true;
        self.demanded = Some(nonce);
        Ok(true)
    }

    fn follow(&mut self, request: http::Request) -> bool {
        self.request = Some(request.into());
        self.redirects_left -= 1;
        true
    }
}

#[maybe_async]
impl Kept {
    /// Obtains another token than the refused one, if there is one.
    async fn renew(&mut self, live: &Live) -> bool {
        let Some(token) = self.token.clone() else {
            return false;
        };
        let deadline = *self.deadline.get_or_insert_with(|| live.deadline());
        self.has_renewed = true;
        let refused = Need::Other(token.clone());
        match self.session.obtain(refused, deadline).await {
            Ok(obtained) if obtained.published.is_same(&token) => false,
            Ok(obtained) => {
                self.token = Some(obtained.for_request());
                true
            }
            Err(error) => {
                trace::unauthorized(live.shared.settings.name(), &error);
                live.forgets_unknown(&error);
                false
            }
        }
    }

    async fn send(&mut self, live: &Live, mut request: http::Request) -> Result<http::Response> {
        let token = self.token.clone();
        if let Some(token) = &token {
            let deadline = self.deadline.unwrap_or_else(|| live.deadline());
            let demanded = self.demanded.take();
            let placed = live.place_late(&mut request, token, demanded, deadline.left());
            self.nonce = placed.await?;
        }
        if let Some(deadline) = self.deadline {
            limit(&mut request, deadline);
        }
        let response = live.shared.transport.send(request, execute)?.await?;
        if let Some(token) = &token
            && self.has_renewed
        {
            // If a new token did not help, the token was not the reason: no renewal for each of
            // the 401s that will follow.
            let is_refused = self.is_about_token(&response);
            let now = live.shared.now();
            live.slot.note_refusal(is_refused, token, now);
        }
        if let (Some(resource), true) = (live.resource(), self.has_authorized) {
            resource.note_response(refuses_token(&response), live.shared.now());
        }
        if let (Some(resource), 1..) = (live.resource(), self.step_ups) {
            resource.note_step_up(response.status());
        }
        Ok(response)
    }
}

/// The wait for the token is part of the request's own timeout, if it has one.
pub(super) fn limit(request: &mut http::Request, deadline: Deadline) {
    if request.timeout().is_some() {
        *request.timeout_mut() = Some(deadline.left());
    }
}

/// Whether a key that is not in this process has to sign the proof.
#[inline]
pub(super) fn is_signed_externally(token: &Published) -> bool {
    let bound = token.bound();
    bound.is_some_and(|bound| bound.key.local().is_none())
}

/// Whether the server that the request was sent to has answered, and not one to which it redirected.
fn is_from(response: &http::Response, sent_to: &Url) -> bool {
    response.url().origin() == sent_to.origin()
}
