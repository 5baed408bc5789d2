//! The caller's own code that clients call, and the builders' methods that take it.

use std::sync::Arc;

use crate::{
    blocking::client::{AssertionClientBuilder, OAuth2ClientBuilder},
    error::{BoxError, Result},
    jose::ExternalKey,
    lifecycle::update::TokenUpdate,
    secret::Secret,
};

/// A private key that is elsewhere, in a KMS or an HSM, and signs there.
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
    /// The key's algorithm and identifier. It is asked once.
    fn key(&self) -> ExternalKey;

    /// The signature of `message`, which is not hashed yet: as JWS has it, or for an ECDSA key in
    /// DER. It is called on a thread of its own, and waited for no longer than the client's
    /// timeout; the thread ends when it returns, so give it a timeout, too.
    ///
    /// Calls of the client that it signs for are errors if they would wait for the signature
    /// itself.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; nothing is sent then.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError>;
}

macro_rules! callbacks {
    ($builder:ident, $signs:literal) => {
        impl $builder {
            /// Calls `update` with every token that the client obtained by itself or by
            /// `refresh_token`. The token is in use by then; store it.
            ///
            /// Within `update`, requests and `ensure_active_token` work and use the new token;
            /// methods that would wait for the hook itself, such as `refresh_token`, `set_token`
            /// and `close` of the same client, are errors.
            pub fn update_token(
                mut self,
                update: impl Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync + 'static,
            ) -> Self {
                self.tokens.update = Some(Arc::new(update));
                self
            }

            /// What signs in the place of a key that is here: a KMS, an HSM.
            ///
            #[doc = $signs]
            pub fn signer(mut self, signer: impl ExternalSigner + 'static) -> Self {
                self.client = self.client.with_external_key(signer.key());
                self.tokens.sign = Some(Arc::new(move |message| signer.sign(&message)));
                self
            }
        }
    };
}

callbacks!(
    OAuth2ClientBuilder,
    "It signs client assertions: a client without a secret authenticates by `private_key_jwt` then, \
     unless told otherwise. It signs for [`JwtBearer::external`](crate::oauth2::JwtBearer), too."
);
callbacks!(
    AssertionClientBuilder,
    "It signs the assertions if there is no [`signing_key`](Self::signing_key), and for \
     [`PrivateKeyJwt::external`](crate::oauth2::PrivateKeyJwt)."
);

impl AssertionClientBuilder {
    /// Asks `make` for the assertion, anew for each token request and for each renewal. It is for
    /// SAML 2.0, see [`grant_type`](Self::grant_type), and for JWTs that are made elsewhere.
    ///
    /// It is called on a thread of its own, and waited for no longer than the timeout; the thread
    /// ends when it returns, so give it a timeout, too. Calls of the same client within it are errors
    /// if they would wait for the assertion itself.
    pub fn assertion(
        self,
        make: impl Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.made_by(Arc::new(make))
    }
}
