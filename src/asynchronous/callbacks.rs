//! Callbacks of the user's own code, and the builder methods that set them.

use std::{future::Future, pin::Pin, sync::Arc};

use url::Url;

use crate::{
    asynchronous::{
        Assert, BoxFuture, FetchAssertion, FetchSubject, Sign, UpdateHook,
        client::{
            AsyncAssertionClientBuilder, AsyncOAuth2Client, AsyncOAuth2ClientBuilder, ByCallbacks,
            UpdateDelivery,
        },
    },
    error::{BoxError, Result},
    jose::{ExternalKey, Jwk},
    lifecycle::update::TokenUpdate,
    oauth2::{client_auth::federated::FederatedAssertion, grant::id_jag::IdJag},
    oidc::LogoutToken,
    secret::Secret,
};

/// Argument of [`update_token`](AsyncOAuth2ClientBuilder::update_token): a closure that returns a
/// future, an async closure, or a closure. `Kind` only distinguishes them.
///
/// ```
/// use oauth_twin::{AsyncOAuth2Client, TokenUpdate};
/// # use oauth_twin::{BoxError, Token};
/// # #[derive(Clone)] struct Database;
/// # impl Database { async fn save(&self, _: &Token) -> Result<(), BoxError> { Ok(()) } }
/// # let database = Database;
///
/// let builder = AsyncOAuth2Client::builder("id").update_token(move |update: TokenUpdate| {
///     let database = database.clone();
///     async move { database.save(&update.token).await }
/// });
///
/// // Without anything captured:
/// let builder = AsyncOAuth2Client::builder("id").update_token(async |update: TokenUpdate| {
///     println!("a new token until {:?}", update.token.expires_at());
///     Ok(())
/// });
/// ```
///
/// An async closure must not use what it captures, as its future would borrow from the closure;
/// Rust cannot express yet that such a future may move to another thread.
#[diagnostic::on_unimplemented(
    message = "this is no function of a `TokenUpdate` for `update_token`",
    note = "the type of the argument has to be written: `|update: TokenUpdate|`",
    note = "the result is `Result<(), BoxError>`, or a future of it that is `Send`",
    note = "for captured values write `move |update: TokenUpdate| {{ let db = db.clone(); async \
            move {{ … }} }}` instead of an async closure"
)]
pub trait UpdateToken<Kind>: Send + Sync + 'static {
    /// Makes one kind of both.
    #[doc(hidden)]
    fn into_hook(self) -> Arc<dyn Fn(TokenUpdate) -> BoxFuture<()> + Send + Sync>;
}

impl<F> UpdateToken<fn()> for F
where
    F: Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync + 'static,
{
    fn into_hook(self) -> UpdateHook {
        Arc::new(move |update| Box::pin(std::future::ready(self(update))))
    }
}

impl<F, Fut> UpdateToken<Pin<Box<Fut>>> for F
where
    F: Fn(TokenUpdate) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    fn into_hook(self) -> UpdateHook {
        Arc::new(move |update| Box::pin(self(update)))
    }
}

/// Argument of [`assertion`](AsyncAssertionClientBuilder::assertion): a closure that returns a
/// future, an async closure, or a closure. `Kind` only distinguishes them.
///
/// ```
/// use oauth_twin::AsyncAssertionClient;
/// # use oauth_twin::{BoxError, Secret};
/// # #[derive(Clone)] struct Platform;
/// # impl Platform { async fn token(&self) -> Result<Secret, BoxError> { Ok("jwt".into()) } }
/// # let platform = Platform;
///
/// let builder = AsyncAssertionClient::builder("https://id.example.com/token").assertion(move || {
///     let platform = platform.clone();
///     async move { platform.token().await }
/// });
/// ```
///
/// An async closure must not use what it captures, as its future would borrow from the closure;
/// Rust cannot express yet that such a future may move to another thread.
#[diagnostic::on_unimplemented(
    message = "this is no function that makes an assertion",
    note = "the result is `Result<Secret, BoxError>`, or a future of it that is `Send`",
    note = "for captured values write `move || {{ let kms = kms.clone(); async move {{ … }} }}` \
            instead of an async closure"
)]
pub trait MakeAssertion<Kind>: Send + Sync + 'static {
    /// Makes one kind of both.
    #[doc(hidden)]
    fn into_assert(self) -> Arc<dyn Fn() -> BoxFuture<Secret> + Send + Sync>;
}

