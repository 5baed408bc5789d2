//! Attempts to send a request: the first one, and those that a response asks for.
//!
//! After each response there is one of few steps: none, or another token first. The rare ones are
//! in [`Refusal::repeat`], so that a request that is simply answered pays for none of them.

use std::sync::Arc;

use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue},
};

use super::super::{
    boxed, execute, http, maybe_async,
    protected_resource::{authorization::ResourceRefusal, state::ResourceState},
    session::{Live, Session},
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::{published::Published, single_flight::Need},
    oauth2::{protected_resource::challenge::ResourceChallenge, token::bearer::is_invalid_token},
    trace,
};

/// Limit of logins for more scope for one request.
const STEP_UPS: u8 = 2;

/// First attempt to send a request; with what another one needs, if there may be one.
pub(in super::super) struct FirstAttempt(Option<Box<Kept>>);

/// Request without a token, to be sent again.
struct Kept {
    session: Session,
    request: http::Request,
    /// The end of the waits for it, if it has a timeout of its own.
    deadline: Option<Deadline>,
    /// The token that it was sent with. A resource is asked without one what it needs.
    token: Option<Arc<Published>>,
    /// Whether that token was obtained after a refusal.
    has_renewed: bool,
    /// Whether the client was authorised for the resource that has refused the request.
    has_authorized: bool,
    /// The number of logins for more scope.
    step_ups: u8,
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
    /// Another token, with which the request is sent again.
    RenewFirst,
    /// The same by the way that the resource names.
    AuthorizeFirst(ResourceRefusal),
}

impl FirstAttempt {
    /// Adds the token to the request, if there is one that need not be renewed; otherwise returns the
    /// session.
    pub(super) fn new(
        session: Session,
        live: &Live,
        request: &mut http::Request,
    ) -> Result<Result<Self, Session>> {
        live.check(request)?;
        let Some((token, is_renewable)) = live.fresh_or_renewable() else {
            return Ok(Err(session));
        };
        let deadline = request.timeout().copied().map(Deadline::after);
        Self::with(session, live, request, token, is_renewable, deadline).map(Ok)
    }

    fn with(
        session: Session,
        live: &Live,
        request: &mut http::Request,
        token: Arc<Published>,
        is_renewable: bool,
        deadline: Option<Deadline>,
    ) -> Result<Self> {
        let copy = match is_renewable {
            true => copy(request),
            false => None,
        };
        live.place(request, &token)?;
        let kept = |request| {
            Box::new(Kept {
                session,
                request,
                deadline,
                token: Some(token),
                has_renewed: false,
                has_authorized: false,
                step_ups: 0,
            })
        };
        Ok(Self(copy.map(kept)))
    }

    /// The response, unless it may ask for another attempt of a request that can be sent again.
    pub(in super::super) fn accept(
        self,
        response: http::Response,
    ) -> Result<http::Response, Box<Refusal>> {
        match self.0 {
            Some(kept) if is_refusal(&response) => Err(Box::new(Refusal { response, kept })),
            _ => Ok(response),
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
                NextStep::Done => return Ok(response),
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
            };
            let Some(request) = copy(&kept.request).filter(|_| is_ready) else {
                return Ok(response);
            };
            drop(response);
            let live = kept.session.live()?;
            response = kept.send(&live, request).await?;
        }
    }
}

impl Kept {
    fn next(&self, live: &Live, response: &http::Response) -> NextStep {
        let has_token = self.token.is_some();
        match (self.is_about_token(response), live.resource()) {
            (true, _) if has_token && !self.has_renewed => NextStep::RenewFirst,
            (_, Some(resource)) => self.next_for(resource, response),
            _ => NextStep::Done,
        }
    }

    /// The step after a response of the resource that the client is for.
    fn next_for(&self, resource: &ResourceState, response: &http::Response) -> NextStep {
        let is_own = is_from(response, self.request.url())
            && response.url().origin() == resource.url.origin();
        let refusal = ResourceRefusal {
            challenge: ResourceChallenge::of(response.headers()),
            token: self.token.clone(),
        };
        let may_help = match response.status() {
            // A new token that is refused was not the reason.
            StatusCode::UNAUTHORIZED => refusal.challenge.is_for_tokens && !self.has_authorized,
            StatusCode::FORBIDDEN => {
                refusal.challenge.is_insufficient_scope && self.step_ups < STEP_UPS
            }
            _ => false,
        };
        match is_own && may_help {
            true => NextStep::AuthorizeFirst(refusal),
            false => NextStep::Done,
        }
    }

