//! The OAuth 2.0 client.

use std::{fmt, sync::Arc};

use reqwest::{IntoUrl, Method, header::HeaderValue};

use super::super::{
    http, maybe_async,
    oauth2::builder::OAuth2ClientBuilder,
    oidc::id_tokens::ExpectedLogin,
    request::{RequestBuilder, verbs},
    session::Session,
};
use crate::{
    error::Result,
    oauth2::{
        endpoint::introspection::{Introspection, TokenTypeHint},
        grant::Grant,
        token::Token,
    },
    secret::Secret,
};

paired! {
    /// An OAuth 2.0 client that obtains and renews its token by itself.
    ///
    /// Cheap to clone: clones are the same client, with one token and one set of connections.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth2_client.md"),
        include_str!("../../../docs/examples/async/oauth2_client.md")
    )]
    ///
    /// One renewal serves any number of clones, tasks, threads and [`for_token`](Self::for_token)
    /// children, and with a [`token_store`] any number of processes. One caller begins it
    /// [`leeway`] before the token expires, while the others use the old token. The new token is
    /// in use first, and is then passed to [`token_store`] and [`update_token`]. If one of these
    /// fails, a token method of the caller that renewed returns the error, a request is sent all
    /// the same, and the token is passed on with the next renewal and by [`close`](Self::close).
    ///
    /// # Security
    ///
    /// Endpoints and requests with a token must be HTTPS or loopback. Redirects of endpoints are
    /// not followed; their responses are limited to 1 MiB and to the timeout.
    ///
    #[doc = by_mode!(
        "[`leeway`]: crate::OAuth2ClientBuilder::leeway\n\
         [`token_store`]: crate::OAuth2ClientBuilder::token_store\n\
         [`update_token`]: crate::OAuth2ClientBuilder::update_token",
        "[`leeway`]: crate::AsyncOAuth2ClientBuilder::leeway\n\
         [`token_store`]: crate::AsyncOAuth2ClientBuilder::token_store\n\
         [`update_token`]: crate::AsyncOAuth2ClientBuilder::update_token"
    )]
    #[derive(Clone)]
    pub struct OAuth2Client | AsyncOAuth2Client {
        pub(in super::super::super) session: Session,
    }
}

impl OAuth2Client {
    /// Creates a builder for the client with this identifier at the server.
    pub fn builder(client_id: impl Into<String>) -> OAuth2ClientBuilder {
        OAuth2ClientBuilder::new(client_id.into())
    }