impl<F> MakeAssertion<fn()> for F
where
    F: Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
{
    fn into_assert(self) -> Assert {
        Arc::new(move || Box::pin(std::future::ready(self())))
    }
}

impl<F, Fut> MakeAssertion<Pin<Box<Fut>>> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Secret, BoxError>> + Send + 'static,
{
    fn into_assert(self) -> Assert {
        Arc::new(move || Box::pin(self()))
    }
}

/// A private key in a KMS or an HSM, which signs there.
///
/// ```
/// use oauth_twin::{AsyncOAuth2Client, AsyncExternalSigner, BoxError, jose::{Algorithm, ExternalKey}};
/// # struct Service; impl Service { async fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, BoxError> { Ok(vec![]) } }
///
/// struct Kms {
///     service: Service,
///     key: String,
/// }
///
/// impl AsyncExternalSigner for Kms {
///     fn key(&self) -> ExternalKey {
///         ExternalKey::new(Algorithm::ES256).with_key_id("2026-11")
///     }
///
///     async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
///         self.service.sign(&self.key, message).await
///     }
/// }
///
/// # let kms = Kms { service: Service, key: "projects/p/keys/k".into() };
/// let client = AsyncOAuth2Client::builder("client-id")
///     .issuer("https://id.example.com")
///     .token_endpoint("https://id.example.com/token")
///     .signer(kms)
///     .build()?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
pub trait AsyncExternalSigner: Send + Sync {
    /// The algorithm and the identifier of the key. Called once.
    fn key(&self) -> ExternalKey;

    /// Signs `message`, which is not hashed yet. Returns the signature in the format of JWS, or of
    /// an ECDSA key in DER. The future is dropped at the end of the client's timeout.
    ///
    /// Calls of the same client within it are errors if they would wait for the signature itself.
    ///
    /// # Errors
    ///
    /// Any failure to sign; nothing is sent then.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, BoxError>> + Send;
}

macro_rules! callbacks {
    ($builder:ident, $signs:literal) => {
        impl $builder {
            /// Calls `update`, a closure or an async closure, with every token that the client or a
            /// child of it obtained by itself or by `refresh_token`. The token is in use and in the
            /// `token_store` by then; store it.
            ///
            /// ```
            /// use oauth_twin::TokenUpdate;
            /// # use oauth_twin::{BoxError, Token};
            /// # #[derive(Clone)] struct Database;
            /// # impl Database { async fn save(&self, _: &Token) -> Result<(), BoxError> { Ok(()) } }
            /// # fn demo(builder: oauth_twin::AsyncOAuth2ClientBuilder, database: Database) {
            ///
            /// let builder = builder.update_token(move |update: TokenUpdate| {
            ///     let database = database.clone();
            ///     async move { database.save(&update.token).await }
            /// });
            /// # }
            /// ```
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
            pub fn update_token<Kind>(mut self, update: impl UpdateToken<Kind>) -> Self {
                self.tokens.update = Some(UpdateDelivery::by(update.into_hook()));
                self
            }

            /// Sets a signer that replaces a local private key: a KMS, an HSM.
            ///
            #[doc = $signs]
            pub fn signer(mut self, signer: impl AsyncExternalSigner + 'static) -> Self {
                self.client = self.client.with_external_key(signer.key());
                self.tokens.completion = Some(&ByCallbacks);
                self.tokens.sign = Some(sign(Arc::new(signer)));
                self
            }

            /// As `dpop`, with a key in a KMS or an HSM, whose public key is `public`. It signs a
            /// proof for each request.
            ///
            /// [RFC 9449 section 4](https://www.rfc-editor.org/rfc/rfc9449#section-4)
            pub fn dpop_signer(
                mut self,
                signer: impl AsyncExternalSigner + 'static,
                public: &Jwk,
            ) -> Self {
                let key = signer.key();
                let sign = sign(Arc::new(signer));
                self.tokens.dpop.set_external(&key, public, sign);
                self
            }
        }
    };
}

fn sign<S: AsyncExternalSigner + 'static>(signer: Arc<S>) -> Sign {
    Arc::new(move |message| {
        let signer = signer.clone();
        Box::pin(async move { signer.sign(&message).await })
    })
}

