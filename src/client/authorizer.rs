//! Authorization of requests to an API, by a bearer token or an OAuth 1.0 signature, and the one
//! loop that sends them.

mod bearer;
mod signed;

use reqwest::{IntoUrl, Method};

use super::{
    execute, http, maybe_async, oauth1::session::SignedSession, require_runtime, session::Session,
};
use crate::error::Result;
use {bearer::Bearer, signed::Signed};

/// Client of a request.
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
    /// Creates a request on the connections of the client.
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

    /// The authorizer of one request.
    pub(super) fn authorizer(self) -> Result<Authorizer> {
        Ok(match self {
            Self::Bearer(session) => Authorizer::Bearer(Bearer::new(session)?),
            Self::Signed(session) => Authorizer::Signed(Signed::new(session.live()?)),
        })
    }
}

#[maybe_async]
impl RequestingClient {
    /// Sends a request unchanged.
    pub(super) async fn execute(self, request: http::Request) -> Result<http::Response> {
        self.authorizer()?.execute(request).await
    }
}

/// Authorizer of one request, each time that it is sent.
pub(super) enum Authorizer {
    Bearer(Bearer),
    Signed(Signed),
}

/// Step that follows a response.
pub(super) enum Next {
    /// Return the response.
    Done,
    /// Send this request.
    Again(http::Request),
    /// Renew the token, and send this request.
    Renew(http::Request),
}

#[maybe_async]
impl Authorizer {
    /// Sends a request, repeatedly if the response asks for it.
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

    /// Obtains a token other than the refused one; whether there is one.
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
        require_runtime()?;
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
