//! The OAuth 2.0 client.

use std::{fmt, sync::Arc};

use reqwest::{IntoUrl, Method, header::HeaderValue};

use super::super::{
    http, maybe_async,
    oauth2::builder::OAuth2ClientBuilder,
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
    /// An OAuth 2.0 client whose token comes by itself and stays fresh.
    ///
    /// Cheap to clone: clones are the same client, with one token and one set of connections.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth2_client.md"),
        include_str!("../../../docs/examples/async/oauth2_client.md")
    )]
    ///
    /// One renewal serves any number of clones, tasks, threads and [`for_token`](Self::for_token)
    /// children, and with a [`token_store`] any number of processes. It begins [`leeway`] before
    /// the token expires, by one caller, while the others go on with the old token. A renewed token
    /// is published first, then told to [`update_token`]; if that fails, the caller that renewed
    /// gets the error, and it is tried again before the next renewal and by [`close`](Self::close).
    ///
    /// # Security
    ///
    /// Endpoints and requests with a token have to be HTTPS, or loopback. No redirect of an
    /// endpoint is followed, no answer of one may be larger than 1 MiB or last longer than the
    /// timeout.
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
    /// Begins a client with this identifier at the server.
    pub fn builder(client_id: impl Into<String>) -> OAuth2ClientBuilder {
        OAuth2ClientBuilder::new(client_id.into())
    }

    pub(in super::super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// The token that the client holds, expired or not; none after `close`, nor before a
    /// `token_store` has been read.
    pub fn token(&self) -> Option<Arc<Token>> {
        self.session.token()
    }

    /// Gives the client a token from elsewhere. A renewal that is under way does not replace it;
    /// what that brings is told to `update_token` all the same, marked as superseded.
    ///
    #[doc = by_mode!(
        "A `token_store` has it when this returns.",
        "A `token_store` gets it by a task of its own, or outside of a runtime before the next \
         renewal; `close` waits for it, and tells if it fails."
    )]
    ///
    /// # Errors
    ///
    #[doc = by_mode!(
        "If the client is closed, or from within `update_token`; or if `token_store` did not take \
         the token, which is in use then all the same.",
        "If the client is closed, or from within `update_token`."
    )]
    pub fn set_token(&self, token: Token) -> Result<()> {
        self.session.set_token(token)
    }

    /// A client for the token of another person: the same settings, connections and
    /// `update_token`, and a token of its own.
    ///
    /// Cheap, so that a web back end makes one per request. Children with equal refresh tokens
    /// share their token: twenty requests that each load the same row make one renewal, and for a
    /// minute after it a child with the spent refresh token gets the new token. For such children
    /// `set_token` and `fetch_token` on one count for all. A refresh repeats what the
    /// token was asked for with ([`Token::refresh_parameters`]), or else the client's own
    /// `resource`.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_token.md"),
        include_str!("../../../docs/examples/async/for_token.md")
    )]
    #[must_use]
    pub fn for_token(&self, token: Token) -> Self {
        Self::new(self.session.child(token))
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Obtains a token with `grant` and keeps it, in the place of the one there was.
    ///
    /// A grant that may be sent again serves for renewals too. `update_token` is not called: the
    /// token is returned. A `token_store` has it by then.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; the client keeps its old token then. Of
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) if the new token is in use but `token_store`
    /// did not take it.
    pub async fn fetch_token(&self, grant: impl Grant + 'static) -> Result<Arc<Token>> {
        self.session.fetch_token(Arc::new(grant)).await
    }

    /// Obtains a token with `grant` and leaves the client as it is.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport.
    pub async fn exchange(&self, grant: impl Grant + 'static) -> Result<Token> {
        self.session.exchange(Arc::new(grant)).await
    }

    /// Renews the token now, whatever its age; joins a renewal that is under way.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or of [`ErrorKind::Update`] if the new
    /// token is in use but `token_store` or `update_token` failed. If `token_store` cannot be read
    /// or leased, [`ErrorKind::Store`]. Without a refresh token, and without a grant that may be
    /// sent again, [`ErrorKind::Token`].
    ///
    /// [`ErrorKind::Update`]: crate::ErrorKind::Update
    /// [`ErrorKind::Store`]: crate::ErrorKind::Store
    /// [`ErrorKind::Token`]: crate::ErrorKind::Token
    pub async fn refresh_token(&self) -> Result<Arc<Token>> {
        self.session.refresh_token().await
    }

    /// A token that is not expired: the one there is, or a renewed one. Requests call it by
    /// themselves.
    ///
    /// # Errors
    ///
    /// As [`refresh_token`](Self::refresh_token), if the token has expired.
    pub async fn ensure_active_token(&self) -> Result<Arc<Token>> {
        self.session.ensure_active_token().await
    }

    /// Revokes the client's own token, the refresh token if there is one, and forgets it. With a
    /// `token_store` that is the one there, which is renewed by no other process meanwhile and then
    /// gone there, too.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; the client keeps its token then. Of
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if `token_store` could not be read or leased,
    /// and of [`ErrorKind::Update`](crate::ErrorKind::Update) if the token was revoked but still stands
    /// there.
    ///
    /// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
    pub async fn revoke_token(&self) -> Result<()> {
        self.session.revoke_token().await
    }

    /// Revokes any token that was issued to this client.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport.
    ///
    /// [RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)
    pub async fn revoke(
        &self,
        token: impl Into<Secret>,
        hint: Option<TokenTypeHint>,
    ) -> Result<()> {
        self.session.revoke(token.into(), hint).await
    }

    /// Asks the server about the client's own access token, which is not renewed for it.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport.
    ///
    /// [RFC 7662 section 2](https://www.rfc-editor.org/rfc/rfc7662#section-2)
    pub async fn introspect_token(&self) -> Result<Introspection> {
        self.session.introspect_token().await
    }

    /// Asks the server about any token.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport.
    ///
    /// [RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)
    pub async fn introspect(
        &self,
        token: impl Into<Secret>,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection> {
        self.session.introspect(token.into(), hint).await
    }

    /// Puts the token on a request that is sent with a client of the caller's own.
    ///
    /// # Errors
    ///
    /// As for a request of this client: no usable token, a URL that is neither HTTPS nor
    /// loopback, an `Authorization` header that is there already.
    pub async fn authorize(&self, request: &mut http::Request) -> Result<()> {
        self.session.authorize(request).await
    }

    /// The `Authorization` header's value, for anything else.
    ///
    /// # Errors
    ///
    /// If there is no usable token.
    ///
    /// # Security
    ///
    /// It is for the caller to send it over HTTPS, and to the token's audience only.
    pub async fn authorization_header(&self) -> Result<HeaderValue> {
        self.session.authorization_header().await
    }

    /// Closes the client and all its clones: waits for a renewal that is under way, gives
    /// `token_store` and `update_token` what they have not taken yet, and lets go of token and
    /// connections. Later calls fail as closed. Parent and children stay open; connections end with
    /// the last of them. Closing again is fine.
    ///
    /// # Errors
    ///
    /// If `token_store` or `update_token` fails once more, or if the renewal lasts longer than the
    /// close timeout. Callers are refused then too, and what is left is kept, so that `close` can
    /// be called again.
    ///
    /// # Security
    ///
    /// The client's secrets are overwritten in memory. The header that was made of the token, the
    /// buffers of reqwest and further members of an answer are freed and not overwritten.
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
