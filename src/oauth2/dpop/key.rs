//! Keys whose possession is proved.
//!
//! [RFC 9449 section 4](https://www.rfc-editor.org/rfc/rfc9449#section-4)

use std::{fmt, sync::Arc};

use serde_json::Value;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, ExternalKey, Header, Jwk, SigningKey, VerifyingKey, generate, to_pem},
    secret::Secret,
};

/// Key that tokens are bound to by DPoP: a server accepts them only with a proof that it has signed.
///
/// Cheap to clone; it is parsed once, and the constant part of its proofs is encoded once.
///
/// ```
/// use oauth_twin::{jose::Algorithm, oauth2::DpopKey};
///
/// // For as long as the program runs:
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// assert_eq!(key.thumbprint().len(), 43);
///
/// // For tokens that are stored: the key has to be there after a restart.
/// let pem = DpopKey::generate_pem(Algorithm::ES256)?;
/// // … keep `pem` as safe as the tokens, then:
/// let key = DpopKey::from_pem(Algorithm::ES256, pem.expose_secret())?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// Its private part is never sent. A key serves one client; it is not that of client assertions.
///
/// [RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)
#[derive(Clone)]
pub struct DpopKey(Arc<DpopKeyParts>);

struct DpopKeyParts {
    signing: KeyPart,
    thumbprint: String,
    /// The encoded header, with the dot after it.
    prefix: String,
    /// The same by the other name of the algorithm, if it has one.
    fully_specified: Option<String>,
}

enum KeyPart {
    Local(SigningKey),
    External(ExternalKey),
}

impl DpopKey {
    /// Generates a key, for `ES256`, `ES384` or `EdDSA`. It lives as long as the program; tokens
    /// that are stored need one from [`generate_pem`](Self::generate_pem).
    ///
    /// # Errors
    ///
    /// If *ring* generates no keys for `algorithm`, or the operating system provides no random
    /// numbers.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        Self::new(SigningKey::from_der(algorithm, &*generate(algorithm)?)?)
    }

    /// Generates a private key as PEM (PKCS#8), to be kept and read by
    /// [`from_pem`](Self::from_pem).
    ///
    /// # Errors
    ///
    /// As for [`generate`](Self::generate).
    pub fn generate_pem(algorithm: Algorithm) -> Result<Secret> {
        Ok(to_pem(&generate(algorithm)?))
    }

    /// Reads the first private key in `pem`, as [`SigningKey::from_pem`] does.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not for `algorithm`.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self> {
        Self::new(SigningKey::from_pem(algorithm, pem)?)
    }

    /// Reads the private key of a JWK.
    ///
    /// # Errors
    ///
    /// If it is not a private key for `algorithm`.
    ///
    /// [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self> {
        Self::new(SigningKey::from_jwk(algorithm, jwk)?)
    }

    /// Makes a DPoP key of a private key.
    ///
    /// # Errors
    ///
    /// If it is a shared secret.
    pub fn new(key: SigningKey) -> Result<Self> {
        let public = key.public_jwk().ok_or_else(symmetric)?;
        Self::with(key.algorithm(), &public, KeyPart::Local(key))
    }

    /// Makes a key that signs in a KMS or an HSM, of its public key. Clients get it by
    /// `dpop_signer`, together with what signs; [`DpopProof::unsigned`] is for other uses.
    ///
    /// # Errors
    ///
    /// If `public` is not a public key for `algorithm`.
    ///
    /// [`DpopProof::unsigned`]: crate::oauth2::DpopProof::unsigned
    pub fn external(algorithm: Algorithm, public: &Jwk) -> Result<Self> {
        if algorithm.is_symmetric() {
            return Err(symmetric());
        }
        VerifyingKey::from_jwk(algorithm, &public.public())?;
        let signing = KeyPart::External(ExternalKey::new(algorithm));
        Self::with(algorithm, public, signing)
    }

    fn with(algorithm: Algorithm, public: &Jwk, signing: KeyPart) -> Result<Self> {
        // "jwk: Represents the public key chosen by the client [...]. MUST NOT contain a private
        // key."
        let jwk = Value::Object(public.required_members()?);
        let header = Header::new(algorithm).with_typ("dpop+jwt").with("jwk", jwk);
        let prefix = header.encode()?;
        let fully_specified = match algorithm {
            Algorithm::EdDSA => Some(header.with("alg", "Ed25519").encode()?),
            _ => None,
        };
        Ok(Self(Arc::new(DpopKeyParts {
            signing,
            thumbprint: public.thumbprint()?,
            prefix,
            fully_specified,
        })))
    }

    /// The SHA-256 of the public key, in base64url: the `jkt` of the tokens that are bound to it.
    ///
    /// [RFC 9449 section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)
    pub fn thumbprint(&self) -> &str {
        &self.0.thumbprint
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0.signing {
            KeyPart::Local(key) => key.algorithm(),
            KeyPart::External(key) => key.algorithm(),
        }
    }

    /// The private key, unless it is external.
    pub(crate) fn local(&self) -> Option<&SigningKey> {
        match &self.0.signing {
            KeyPart::Local(key) => Some(key),
            KeyPart::External(_) => None,
        }
    }

    /// The form of JWS of an external signature.
    pub(crate) fn signature(&self, signature: &[u8]) -> Result<Vec<u8>> {
        match &self.0.signing {
            KeyPart::Local(_) => Ok(signature.to_vec()),
            KeyPart::External(key) => key.signature(signature),
        }
    }

    /// The encoded header of its proofs, with the dot after it.
    pub(super) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The same, in which EdDSA has the name `Ed25519`.
    ///
    /// [RFC 9864 section 2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2)
    pub(super) fn fully_specified_prefix(&self) -> &str {
        self.0.fully_specified.as_deref().unwrap_or(&self.0.prefix)
    }
}

