//! The caller's own code that clients call, and the builders' methods that take it.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    asynchronous::{
        Assert, BoxFuture, Sign, UpdateHook,
        client::{AsyncAssertionClientBuilder, AsyncOAuth2ClientBuilder},
    },
    error::{BoxError, Result},
    jose::ExternalKey,
    lifecycle::update::TokenUpdate,
    secret::Secret,
};

/// What [`update_token`](AsyncOAuth2ClientBuilder::update_token) takes: a closure, or an async
/// closure. `Kind` only tells the two apart.
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

/// What [`assertion`](AsyncAssertionClientBuilder::assertion) takes: a closure, or an async
/// closure. `Kind` only tells the two apart.
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

/// A private key that is elsewhere, in a KMS or an HSM, and signs there.
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
    /// The key's algorithm and identifier. It is asked once.
    fn key(&self) -> ExternalKey;

    /// The signature of `message`, which is not hashed yet: as JWS has it, or for an ECDSA key in
    /// DER. It is dropped at the end of the client's timeout.
    ///
    /// Calls of the client that it signs for are errors if they would wait for the signature
    /// itself.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; nothing is sent then.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, BoxError>> + Send;
}

macro_rules! callbacks {
    ($builder:ident, $signs:literal) => {
        impl $builder {
            /// Calls `update` with every token that the client obtained by itself or by
            /// `refresh_token`: a closure, or an async closure. The token is in use by then;
            /// store it.
            ///
            /// Within `update`, requests and `ensure_active_token` work and use the new token;
            /// methods that would wait for the hook itself, such as `refresh_token`, `set_token`
            /// and `close` of the same client, are errors.
            pub fn update_token<Kind>(mut self, update: impl UpdateToken<Kind>) -> Self {
                self.tokens.update = Some(update.into_hook());
                self
            }

            /// What signs in the place of a key that is here: a KMS, an HSM.
            ///
            #[doc = $signs]
            pub fn signer(mut self, signer: impl AsyncExternalSigner + 'static) -> Self {
                self.client = self.client.with_external_key(signer.key());
                self.tokens.sign = Some(sign(Arc::new(signer)));
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
    "It signs client assertions: a client without a secret authenticates by `private_key_jwt` then, \
     unless told otherwise. It signs for [`JwtBearer::external`](crate::oauth2::JwtBearer), too."
);
callbacks!(
    AsyncAssertionClientBuilder,
    "It signs the assertions if there is no [`signing_key`](Self::signing_key), and for \
     [`PrivateKeyJwt::external`](crate::oauth2::PrivateKeyJwt)."
);

impl AsyncAssertionClientBuilder {
    /// Asks `make` for the assertion, anew for each token request and for each renewal: a closure,
    /// or an async closure. It is for SAML 2.0, see
    /// [`grant_type`](Self::grant_type), and for JWTs that are made elsewhere.
    ///
    /// An async closure is dropped at the end of the timeout. Calls of the same client within it are
    /// errors if they would wait for the assertion itself.
    pub fn assertion<Kind>(self, make: impl MakeAssertion<Kind>) -> Self {
        self.made_by(make.into_assert())
    }
}