callbacks!(
    AsyncOAuth2ClientBuilder,
    "It signs client assertions, so that the client authentication of a client without a secret \
     defaults to `private_key_jwt`, and for [`JwtBearer::external`](crate::oauth2::JwtBearer)."
);
callbacks!(
    AsyncAssertionClientBuilder,
    "It signs the assertions if there is no [`signing_key`](Self::signing_key), and for \
     [`PrivateKeyJwt::external`](crate::oauth2::PrivateKeyJwt)."
);

impl AsyncOAuth2ClientBuilder {
    /// Calls `is_new`, an async closure, for each logout token, which returns whether it has not
    /// been used before: a store that replicas share keeps its `issuer` and `id` until `expires_at`,
    /// and takes them at once, as by `SET … NX`. Defaults to the memory of this client, which its
    /// children share, of 10,000 logout tokens that have not expired: with so many, further ones are
    /// refused.
    ///
    /// [OpenID Connect Back-Channel Logout section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)
    pub fn logout_token_ids<Fut>(
        mut self,
        is_new: impl Fn(LogoutToken) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<bool, BoxError>> + Send + 'static,
    {
        self.openid.logout_token_ids = Some(Arc::new(move |token| Box::pin(is_new(token))));
        self
    }
}

/// The token of `client`, whenever one is to be exchanged.
pub(super) fn subject_source(client: AsyncOAuth2Client) -> FetchSubject {
    Arc::new(move |kind| {
        let client = client.clone();
        Box::pin(async move { Ok(client.subject(kind).await?) })
    })
}

/// Assertions of the server of `client` about its user.
pub(super) fn identity_source(client: AsyncOAuth2Client, grant: IdJag) -> FetchAssertion {
    Arc::new(move |second| {
        let (client, grant) = (client.clone(), grant.clone());
        Box::pin(async move { Ok(client.identity_assertion(grant, second).await?) })
    })
}

impl AsyncOAuth2ClientBuilder {
    /// Calls `make`, a closure or an async closure, for a new client assertion for each request, at
    /// every endpoint: for a JWT of a platform that an async function fetches. Other sources are in
    /// [`FederatedAssertion`]. [`MakeAssertion`] has an example with captured values.
    ///
    /// The future of an async closure is dropped at the end of the timeout. Calls of the same client
    /// within it are errors if they would wait for the assertion itself.
    ///
    /// [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)
    pub fn client_assertion<Kind>(mut self, make: impl MakeAssertion<Kind>) -> Self {
        self.tokens.completion = Some(&ByCallbacks);
        self.tokens.workload.assert = Some(make.into_assert());
        self.token_endpoint_auth_method(FederatedAssertion::by_callback())
    }
}

impl AsyncOAuth2ClientBuilder {
    /// Logs the user in by `visit` when the resource demands a login, or more scope. It shows the
    /// URL to the user, in a browser or a web view, and returns the URL that the server redirects to
    /// in the end, or its query.
    ///
    /// ```
    /// use oauth_twin::{AsyncOAuth2Client, BoxError, Secret, url::Url};
    /// # async fn web_view(_: Url) -> Result<String, BoxError> { Ok(String::new()) }
    ///
    /// let builder = AsyncOAuth2Client::for_resource("https://mcp.example.com/mcp")
    ///     .redirect_uri("com.example.app:/callback")
    ///     .login_with(|url: Url| async move { Ok(Secret::from(web_view(url).await?)) });
    /// ```
    ///
    /// It is a setting of clients that are [for a resource](crate::AsyncOAuth2Client::for_resource).
    /// It is waited for for ten minutes, and the time is not part of a request's own timeout.
    ///
    /// [RFC 6749 section 4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1)
    pub fn login_with<Fut>(self, visit: impl Fn(Url) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<Secret, BoxError>> + Send + 'static,
    {
        self.visiting(Arc::new(move |url| Box::pin(visit(url))))
    }
}

impl AsyncAssertionClientBuilder {
    /// Calls `make`, a closure or an async closure, for a new assertion for each token request: for
    /// SAML 2.0, see [`grant_type`](Self::grant_type), and for JWTs from other sources.
    /// [`MakeAssertion`] has an example with captured values.
    ///
    /// The future of an async closure is dropped at the end of the timeout. Calls of the same client
    /// within it are errors if they would wait for the assertion itself.
    pub fn assertion<Kind>(self, make: impl MakeAssertion<Kind>) -> Self {
        self.made_by(make.into_assert())
    }
}