fn symmetric() -> Error {
    // "MUST NOT be none or an identifier for a symmetric algorithm".
    Error::usage("a DPoP key is a private key and not a shared secret; use ES256, for example")
}

/// Shows only the thumbprint.
impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DpopKey").field(&self.thumbprint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    /// The public key of RFC 9449.
    fn of_the_rfc() -> Jwk {
        serde_json::from_value(json!({
            "kty": "EC", "crv": "P-256", "kid": "1", "use": "sig",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        }))
        .expect("a JWK")
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_9449_section_6_1() {
        let key = DpopKey::external(Algorithm::ES256, &of_the_rfc()).expect("a key");
        assert_eq!(
            key.thumbprint(),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
        assert_eq!(
            format!("{key:?}"),
            "DpopKey(\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\")"
        );
    }

    #[test]
    fn a_key_that_was_kept_is_the_same_key() {
        for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
            let pem = DpopKey::generate_pem(algorithm).expect("a key");
            let [first, again] = [(); 2].map(|()| {
                DpopKey::from_pem(algorithm, pem.expose_secret()).expect("the key that was kept")
            });
            assert_eq!(first.thumbprint(), again.thumbprint());
            let other = DpopKey::generate(algorithm).expect("a key");
            assert_ne!(first.thumbprint(), other.thumbprint());
            assert_eq!(other.algorithm(), algorithm);
        }
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let shared = SigningKey::hmac(Algorithm::HS256, [7; 32]).expect("a secret");
        let oct = serde_json::from_value(json!({"kty": "oct", "k": "c2VjcmV0"})).expect("a JWK");
        for error in [
            DpopKey::new(shared).expect_err("a shared secret"),
            DpopKey::external(Algorithm::HS256, &oct).expect_err("a shared secret"),
            DpopKey::external(Algorithm::ES384, &of_the_rfc()).expect_err("another curve"),
            DpopKey::from_jwk(Algorithm::ES256, &of_the_rfc()).expect_err("a public key"),
            DpopKey::generate(Algorithm::PS256).expect_err("RSA"),
            DpopKey::generate(Algorithm::HS256).expect_err("a shared secret"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        }
    }
}
