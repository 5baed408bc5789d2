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
mod redirect;
mod signed;

use reqwest::{IntoUrl, Method};

use super::{
    boxed, execute, http, maybe_async,
    oauth1::session::SignedSession,
    session::{Live, Session},
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

/// Beginning of a request.
pub(super) enum Begun<T> {
    /// It has its token and is sent.
    Sent(FirstAttempt, T),
    /// Something has to be done first.
    Unready(Box<Unready>),
}

/// Request that is not simply sent with a token.
pub(super) struct Unready {
    client: UnreadyClient,
    request: http::Request,
}

enum UnreadyClient {
    /// The request is sent unchanged.
    Withholding(Authorizer),
    Signing(SignedSession),
    /// A token has to be obtained first, or an external key has to sign.
    Waiting(Session, Live),
}

impl Authorizer {
    /// Sends a request by `execute` with the token of the client, if that needs no more than that.
    ///
    /// No async function: all that it borrows would be kept in the future.
    #[inline]
    pub(super) fn begin<T>(
        self,
        mut request: http::Request,
        withhold_token: bool,
        execute: impl FnOnce(&http::Client, http::Request) -> T,
    ) -> Result<Begun<T>> {
        let client = match self {
            client if withhold_token => UnreadyClient::Withholding(client),
            Self::Signed(session) => UnreadyClient::Signing(session),
            Self::Bearer(session) => {
                let live = session.live()?;
                match FirstAttempt::new(session, &live, &mut request)? {
                    Ok(first) => {
                        let sent = live.shared.transport.send(request, execute)?;
                        return Ok(Begun::Sent(first, sent));
                    }
                    Err(session) => UnreadyClient::Waiting(session, live),
                }
            }
        };
        Ok(Begun::Unready(Box::new(Unready { client, request })))
    }
}

#[maybe_async]
impl Unready {
    /// While it waits for a token, which many may do at once, it holds nothing beside the request.
    pub(super) async fn send(mut self: Box<Self>) -> Result<http::Response> {
        let own = self.request.timeout().copied().map(Deadline::after);
        let token = match &mut self.client {
            UnreadyClient::Waiting(session, live) => {
                session.token_for(live, &mut self.request, own).await?
            }
            UnreadyClient::Withholding(_) | UnreadyClient::Signing(_) => None,
        };
        let Self { client, request } = *self;
        match client {
            UnreadyClient::Withholding(client) => boxed(client.execute(request)).await,
            UnreadyClient::Signing(session) => boxed(session.send(request)).await,
            UnreadyClient::Waiting(session, live) => match token {
                Some(token) => boxed(session.send_late(live, request, token, own)).await,
                None => boxed(session.send_without_token(request)).await,
            },
        }
    }
}

#[maybe_async]
impl Authorizer {
    /// Sends a request unchanged.
    pub(super) async fn execute(self, request: http::Request) -> Result<http::Response> {
        let sent = match self {
            Self::Bearer(session) => session.live()?.shared.transport.send(request, execute),
            Self::Signed(session) => session.live()?.shared.transport.send(request, execute),
        };
        Ok(sent?.await?)
    }
}
