//! Authorization of requests to an API, by a bearer token, a token with a proof, or an OAuth 1.0
//! signature, and the sending of them.
//!
//! Rare steps (a token that has to be obtained, a 401, a signature) are in futures of their
//! own, so that the future of a request stays small.

mod attempt;
mod bearer;
mod bound;
mod copy;
mod late;
mod ready;
mod redirect;
mod signed;

use reqwest::{IntoUrl, Method};

use super::{
    boxed, execute, http, maybe_async, oauth1::session::SignedSession, session::Session,
    waiting::Deadline,
};
use crate::error::Result;
use attempt::FirstAttempt;

/// What a request is authorised by.
pub(super) enum Authorizer {
    /// A bearer token, or one that is bound to a key.
    Bearer(Session),
    Signed(SignedSession),
}

impl From<&Session> for Authorizer {
    fn from(session: &Session) -> Self {
        Self::Bearer(session.clone())
    }
}

impl From<&SignedSession> for Authorizer {
    fn from(session: &SignedSession) -> Self {
        Self::Signed(session.clone())
    }
}

impl Authorizer {
    /// Creates a request on the connections of the client.
    #[inline]
    pub(super) fn request(
        &self,
        method: Method,
        url: impl IntoUrl,
    ) -> Result<http::RequestBuilder> {
        match self {
            Self::Bearer(session) => session.request(method, url),
            Self::Signed(session) => Ok(session.live()?.shared.transport.request(method, url)),
        }
    }
}

/// Request whose sending has begun.
pub(super) enum Begun<Sent> {
    /// With a token, by reqwest.
    Sent(FirstAttempt, Sent),
    Unready(Box<Unready>),
}

/// Request that is not simply sent with a token.
pub(super) struct Unready {
    pub(super) client: UnreadyClient,
    pub(super) request: http::Request,
}

pub(super) enum UnreadyClient {
    /// The request is sent unchanged.
    Withholding(Authorizer),
    Signing(SignedSession),
    /// A token has to be obtained first, an external key has to sign, or more is to be done that belongs
    /// to the wait for the response.
    Waiting(Session),
}

impl Authorizer {
    /// Adds the token of the client to the request, if that needs no more than that, and sees to it
    /// that the request is sent on the connections in use: the given ones, if they are the client's own.
    #[inline]
    pub(super) fn begin(
        self,
        connections: &mut http::Client,
        is_own: bool,
        request: &mut http::Request,
        withhold_token: bool,
    ) -> Result<Result<FirstAttempt, UnreadyClient>> {
        let session = match self {
            client if withhold_token => return Ok(Err(UnreadyClient::Withholding(client))),
            Self::Signed(session) => return Ok(Err(UnreadyClient::Signing(session))),
            Self::Bearer(session) => session,
        };
        let at_once = session.at_once(|live| {
            let is_at_once = is_own && live.can_begin_at_once(request);
            is_at_once.then(|| live.add_token(request))
        });
        let ready = match at_once.flatten() {
            Some(ready) => ready?,
            None => {
                let live = session.serving()?;
                match live.can_begin(request) {
                    true => live.add_token(request)?.inspect(|_| {
                        let in_use = live.shared.transport.connections();
                        connections.clone_from(in_use.for_resource(request.url()));
                    }),
                    false => None,
                }
            }
        };
        Ok(match ready {
            Some(ready) => Ok(ready.first(session)),
            None => Err(UnreadyClient::Waiting(session)),
        })
    }
}

impl Unready {
    /// Adds the token and sends the request by `execute` when the response is waited for, if that needs
    /// no more than that.
    fn begin<T>(
        mut self: Box<Self>,
        execute: impl FnOnce(&http::Client, http::Request) -> T,
    ) -> Result<Result<(FirstAttempt, T), Box<Self>>> {
        let UnreadyClient::Waiting(session) = &self.client else {
            return Ok(Err(self));
        };
        let live = session.serving()?;
        match live.add_token(&mut self.request)? {
            Some(ready) => Ok(Ok((
                ready.first(session.clone()),
                live.shared.transport.send(self.request, execute)?,
            ))),
            None => Ok(Err(self)),
        }
    }
}

#[maybe_async]
impl Unready {
    /// Sends the request with a token that can be used at once, or waits for one.
    pub(super) async fn send(self: Box<Self>) -> Result<http::Response> {
        match self.begin(execute)? {
            Ok((first, sent)) => first.response(sent).await,
            Err(unready) => boxed(unready.send_late()).await,
        }
    }

    /// While it waits for a token, which many may do at once, it holds nothing beside the request.
    async fn send_late(mut self: Box<Self>) -> Result<http::Response> {
        let own = self.request.timeout().copied().map(Deadline::after);
        let waited = match &self.client {
            UnreadyClient::Waiting(session) => {
                let mut live = session.serving()?;
                live.check(&self.request)?;
                let token = session.token_for(&mut live, &mut self.request, own).await?;
                token.map(|token| (live, token))
            }
            UnreadyClient::Withholding(_) | UnreadyClient::Signing(_) => None,
        };
        let Self { client, request } = *self;
        match (client, waited) {
            (UnreadyClient::Withholding(client), _) => boxed(client.execute(request)).await,
            (UnreadyClient::Signing(session), _) => boxed(session.send(request, own)).await,
            (UnreadyClient::Waiting(session), Some((live, token))) => {
                boxed(session.send_late(live, request, token, own)).await
            }
            (UnreadyClient::Waiting(session), None) => {
                boxed(session.send_without_token(request, own)).await
            }
        }
    }
}

#[maybe_async]
impl Authorizer {
    /// Sends a request unchanged.
    pub(super) async fn execute(self, request: http::Request) -> Result<http::Response> {
        let sent = match self {
            Self::Bearer(session) => {
                let live = session.serving()?;
                live.shared.transport.update_certificate();
                live.shared.transport.send(request, execute)
            }
            Self::Signed(session) => session.live()?.shared.transport.send(request, execute),
        };
        Ok(sent?.await?)
    }
}
