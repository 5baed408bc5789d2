//! The assertion client.

use std::{fmt, sync::Arc};

use reqwest::{IntoUrl, Method, header::HeaderValue};

use super::super::{
    assertion::builder::AssertionClientBuilder,
    http, maybe_async,
    request::{RequestBuilder, verbs},
    session::Session,
};
use crate::{
    error::Result,
    oauth2::{provider::google::ServiceAccount, token::Token},
};

paired! {
    /// A client that obtains its tokens by assertions, as service accounts do.
    ///
    /// Cheap to clone: clones are the same client, with one token and one set of connections.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/assertion_client.md"),
        include_str!("../../../docs/examples/async/assertion_client.md")
    )]
    ///
    /// The token is fetched at the first request and lives by the same rules as that of an OAuth
    /// 2.0 client: one renewal for all clones, tasks and threads, and with a `token_store` for all
    /// processes; early, to its end, told to `update_token`. Each renewal sends a new assertion;
    /// refresh tokens that the server may give are not used.
    ///
    /// # Security
    ///
    /// Endpoint and requests with a token have to be HTTPS, or loopback. The private key is never
    /// sent.
    ///
    /// [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1),
    /// [RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)
    #[derive(Clone)]
    pub struct AssertionClient | AsyncAssertionClient {
        pub(in super::super::super) session: Session,
    }
}

impl AssertionClient {
    /// Begins a client that sends its assertions to this token endpoint.
    pub fn builder(token_endpoint: impl Into<String>) -> AssertionClientBuilder {
        AssertionClientBuilder::new(token_endpoint.into())
    }

    /// Begins a client of a service account, from the file with its key that Google hands out.
    ///
    /// # Errors
    ///
    /// What is wrong with the file: not JSON, the file of another kind of account, members that
    /// are missing, a key that cannot be read.
    ///
    /// # Security
    ///
    /// Read only files that you trust: requests go where the file says.
    pub fn from_service_account(json: impl AsRef<[u8]>) -> Result<AssertionClientBuilder> {
        let account = ServiceAccount::from_json(json)?;
        Ok(Self::builder(account.token_uri())
            .issuer(account.client_email())
            .audience(account.token_uri())
            .signing_key(account.signing_key().clone())
            .scope_as_claim(true))
    }

    pub(in super::super) fn new(session: Session) -> Self {
        Self { session }
    }

    /// The token that the client holds, expired or not; none before the first request and after
    /// `close`.
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
}

#[maybe_async]
impl AssertionClient {
    /// Obtains a new token now, whatever the age of the one there is; joins a renewal that is
    /// under way.
    ///
    /// # Errors
    ///
    /// The server's refusal, or that of the transport; or of [`ErrorKind::Update`] if the new
    /// token is in use but `token_store` or `update_token` failed. If `token_store` cannot be read
    /// or leased, [`ErrorKind::Store`].
    ///
    /// [`ErrorKind::Update`]: crate::ErrorKind::Update
    /// [`ErrorKind::Store`]: crate::ErrorKind::Store
    pub async fn refresh_token(&self) -> Result<Arc<Token>> {
        self.session.refresh_token().await
    }

    /// A token that is not expired: the one there is, or a new one. Requests call it by
    /// themselves.
    ///
    /// # Errors
    ///
    /// As [`refresh_token`](Self::refresh_token), if there is no token that could still be used.
    pub async fn ensure_active_token(&self) -> Result<Arc<Token>> {
        self.session.ensure_active_token().await
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
    /// `token_store` and `update_token` what they have not taken yet, and lets go of token, key and
    /// connections. Later calls fail as closed. Closing again is fine.
    ///
    /// # Errors
    ///
    /// If `token_store` or `update_token` fails once more, or if the renewal lasts longer than the
    /// close timeout. Callers are refused then too, and what is left is kept, so that `close` can
    /// be called again.
    ///
    /// # Security
    ///
    /// The token is overwritten in memory. *ring* does not overwrite its keys.
    pub async fn close(&self) -> Result<()> {
        self.session.close().await
    }
}

verbs!(AssertionClient);

impl fmt::Debug for AssertionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(by_mode!("AssertionClient", "AsyncAssertionClient"))
            .field(&self.session)
            .finish()
    }
}
