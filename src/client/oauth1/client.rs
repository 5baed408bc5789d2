//! The OAuth 1.0 client.

use std::{fmt, sync::Arc};

use reqwest::{IntoUrl, Method, Url};

use super::super::{
    http, maybe_async,
    oauth1::{builder::OAuth1ClientBuilder, session::SignedSession},
    request::{RequestBuilder, verbs},
};
use super::sign::sign;
use crate::{
    error::Result,
    oauth1::{TemporaryCredentials, TokenCredentials, VerifiedCredentials},
    secret::Secret,
};

paired! {
    /// An OAuth 1.0 client, which signs requests and performs the three steps by which a user
    /// grants access.
    ///
    /// Cheap to clone: clones are the same client, with the credentials of one user and one set of
    /// connections.
    ///
    /// In a script for a single user, the client keeps the credentials:
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth1_client.md"),
        include_str!("../../../docs/examples/async/oauth1_client.md")
    )]
    ///
    /// In a web back end, one client serves many users and keeps nothing of them:
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth1_client_2.md"),
        include_str!("../../../docs/examples/async/oauth1_client_2.md")
    )]
    ///
    /// # Security
    ///
    /// Endpoints and signed requests must be HTTPS or loopback. Redirects are not followed, as a
    /// signature is valid for one request. Responses of endpoints are limited to 1 MiB and to the
    /// timeout, and requests to them are not repeated.
    ///
    /// [RFC 5849](https://www.rfc-editor.org/rfc/rfc5849)
    #[derive(Clone)]
    pub struct OAuth1Client | AsyncOAuth1Client {
        pub(in super::super::super) session: SignedSession,
    }
}

impl OAuth1Client {
    /// Creates a builder for the client with this key at the server (its `oauth_consumer_key`).
    pub fn builder(client_key: impl Into<String>) -> OAuth1ClientBuilder {
        OAuth1ClientBuilder::new(client_key.into())
    }

    pub(in super::super) fn new(session: SignedSession) -> Self {
        Self { session }
    }

    /// The current token credentials; none if the client signs for itself alone, or after `close`.
    pub fn token(&self) -> Option<Arc<TokenCredentials>> {
        self.session.token()
    }

    /// Replaces the token credentials.
    ///
    /// # Errors
    ///
    /// If the client is closed.
    pub fn set_token(&self, token: TokenCredentials) -> Result<()> {
        self.session.set_token(token).map(drop)
    }

    /// Creates a client for the token credentials of another user, with the same settings and
    /// connections. Cheap, so that a web back end creates one per request.
    #[must_use]
    pub fn for_token(&self, token: TokenCredentials) -> Self {
        Self::new(self.session.child(token))
    }

    /// The URL to redirect the user of these temporary credentials to.
    ///
    /// # Errors
    ///
    /// If there is no `authorization_endpoint`, or the client is closed.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn authorization_url(&self, temporary: &TemporaryCredentials) -> Result<Url> {
        let live = self.session.live()?;
        live.shared.settings.authorization_url(temporary)
    }

    /// The URL to redirect the client's own user to, after `fetch_request_token`.
    ///
    /// # Errors
    ///
    /// If no login is pending, there is no `authorization_endpoint`, or the client is closed.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn create_authorization_url(&self) -> Result<Url> {
        self.session.create_authorization_url()
    }

    /// Reads the callback of the client's own user, a URL or its query.
    ///
    /// # Errors
    ///
    /// If it does not answer this login, which is then still pending; the error of the server,
    /// which ends the login; or if none is pending.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn parse_authorization_response(&self, callback: &str) -> Result<()> {
        self.session
            .verify(|temporary| temporary.authorization_response(callback))
    }

    /// Sets the verifier that the client's own user was shown and has typed.
    ///
    /// # Errors
    ///
    /// If it is empty, or no login is pending.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn set_verifier(&self, verifier: impl Into<Secret>) -> Result<()> {
        self.session
            .verify(|temporary| temporary.verifier(verifier))
    }

    /// Signs a request that is sent with an HTTP client of your own, which must not change it
    /// afterwards. Each attempt has to be signed anew.
    ///
    /// # Errors
    ///
    /// Those of a request of this client: a URL that is neither HTTPS nor loopback, an
    /// `Authorization` header that is present already, a body that cannot be signed.
    pub fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.session.live()?;
        live.shared.transport.check(request.url())?;
        sign(&live.signer, request)
    }
}

#[maybe_async]
impl OAuth1Client {
    /// Requests temporary credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport; or if the server does not confirm the
    /// callback.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn request_temporary_credentials(&self) -> Result<TemporaryCredentials> {
        self.session.live()?.request_temporary_credentials().await
    }

    /// Exchanges verified credentials for the user's token credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport. If the outcome is unknown, the verifier may be
    /// used up, and the user has to log in again.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn exchange(&self, verified: VerifiedCredentials) -> Result<TokenCredentials> {
        let live = self.session.live()?;
        live.request_token_credentials(&verified).await
    }

    /// Begins the login of the client's own user: requests temporary credentials and keeps them.
    ///
    /// # Errors
    ///
    /// Those of [`request_temporary_credentials`](Self::request_temporary_credentials).
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn fetch_request_token(&self) -> Result<()> {
        self.session.fetch_request_token().await
    }

    /// Completes the login of the client's own user, and keeps the token credentials, which
    /// replace the old ones.
    ///
    /// # Errors
    ///
    /// Those of [`exchange`](Self::exchange); or if there is no verifier yet.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn fetch_access_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.fetch_access_token().await
    }

    /// Renews the token credentials by their `oauth_session_handle`, and keeps the new ones, unless
    /// others were set meanwhile. Tasks or threads that call it at once share one request.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport; or if there are no token credentials, or none
    /// with a session handle.
    ///
    /// [OAuth Session Extension](https://oauth.googlecode.com/svn/spec/ext/session/1.0/drafts/1/spec.html)
    pub async fn refresh_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.refresh_token().await
    }

    /// Closes the client and all its clones, and releases credentials and connections. Later calls
    /// return [`ErrorKind::Closed`](crate::ErrorKind::Closed). The parent and the children stay
    /// open; connections end with the last of them. `close` may be called again.
    ///
    /// # Errors
    ///
    /// None so far.
    ///
    /// # Security
    ///
    /// The client's secrets are overwritten in memory; the key of *ring* made of them, and the
    /// buffers of reqwest, are freed and not overwritten.
    pub async fn close(&self) -> Result<()> {
        self.session.abandon();
        Ok(())
    }
}

verbs!(OAuth1Client);

impl fmt::Debug for OAuth1Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(by_mode!("OAuth1Client", "AsyncOAuth1Client"))
            .field(&self.session)
            .finish()
    }
}
