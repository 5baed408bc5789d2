//! The assertion client.

use std::fmt;

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
    /// A client that obtains its tokens with assertions, such as a service account.
    ///
    /// Cheap to clone: clones are the same client, with one token and one set of connections.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/assertion_client.md"),
        include_str!("../../../docs/examples/async/assertion_client.md")
    )]
    ///
    /// The token is obtained at the first request and follows the same rules as that of an OAuth
    /// 2.0 client: one renewal for all clones, tasks and threads, and with a `token_store` for all
    /// processes; before the expiry, to its end, passed to `update_token`. Each renewal sends a new
    /// assertion; refresh tokens of the server are not used.
    ///
    /// # Security
    ///
    /// The endpoint and requests with a token must be HTTPS or loopback. The private key is never
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
    /// Creates a builder for a client that sends its assertions to this token endpoint.
    pub fn builder(token_endpoint: impl Into<String>) -> AssertionClientBuilder {
        AssertionClientBuilder::new(token_endpoint.into())
    }

    /// Creates a builder for the client of a service account, from the key file of Google.
    ///
    /// # Errors
    ///
    /// If the file is invalid: no JSON, another kind of account, missing members, an unreadable
    /// key.
    ///
    /// # Security
    ///
    /// Read only files that you trust: requests are sent to the URL in the file.
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

    /// The current token, expired or not; none before the first request and after `close`.
    pub fn token(&self) -> Option<Token> {
        self.session.token()
    }

    /// Replaces the token of the client. A renewal in flight does not replace the new token; its
    /// result is passed to `update_token` all the same, marked as superseded.
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

    /// Keeps the nonce in a response to a request that [`authorize`](Self::authorize) has
    /// prepared and another HTTP client has sent, for the next proof at that server. After a 401
    /// with a new `DPoP-Nonce`, `authorize` a new request and send that once. Without `dpop` it
    /// does nothing.
    ///
    /// [RFC 9449 section 8.2](https://www.rfc-editor.org/rfc/rfc9449#section-8.2)
    pub fn observe(&self, response: &http::Response) {
        self.session.observe(response);
    }
}

#[maybe_async]
impl AssertionClient {
    /// Obtains a new token now, whatever the age of the old one; joins a renewal in flight.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport. While a `Retry-After` of the server lasts, up
    /// to five minutes, nothing is sent and the last error is returned at once, with
    /// [`retry_after`](crate::Error::retry_after).
    ///
    /// [`ErrorKind::Update`] if the new token is in use but `token_store` or `update_token`
    /// failed; [`token`](Self::token) returns it. [`ErrorKind::Store`] if `token_store` cannot be
    /// read or leased.
    ///
    /// [`ErrorKind::Update`]: crate::ErrorKind::Update
    /// [`ErrorKind::Store`]: crate::ErrorKind::Store
    ///
    /// [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)
    pub async fn refresh_token(&self) -> Result<Token> {
        self.session.refresh_token().await
    }

    /// Returns the token, obtaining a new one if it has expired or is about to. Requests do the
    /// same by themselves.
    ///
    /// # Errors
    ///
    /// Those of [`refresh_token`](Self::refresh_token), if there is no valid token. After a failed
    /// attempt the next one waits, from 1 second doubling to 30 or as long as `Retry-After` says;
    /// until then the last error is returned at once, with
    /// [`retry_after`](crate::Error::retry_after).
    ///
    /// Of a renewal before the expiry only [`ErrorKind::Update`](crate::ErrorKind::Update).
    pub async fn ensure_active_token(&self) -> Result<Token> {
        self.session.ensure_active_token().await
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
    pub async fn authorization_header(&self) -> Result<HeaderValue> {
        self.session.authorization_header().await
    }

    /// Closes the client and all its clones. Waits for a renewal in flight, passes to `token_store`
    /// and `update_token` what they have not taken yet, within the `close_timeout`, and releases
    /// token, key and connections. No token request of this client begins after it has returned.
    /// Later calls return [`ErrorKind::Closed`](crate::ErrorKind::Closed). `close` may be called
    /// again.
    ///
    /// # Errors
    ///
    /// If `token_store` or `update_token` fails once more, or if the `close_timeout` ends first.
    /// Calls are refused then, too, and what is left is kept for another `close`. Within
    /// `update_token`, [`ErrorKind::Reentrant`](crate::ErrorKind::Reentrant).
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
