//! Keys that verify.
//!
//! [RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3)

use std::{fmt, sync::Arc};

use ring::hmac;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, Jwk, public_key::PublicKey},
};

/// Public key or shared secret, with the one algorithm that it verifies.
///
/// Cheap to clone; it is parsed once.
///
/// ```
/// use oauth_twin::jose::{Algorithm, SigningKey, VerifyingKey};
///
/// # let pem = include_str!("../../tests/vectors/rsa-2048.pkcs1.pem");
/// # let signing_key = SigningKey::from_pem(Algorithm::RS256, pem)?;
/// # let jwk = signing_key.public_jwk().unwrap();
/// let key = VerifyingKey::from_jwk(Algorithm::RS256, &jwk)?;
/// let signature = signing_key.sign(b"a message")?;
/// key.verify(b"a message", &signature)?;
/// assert!(key.verify(b"another message", &signature).is_err());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// A signature by another algorithm is refused, whatever its header says: the public key of an RSA
/// key pair is never used as the secret of an HMAC ([RFC 8725 section
/// 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
#[derive(Clone)]
pub struct VerifyingKey {
    material: Arc<Material>,
    algorithm: Algorithm,
    key_id: Option<String>,
}

pub(super) enum Material {
    Shared(hmac::Key),
    Public(PublicKey),
}

impl VerifyingKey {
    /// Reads the first public key in `pem` (`BEGIN PUBLIC KEY`, `BEGIN RSA PUBLIC KEY`), or that of
    /// the first certificate (`BEGIN CERTIFICATE`), which is not validated.
    ///
    /// # Errors
    ///
    /// If there is none, or it is invalid, not for `algorithm`, or of an unsupported type or size:
    /// RSA keys have 2048 to 8192 bits, EC keys are on P-256 or P-384.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self> {
        Self::public(algorithm, PublicKey::from_pem(pem.as_ref())?)
    }

    /// Reads a SubjectPublicKeyInfo, an RSA key in PKCS#1, or a certificate.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: impl AsRef<[u8]>) -> Result<Self> {
        Self::public(algorithm, PublicKey::from_der(der.as_ref())?)
    }

    /// Reads the public key or the shared secret of a JWK, with its `kid`.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem); and if the JWK is intended for another algorithm or
    /// another use.
    ///
    /// [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self> {
        jwk.check_use(algorithm, "verify").map_err(Error::usage)?;
        let key = match algorithm.is_symmetric() {
            true => Self::hmac(algorithm, jwk.shared_secret()?)?,
            false => Self::public(algorithm, jwk.public_key()?.into_owned())?,
        };
        let key_id = jwk.key_id().map(str::to_owned);
        Ok(Self { key_id, ..key })
    }

    /// Makes a key of a shared secret.
    ///
    /// # Errors
    ///
    /// If it is shorter than the hash of the algorithm (32, 48 or 64 bytes), is a PEM, or
    /// `algorithm` does not use shared secrets.
    ///
    /// [RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)
    pub fn hmac(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self> {
        let key = algorithm.hmac_key(secret.as_ref(), false)?;
        Ok(Self::new(algorithm, Material::Shared(key), None))
    }

    fn public(algorithm: Algorithm, key: PublicKey) -> Result<Self> {
        key.check_type(algorithm).map_err(Error::usage)?;
        Ok(Self::new(algorithm, Material::Public(key), None))
    }

    pub(super) fn new(algorithm: Algorithm, material: Material, key_id: Option<String>) -> Self {
        Self {
            material: Arc::new(material),
            algorithm,
            key_id,
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The identifier, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Verifies the bare signature of `message`; see [`Jws`](super::Jws) for tokens.
    ///
    /// # Errors
    ///
    /// If the key has not made it.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let verified = match &*self.material {
            Material::Shared(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verifies(self.algorithm, message, signature),
        };
        match verified {
            true => Ok(()),
            false => Err(Error::untrusted("the signature was not made by the key")),
        }
    }
}

/// Shows only the algorithm and the identifier, as the key may be a secret.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
