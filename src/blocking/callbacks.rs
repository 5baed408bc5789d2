//! Callbacks of the user's own code, and the builder methods that set them.

use std::sync::Arc;

use url::Url;

use crate::{
    blocking::{
        FetchAssertion, FetchSubject,
        client::{
            AssertionClientBuilder, ByCallbacks, OAuth2Client, OAuth2ClientBuilder, UpdateDelivery,
        },
    },
    error::{BoxError, Result},
    jose::{ExternalKey, Jwk},
    lifecycle::update::TokenUpdate,
    oauth2::{client_auth::federated::FederatedAssertion, grant::id_jag::IdJag},
    oidc::LogoutToken,
    secret::Secret,
};

/// A private key in a KMS or an HSM, which signs there.
///
/// ```
/// use oauth_twin::{BoxError, OAuth2Client, ExternalSigner, jose::{Algorithm, ExternalKey}};
/// # struct Service; impl Service { fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, BoxError> { Ok(vec![]) } }
///
/// struct Kms {
///     service: Service,
///     key: String,
/// }
///
/// impl ExternalSigner for Kms {
///     fn key(&self) -> ExternalKey {
///         ExternalKey::new(Algorithm::ES256).with_key_id("2026-11")
///     }
///
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
///         self.service.sign(&self.key, message)
///     }
/// }
///
/// # let kms = Kms { service: Service, key: "projects/p/keys/k".into() };
/// let client = OAuth2Client::builder("client-id")
///     .issuer("https://id.example.com")
///     .token_endpoint("https://id.example.com/token")
///     .signer(kms)
///     .build()?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
pub trait ExternalSigner: Send + Sync {
    /// The algorithm and the identifier of the key. Called once.
    fn key(&self) -> ExternalKey;

    /// Signs `message`, which is not hashed yet. Returns the signature in the format of JWS, or of
    /// an ECDSA key in DER. It is called on a thread of its own, and waited for until the client's
    /// timeout; the thread ends when it returns, so it needs a timeout of its own.
    ///
    /// Calls of the same client within it are errors if they would wait for the signature itself.
    ///
    /// # Errors
    ///
    /// Any failure to sign; nothing is sent then.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError>;
}

macro_rules! callbacks {
    ($builder:ident, $signs:literal) => {
        impl $builder {
            /// Calls `update` with every token that the client or a child of it obtained by itself
            /// or by `refresh_token`. The token is in use and in the `token_store` by then; store it.
            ///
            /// Updates of one token come one after the other. An error or a panic of `update` is
            /// [`ErrorKind::Update`](crate::ErrorKind::Update) for a token method of the caller
            /// that renewed; an API request is sent all the same, with a `tracing` event. The
            /// update is kept and passed on with the next renewal and by `close`; consecutive ones
            /// are merged. An `update` that hangs holds up no other caller and no later renewal.
            ///
            /// Within `update`, requests and `ensure_active_token` work and use the new token,
            /// until that expires. Methods that would wait for `update` itself, such as
            /// `refresh_token` and `set_token` for the same token, and `close`, are
            /// [`ErrorKind::Reentrant`](crate::ErrorKind::Reentrant).
            pub fn update_token(
                mut self,
                update: impl Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync + 'static,
            ) -> Self {
                self.tokens.update = Some(UpdateDelivery::by(Arc::new(update)));
                self
            }

            /// Sets a signer that replaces a local private key: a KMS, an HSM.
            ///
            #[doc = $signs]
            pub fn signer(mut self, signer: impl ExternalSigner + 'static) -> Self {
                self.client = self.client.with_external_key(signer.key());
                self.tokens.completion = Some(&ByCallbacks);
                self.tokens.sign = Some(Arc::new(move |message| signer.sign(&message)));
                self
            }

            /// As `dpop`, with a key in a KMS or an HSM, whose public key is `public`. It signs a
            /// proof for each request.
            ///
            /// [RFC 9449 section 4](https://www.rfc-editor.org/rfc/rfc9449#section-4)
            pub fn dpop_signer(
                mut self,
                signer: impl ExternalSigner + 'static,
                public: &Jwk,
            ) -> Self {
                let key = signer.key();
                let sign = Arc::new(move |message: Vec<u8>| signer.sign(&message));
                self.tokens.dpop.set_external(&key, public, sign);
                self
            }
        }
    };
}

