//! What authorises requests to an API, a bearer token or an OAuth 1.0 signature, and the one loop
//! that sends them.

mod bearer;
mod signed;

use reqwest::{IntoUrl, Method};

use super::{execute, http, maybe_async, oauth1::session::SignedSession, session::Session};
use crate::error::Result;
use {bearer::Bearer, signed::Signed};

/// Whose request it is.
pub(super) enum RequestingClient {
    Bearer(Session),
    Signed(SignedSession),
}

impl From<&Session> for RequestingClient {
    fn from(session: &Session) -> Self {
        Self::Bearer(session.clone())
    }
}

impl From<&SignedSession> for RequestingClient {
    fn from(session: &SignedSession) -> Self {
        Self::Signed(session.clone())
    }
}

impl RequestingClient {
    /// Begins a request on the connections of the client.
    pub(super) fn request(
        &self,
        method: Method,
        url: impl IntoUrl,
    ) -> Result<http::RequestBuilder> {
        Ok(match self {
            Self::Bearer(session) => session.live()?.shared.transport.request(method, url),
            Self::Signed(session) => session.live()?.shared.transport.request(method, url),
        })
    }

    /// What authorises one request, with all that it takes to send it.
    pub(super) fn authorizer(self) -> Result<Authorizer> {
        Ok(match self {
            Self::Bearer(session) => Authorizer::Bearer(Bearer::new(session)?),
            Self::Signed(session) => Authorizer::Signed(Signed::new(session.live()?)),
        })
    }
}

#[maybe_async]
impl RequestingClient {
    /// Sends a request as it is.
    pub(super) async fn execute(self, request: http::Request) -> Result<http::Response> {
        self.authorizer()?.execute(request).await
    }
}

/// What authorises one request, each time that it is sent.
pub(super) enum Authorizer {
    Bearer(Bearer),
    Signed(Signed),
}

/// What a response asks for.
pub(super) enum Next {
    /// Nothing: it is the answer.
    Done,
    /// The request once more, like this.
    Again(http::Request),
    /// A new token, and then this.
    Renew(http::Request),
}

#[maybe_async]
impl Authorizer {
    /// Sends a request, and again for as long as the response asks for it.
    pub(super) async fn send(mut self, mut request: http::Request) -> Result<http::Response> {
        loop {
            self.authorize(&mut request).await?;
            let response = self.execute(request).await?;
            request = match self.next(&response) {
                Next::Done => return Ok(response),
                Next::Again(next) => next,
                Next::Renew(next) => match self.renew().await {
                    true => next,
                    false => return Ok(response),
                },
            };
        }
    }

    /// Puts a token or a signature on the request.
    pub(super) async fn authorize(&mut self, request: &mut http::Request) -> Result<()> {
        match self {
            Self::Bearer(bearer) => bearer.authorize(request).await,
            Self::Signed(signed) => signed.authorize(request),
        }
    }

    /// Obtains another token than that which was refused; whether there is one.
    async fn renew(&mut self) -> bool {
        match self {
            Self::Bearer(bearer) => bearer.renew().await,
            Self::Signed(_) => false,
        }
    }

    async fn execute(&self, request: http::Request) -> Result<http::Response> {
        let transport = match self {
            Self::Bearer(bearer) => bearer.transport(),
            Self::Signed(signed) => signed.transport(),
        };
        Ok(execute(transport.resources(request.url()), request).await?)
    }
}

impl Authorizer {
    fn next(&mut self, response: &http::Response) -> Next {
        match self {
            Self::Bearer(bearer) => bearer.next(response),
            Self::Signed(signed) => signed.next(response),
        }
    }
}
