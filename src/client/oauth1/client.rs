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
    /// An OAuth 1.0 client: it signs what is sent, and does the three steps by which a person
    /// grants access.
    ///
    /// Cheap to clone: clones are the same client, with one person's credentials and one set of
    /// connections.
    ///
    /// A script is one person's, and the client keeps the credentials:
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth1_client.md"),
        include_str!("../../../docs/examples/async/oauth1_client.md")
    )]
    ///
    /// A web back end serves many people with one client, which keeps nothing of them:
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth1_client_2.md"),
        include_str!("../../../docs/examples/async/oauth1_client_2.md")
    )]
    ///
    /// # Security
    ///
    /// Endpoints and signed requests have to be HTTPS, or loopback. Redirects are not followed, as
    /// a signature is good for one request; no answer of an endpoint may be larger than 1 MiB or
    /// last longer than the timeout, and none is asked twice by itself.
    ///
    /// [RFC 5849](https://www.rfc-editor.org/rfc/rfc5849)
    #[derive(Clone)]
    pub struct OAuth1Client | AsyncOAuth1Client {
        pub(in super::super::super) session: SignedSession,
    }
}

impl OAuth1Client {
    /// Begins a client that the server knows by this key (its `oauth_consumer_key`).
    pub fn builder(client_key: impl Into<String>) -> OAuth1ClientBuilder {
        OAuth1ClientBuilder::new(client_key.into())
    }

    pub(in super::super) fn new(session: SignedSession) -> Self {
        Self { session }
    }

    /// The token credentials that the client signs with; none if it signs for itself alone, or
    /// after `close`.
    pub fn token(&self) -> Option<Arc<TokenCredentials>> {
        self.session.token()
    }

    /// Gives the client token credentials from elsewhere.
    ///
    /// # Errors
    ///
    /// If the client is closed.
    pub fn set_token(&self, token: TokenCredentials) -> Result<()> {
        self.session.set_token(token).map(drop)
    }

    /// A client for the token credentials of another person: the same settings and connections.
    /// Cheap, so that a web back end makes one per request.
    #[must_use]
    pub fn for_token(&self, token: TokenCredentials) -> Self {
        Self::new(self.session.child(token))
    }

    /// Where to send the person that these temporary credentials are for.
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

    /// Where to send the client's own person, after `fetch_request_token`.
    ///
    /// # Errors
    ///
    /// If no login is under way, there is no `authorization_endpoint`, or the client is closed.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn create_authorization_url(&self) -> Result<Url> {
        self.session.create_authorization_url()
    }

    /// Takes the callback, a URL or its query, that the client's own person came back with.
    ///
    /// # Errors
    ///
    /// If it is not the answer to this login, which is then still under way; the server's own
    /// error, which ends it; or if none is under way.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn parse_authorization_response(&self, callback: &str) -> Result<()> {
        self.session
            .verify(|temporary| temporary.authorization_response(callback))
    }

    /// Takes the verifier that the client's own person was shown and has typed.
    ///
    /// # Errors
    ///
    /// If it is empty, or no login is under way.
    ///
    /// [RFC 5849 section 2.2](https://www.rfc-editor.org/rfc/rfc5849#section-2.2)
    pub fn set_verifier(&self, verifier: impl Into<Secret>) -> Result<()> {
        self.session
            .verify(|temporary| temporary.verifier(verifier))
    }

    /// Signs a request that is sent with a client of the caller's own, which must not change it
    /// after that. Each attempt has to be signed anew.
    ///
    /// # Errors
    ///
    /// As for a request of this client: a URL that is neither HTTPS nor loopback, an
    /// `Authorization` header that is there already, a body that cannot be signed.
    pub fn authorize(&self, request: &mut http::Request) -> Result<()> {
        let live = self.session.live()?;
        live.shared.transport.check(request.url())?;
        sign(&live.signer, request)
    }
}

#[maybe_async]
impl OAuth1Client {
    /// Asks for temporary credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or if the server does not confirm the
    /// callback.
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn request_temporary_credentials(&self) -> Result<TemporaryCredentials> {
        self.session.live()?.request_temporary_credentials().await
    }

    /// Exchanges verified credentials for the person's token credentials, and keeps nothing.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport. If the outcome is unknown the verifier may
    /// be spent, and the person has to begin again.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn exchange(&self, verified: VerifiedCredentials) -> Result<TokenCredentials> {
        let live = self.session.live()?;
        live.request_token_credentials(&verified).await
    }

    /// Begins the login of the client's own person: asks for temporary credentials and keeps them.
    ///
    /// # Errors
    ///
    /// As [`request_temporary_credentials`](Self::request_temporary_credentials).
    ///
    /// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
    pub async fn fetch_request_token(&self) -> Result<()> {
        self.session.fetch_request_token().await
    }

    /// Completes the login of the client's own person, and keeps the token credentials, in the
    /// place of those there were.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange); or if there is no verifier yet.
    ///
    /// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
    pub async fn fetch_access_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.fetch_access_token().await
    }

    /// Renews the token credentials by their `oauth_session_handle`, and keeps the new ones.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or if there are none, or none with a
    /// session handle.
    ///
    /// [OAuth Session Extension](https://oauth.googlecode.com/svn/spec/ext/session/1.0/drafts/1/spec.html)
    pub async fn refresh_token(&self) -> Result<Arc<TokenCredentials>> {
        self.session.refresh_token().await
    }

    /// Closes the client and all its clones, and lets go of credentials and connections. Later
    /// calls fail as closed. Parent and children stay open; connections end with the last of
    /// them. Closing again is fine.
    ///
    /// # Errors
    ///
    /// None so far.
    ///
    /// # Security
    ///
    /// The client's secrets are overwritten in memory; the key that *ring* made of them, and the
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