callbacks!(
    OAuth2ClientBuilder,
    "It signs client assertions, so that the client authentication of a client without a secret \
     defaults to `private_key_jwt`, and for [`JwtBearer::external`](crate::oauth2::JwtBearer)."
);
callbacks!(
    AssertionClientBuilder,
    "It signs the assertions if there is no [`signing_key`](Self::signing_key), and for \
     [`PrivateKeyJwt::external`](crate::oauth2::PrivateKeyJwt)."
);

impl OAuth2ClientBuilder {
    /// Calls `is_new` for each logout token, which returns whether it has not been used before: a
    /// store that replicas share keeps its `issuer` and `id` until `expires_at`, and takes them at
    /// once, as by `SET … NX`. Defaults to the memory of this client, which its children share, of
    /// 10,000 logout tokens that have not expired: with so many, further ones are refused.
    ///
    /// [OpenID Connect Back-Channel Logout section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)
    pub fn logout_token_ids(
        mut self,
        is_new: impl Fn(LogoutToken) -> Result<bool, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.openid.logout_token_ids = Some(Arc::new(is_new));
        self
    }
}

/// The token of `client`, whenever one is to be exchanged.
pub(super) fn subject_source(client: OAuth2Client) -> FetchSubject {
    Arc::new(move |kind| Ok(client.subject(kind)?))
}

/// Assertions of the server of `client` about its user.
pub(super) fn identity_source(client: OAuth2Client, grant: IdJag) -> FetchAssertion {
    Arc::new(move |second| Ok(client.identity_assertion(grant.clone(), second)?))
}

impl OAuth2ClientBuilder {
    /// Calls `make` for a new client assertion for each request, at every endpoint: for a JWT of a
    /// platform. Other sources are in [`FederatedAssertion`].
    ///
    /// It is called on a thread of its own, and waited for until the client's timeout; the thread ends
    /// when it returns, so it needs a timeout of its own. Calls of the same client within it are errors
    /// if they would wait for the assertion itself.
    ///
    /// [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)
    pub fn client_assertion(
        mut self,
        make: impl Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.tokens.completion = Some(&ByCallbacks);
        self.tokens.workload.assert = Some(Arc::new(make));
        self.token_endpoint_auth_method(FederatedAssertion::by_callback())
    }
}

impl OAuth2ClientBuilder {
    /// Logs the user in by `visit` when the resource demands a login, or more scope. It shows the
    /// URL to the user, in a browser or a web view, and returns the URL that the server redirects to
    /// in the end, or its query.
    ///
    /// ```
    /// use oauth_twin::{OAuth2Client, BoxError, Secret, url::Url};
    /// # fn web_view(_: Url) -> Result<String, BoxError> { Ok(String::new()) }
    ///
    /// let builder = OAuth2Client::for_resource("https://mcp.example.com/mcp")
    ///     .redirect_uri("com.example.app:/callback")
    ///     .login_with(|url: Url| Ok(Secret::from(web_view(url)?)));
    /// ```
    ///
    /// It is a setting of clients that are [for a resource](crate::OAuth2Client::for_resource). It
    /// is waited for for ten minutes, and the time is not part of a request's own timeout.
    ///
    /// [RFC 6749 section 4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1)
    pub fn login_with(
        self,
        visit: impl Fn(Url) -> Result<Secret, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.visiting(Arc::new(visit))
    }
}

impl AssertionClientBuilder {
    /// Calls `make` for a new assertion for each token request: for SAML 2.0, see
    /// [`grant_type`](Self::grant_type), and for JWTs from other sources.
    ///
    /// It is called on a thread of its own, and waited for until the timeout; the thread ends when it
    /// returns, so it needs a timeout of its own. Calls of the same client within it are errors if
    /// they would wait for the assertion itself.
    pub fn assertion(
        self,
        make: impl Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.made_by(Arc::new(make))
    }
}