    pub(in super::super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// The current token, expired or not; none after `close`, nor before a `token_store` has been
    /// read.
    pub fn token(&self) -> Option<Token> {
        self.session.token()
    }

    /// Replaces the token of the client and its clones; children with the same token keep it. A
    /// renewal in flight does not replace the new token; its result is passed to `update_token`
    /// all the same, marked as superseded unless a child still uses it.
    ///
    #[doc = by_mode!(
        "A `token_store` has the token when this returns.",
        "A `token_store` gets the token by a task of its own, or outside of a runtime with the \
         next renewal; `close` waits for it, and reports a failure."
    )]
    ///
    /// # Errors
    ///
    #[doc = by_mode!(
        "If the client is closed, or within `update_token`; or if `token_store` did not take the \
         token, which is in use all the same.",
        "If the client is closed, or within `update_token`."
    )]
    pub fn set_token(&self, token: Token) -> Result<()> {
        self.session.set_token(token)
    }

    /// Creates a client for the token of another user, with the same settings, connections and
    /// `update_token`.
    ///
    /// Cheap, so that a web back end creates one per request. Children with equal refresh tokens
    /// share one token, and so does the client itself if its token has the same refresh token:
    /// twenty requests that each load the same row make one renewal, and a child with the old refresh
    /// token gets the new token: for a minute after the renewal, and for as long as `update_token` has
    /// not taken that. `set_token` and `fetch_token` change the token of the child that they are called
    /// on, with its clones; the others keep theirs. A refresh repeats the parameters of the token's own
    /// request ([`Token::refresh_parameters`]), or else sends the client's `resource`.
    ///
    /// The wait after a failed renewal, and a refusal of the refresh token, hold for the children that
    /// are created later, too.
    ///
    /// `close` of the client also waits for the renewals of its children, and for their updates.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_token.md"),
        include_str!("../../../docs/examples/async/for_token.md")
    )]
    #[must_use]
    #[doc(alias = "session")]
    #[doc(alias = "login")]
    pub fn for_token(&self, token: Token) -> Self {
        Self::new(self.session.child(token))
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Obtains a token with `grant`, which replaces that of the client and its clones; children
    /// with the old token keep it.
    ///
    /// A grant that can be sent again serves for renewals too. `update_token` is not called, as the
    /// token is returned. A `token_store` has the token by then.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport, or an ID token that is not what it has to be;
    /// the client then keeps its old token.
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) if the new token is in use but `token_store`
    /// did not take it.
    ///
    /// [RFC 6749 section 4](https://www.rfc-editor.org/rfc/rfc6749#section-4)
    pub async fn fetch_token(&self, grant: impl Grant + 'static) -> Result<Token> {
        let expected = ExpectedLogin::of(&grant);
        self.session.fetch_token(Arc::new(grant), expected).await
    }

    /// Obtains a token with `grant` and leaves the client unchanged.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport.
    pub async fn exchange(&self, grant: impl Grant + 'static) -> Result<Token> {
        let expected = ExpectedLogin::of(&grant);
        self.session.exchange(Arc::new(grant), expected).await
    }

    /// Renews the token now, whatever its age; joins a renewal in flight.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport. While a `Retry-After` of the server lasts, up
    /// to five minutes, nothing is sent and the last error is returned at once, with
    /// [`retry_after`](crate::Error::retry_after); after the server has refused the refresh token,
    /// that error, until there is another token.
    ///
    /// [`ErrorKind::Update`] if the new token is in use but `token_store` or `update_token`
    /// failed; [`token`](Self::token) returns it. [`ErrorKind::Store`] if `token_store` cannot be
    /// read or leased. [`ErrorKind::Token`] without a refresh token and without a grant that can
    /// be sent again.
    ///
    /// [`ErrorKind::Update`]: crate::ErrorKind::Update
    /// [`ErrorKind::Store`]: crate::ErrorKind::Store
    /// [`ErrorKind::Token`]: crate::ErrorKind::Token
    ///
    /// [RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)
    #[doc(alias = "expired")]
    #[doc(alias = "401")]
    pub async fn refresh_token(&self) -> Result<Token> {
        self.session.refresh_token().await
    }

    /// Returns the token, renewing it if it has expired or is about to. Requests do the same by
    /// themselves.
    ///
    /// # Errors
    ///
    /// Those of [`refresh_token`](Self::refresh_token), if the token has expired. After a failed
    /// attempt the next one waits, from 1 second doubling to 30 or as long as `Retry-After` says;
    /// until then the last error is returned at once, with
    /// [`retry_after`](crate::Error::retry_after).
    ///
    /// Of a renewal before the expiry only [`ErrorKind::Update`](crate::ErrorKind::Update).
    #[doc(alias = "expired")]
    pub async fn ensure_active_token(&self) -> Result<Token> {
        self.session.ensure_active_token().await
    }

    /// Revokes the client's own token, the refresh token if there is one, and forgets it. With a
    /// `token_store` this is the stored token, which no other process renews meanwhile, and which is
    /// removed from the store.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport; the client then keeps its token.
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if `token_store` could not be read or leased,
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) if the token was revoked but is still
    /// stored; the next call tries to remove it.
    ///
    /// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
    #[doc(alias = "logout")]
    pub async fn revoke_token(&self) -> Result<()> {
        self.session.revoke_token().await
    }

    /// Revokes any token that was issued to this client.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport.
    ///
    /// [RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)
    pub async fn revoke(
        &self,
        token: impl Into<Secret>,
        hint: Option<TokenTypeHint>,
    ) -> Result<()> {
        self.session.revoke(token.into(), hint).await
    }

    /// Introspects the client's own access token, without renewing it.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport.
    ///
    /// [RFC 7662 section 2](https://www.rfc-editor.org/rfc/rfc7662#section-2)
    pub async fn introspect_token(&self) -> Result<Introspection> {
        self.session.introspect_token().await
    }

    /// Introspects any token.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport.
    ///
    /// [RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)
    pub async fn introspect(
        &self,
        token: impl Into<Secret>,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection> {
        self.session.introspect(token.into(), hint).await
    }

    /// Adds the token to a request that is sent with an HTTP client of your own, and with `dpop` a
    /// proof for this one request, which is to be sent as it is; give its response to
    /// [`observe`](Self::observe).
    ///
    /// # Errors
    ///
    /// Those of a request of this client: no usable token, a URL that is neither HTTPS nor
    /// loopback, an `Authorization` header that is present already.
    pub async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        self.session.authorize(request).await
    }

    /// Returns the value of the `Authorization` header, for other uses.
    ///
    /// # Errors
    ///
    /// If there is no usable token; or with `dpop`, as the header is of no use without a proof.
    ///
    /// # Security
    ///
    /// The calling code must send it over HTTPS, and to the token's audience only.
    ///
    /// [RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)
    #[doc(alias = "bearer")]
    pub async fn authorization_header(&self) -> Result<HeaderValue> {
        self.session.authorization_header().await
    }

    /// Closes the client and all its clones. Waits for the renewals in flight, and passes to
    /// `token_store` and `update_token` what they have not taken yet: for this client and all its
    /// children, side by side, within the `close_timeout`. No token request of this client begins
    /// after it has returned.
    ///
    /// Later calls return [`ErrorKind::Closed`](crate::ErrorKind::Closed). The parent and the
    /// children stay open; connections end with the last of them. Closing a child settles that
    /// child alone. `close` may be called again.
    ///
    /// # Errors
    ///
    /// If `token_store` or `update_token` fails once more, or if the `close_timeout` ends first.
    /// Calls are refused then, too, and what is left is kept for another `close`. Within
    /// `update_token`, [`ErrorKind::Reentrant`](crate::ErrorKind::Reentrant).
    ///
    /// # Security
    ///
    /// The client's secrets are overwritten in memory. The header made of the token, the buffers
    /// of reqwest and additional members of a response are freed and not overwritten.
    pub async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}

verbs!(OAuth2Client);

impl fmt::Debug for OAuth2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(by_mode!("OAuth2Client", "AsyncOAuth2Client"))
            .field(&self.session)
            .finish()
    }
}