    /// Whether the intended server refused the token; a server to which it redirected has not
    /// received the token.
    fn is_about_token(&self, response: &http::Response) -> bool {
        response.status() == StatusCode::UNAUTHORIZED
            && is_from(response, self.request.url())
            && is_invalid_token(response.headers())
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
                false
            }
        }
    }

    /// Obtains a token by the way that the resource names.
    async fn authorize(&mut self, refusal: ResourceRefusal) -> Result<()> {
        match refusal.challenge.is_insufficient_scope {
            true => self.step_ups += 1,
            false => self.has_authorized = true,
        }
        self.session.authorize_for(refusal).await?;
        self.token = self.session.live()?.slot.published();
        // The time of a login is not that of the request.
        let own = self.request.timeout().copied();
        self.deadline = own.map(Deadline::after);
        Ok(())
    }

    async fn send(&self, live: &Live, mut request: http::Request) -> Result<http::Response> {
        if let Some(deadline) = self.deadline {
            limit(&mut request, deadline);
        }
        if let Some(token) = &self.token {
            live.place(&mut request, token)?;
        }
        let response = live.shared.transport.send(request, execute)?.await?;
        if let Some(token) = &self.token
            && self.has_renewed
        {
            // If a new token did not help, the token was not the reason: no renewal for each of
            // the 401s that will follow.
            let is_refused = self.is_about_token(&response);
            let now = live.shared.now();
            live.slot.note_refusal(is_refused, token, now);
        }
        if let (Some(resource), true) = (live.resource(), self.has_authorized) {
            resource.note_response(response.status(), live.shared.now());
        }
        Ok(response)
    }
}

#[maybe_async]
impl Session {
    /// Sends a request with a token that is obtained first.
    pub(in super::super) async fn send_late(
        self,
        live: Live,
        mut request: http::Request,
    ) -> Result<http::Response> {
        let own = request.timeout().copied().map(Deadline::after);
        let live = boxed(self.restored(live)).await?;
        let token = match live.obtain_for(&self, &mut request, own).await {
            Ok(token) => token,
            // The resource says what it needs.
            Err(error) if error.needs_login() && live.resource().is_some() => {
                return self.send_without_token(request).await;
            }
            Err(error) => return Err(error),
        };
        let is_renewable = live.can_renew();
        let first = FirstAttempt::with(self, &live, &mut request, token, is_renewable, own)?;
        let response = live.shared.transport.send(request, execute)?.await?;
        match first.accept(response) {
            Ok(response) => Ok(response),
            Err(refusal) => (*refusal).repeat().await,
        }
    }

    /// Sends a request to a resource, which may need no token for it.
    async fn send_without_token(self, request: http::Request) -> Result<http::Response> {
        let kept = copy(&request).map(|request| {
            Box::new(Kept {
                session: self.clone(),
                deadline: None,
                request,
                token: None,
                has_renewed: false,
                has_authorized: false,
                step_ups: 0,
            })
        });
        let live = self.live()?;
        let response = live.shared.transport.send(request, execute)?.await?;
        match FirstAttempt(kept).accept(response) {
            Ok(response) => Ok(response),
            Err(refusal) => boxed((*refusal).repeat()).await,
        }
    }

    pub(in super::super) async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.live()?;
        live.check(request)?;
        let token = match live.fresh() {
            Some(token) => token,
            None => {
                let own = request.timeout().copied().map(Deadline::after);
                boxed(live.obtain_for(self, request, own)).await?
            }
        };
        live.place(request, &token)
    }

    pub(in super::super) async fn authorization_header(&self) -> Result<HeaderValue> {
        self.usable().await?.for_request().header()
    }
}

#[maybe_async]
impl Live {
    /// A token for the request, which waits for it no longer than its own timeout.
    async fn obtain_for(
        &self,
        session: &Session,
        request: &mut http::Request,
        own: Option<Deadline>,
    ) -> Result<Arc<Published>> {
        let deadline = own.unwrap_or_else(|| self.deadline());
        let obtained = session.obtain(Need::Usable, deadline).await?;
        limit(request, deadline);
        Ok(obtained.for_request())
    }
}

impl Live {
    /// Whether the request may be given a token.
    fn check(&self, request: &http::Request) -> Result<()> {
        if request.headers().contains_key(AUTHORIZATION) {
            return Err(Error::usage(
                "the request has an Authorization header, or a user name in its URL, already; \
                 take it out, or call withhold_token",
            ));
        }
        self.shared.transport.check(request.url())
    }
}

/// The wait for the token is part of the request's own timeout, if it has one.
fn limit(request: &mut http::Request, deadline: Deadline) {
    if request.timeout().is_some() {
        *request.timeout_mut() = Some(deadline.left());
    }
}

/// A copy of the request, unless its body is a stream.
///
/// `try_clone` makes a place for a timeout in each copy, which costs more than all the rest.
fn copy(request: &http::Request) -> Option<http::Request> {
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

/// Whether the status is one that may ask for another attempt.
fn is_refusal(response: &http::Response) -> bool {
    matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    )
}

/// Whether the server that the request was sent to has answered, and not one to which it redirected.
fn is_from(response: &http::Response, sent_to: &Url) -> bool {
    response.url().origin() == sent_to.origin()
}
