//! Keys that sign.
//!
//! [RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3)

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    hmac,
    rand::SystemRandom,
    signature::{self, RsaEncoding},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use zeroize::Zeroize as _;

use crate::{
    error::{Error, Result},
    jose::{
        Algorithm, Header, Jwk, VerifyingKey, private_key::PrivateKey, public_key::PublicKey,
        verifying_key::Material,
    },
    pem,
};

/// Private key or shared secret, with the one algorithm that it signs by.
///
/// Cheap to clone; it is parsed once and never sent.
///
/// ```
/// use oauth_twin::jose::{Algorithm, SigningKey};
///
/// # let pem = include_str!("../../tests/vectors/rsa-2048.pkcs1.pem");
/// let key = SigningKey::from_pem(Algorithm::PS256, pem)?.with_key_id("2026-11");
/// assert_eq!(key.sign(b"what is signed")?.len(), 256);
/// // The public key for the registration at the server, as a JWK.
/// let public = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
/// assert_eq!((&public["kty"], &public["kid"]), (&"RSA".into(), &"2026-11".into()));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// *ring* does not overwrite its keys in memory when they are dropped.
#[derive(Clone)]
pub struct SigningKey {
    secret: Arc<KeyMaterial>,
    algorithm: Algorithm,
    key_id: Option<String>,
    /// SHA-256 of the certificate, in base64url.
    certificate: Option<String>,
}

enum KeyMaterial {
    Shared(hmac::Key),
    Private(PrivateKey),
}

impl SigningKey {
    /// Reads the first private key in `pem`: PKCS#8 (`BEGIN PRIVATE KEY`), PKCS#1 (`BEGIN RSA
    /// PRIVATE KEY`) or SEC1 (`BEGIN EC PRIVATE KEY`), without a pass phrase. Quotes around the text
    /// and line breaks that are written as `\n`, as in environment variables, are understood.
    ///
    /// # Errors
    ///
    /// If there is none, or it is encrypted, invalid, not for `algorithm`, or of a type or size
    /// that *ring* does not support: RSA keys have 2048, 3072 or 4096 bits, EC keys are on P-256 or
    /// P-384.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self> {
        if algorithm.is_symmetric() {
            return Err(Error::usage(format!(
                "{algorithm} signs with a shared secret and not with a key in PEM; use \
                 SigningKey::hmac"
            )));
        }
        let mut der = pem::private_key(pem.as_ref(), "")?;
        let key = Self::from_der(algorithm, der.secret_der());
        der.zeroize();
        key
    }

    /// Reads a private key in PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem).
    pub fn from_der(algorithm: Algorithm, der: impl AsRef<[u8]>) -> Result<Self> {
        Self::private(algorithm, PrivateKey::from_der(der.as_ref())?)
    }

    /// Reads the private key or the shared secret of a JWK, with its `kid`.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem); and if the JWK is a public key, or intended for another
    /// algorithm or another use.
    ///
    /// [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)
    pub fn from_jwk(algorithm: Algorithm, jwk: &Jwk) -> Result<Self> {
        jwk.check_use(algorithm, "sign").map_err(Error::usage)?;
        let key = match algorithm.is_symmetric() {
            true => Self::hmac(algorithm, jwk.shared_secret()?)?,
            false => Self::private(algorithm, jwk.private_key()?)?,
        };
        let key_id = jwk.key_id().map(str::to_owned);
        Ok(Self { key_id, ..key })
    }

    /// Makes a key of a shared secret, such as a client secret.
    ///
    /// # Errors
    ///
    /// If it is shorter than the hash of the algorithm (32, 48 or 64 bytes), is a PEM, or
    /// `algorithm` does not use shared secrets.
    ///
    /// [RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)
    pub fn hmac(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self> {
        let key = algorithm.hmac_key(secret.as_ref(), false)?;
        Ok(Self::shared(algorithm, key))
    }

    /// Makes a key of a shared secret of any length.
    pub(crate) fn short_hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self> {
        let key = algorithm.hmac_key(secret, true)?;
        Ok(Self::shared(algorithm, key))
    }

    fn shared(algorithm: Algorithm, key: hmac::Key) -> Self {
        Self {
            secret: Arc::new(KeyMaterial::Shared(key)),
            algorithm,
            key_id: None,
            certificate: None,
        }
    }

    fn private(algorithm: Algorithm, key: PrivateKey) -> Result<Self> {
        if key.key_type() != algorithm.key_type() {
            return Err(Error::usage(format!(
                "the key is {}, but {algorithm} needs {}",
                key.key_type(),
                algorithm.key_type()
            )));
        }
        Ok(Self {
            secret: Arc::new(KeyMaterial::Private(key)),
            algorithm,
            key_id: None,
            certificate: None,
        })
    }

    /// Sets the identifier, which goes into the header of signed tokens.
    ///
    /// [RFC 7515 section 4.1.4](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4)
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Sets the certificate of the key, whose SHA-256 goes into the header of signed tokens
    /// (`x5t#S256`). Microsoft requires it.
    ///
    /// # Errors
    ///
    /// If there is no certificate in `pem`, or it belongs to another key.
    ///
    /// [RFC 7515 section 4.1.8](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.8)
    pub fn with_certificate(mut self, pem: impl AsRef<[u8]>) -> Result<Self> {
        let certificate = certificate(pem.as_ref())?;
        let certified = PublicKey::from_der(&certificate)?;
        if self.public_key().as_ref() != Some(&certified) {
            return Err(Error::usage("the certificate belongs to another key"));
        }
        self.certificate = Some(thumbprint(&certificate));
        Ok(self)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The identifier, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The header of the tokens that it signs: `alg`, and `kid` and `x5t#S256` if they are set.
    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        if let Some(key_id) = &self.key_id {
            header = header.with_key_id(key_id);
        }
        match &self.certificate {
            Some(thumbprint) => header.with("x5t#S256", thumbprint.as_str()),
            None => header,
        }
    }

    /// Signs `message` and returns the bare signature, in the form of JWS: an ECDSA signature is
    /// the concatenation of its two numbers.
    ///
    /// # Errors
    ///
    /// If the operating system provides no random numbers, or the key is inconsistent.
    ///
    /// [RFC 7518 section 3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1)
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.sign_with(message, <[u8]>::to_vec)
    }

    /// Signs `message` and passes the signature to `consume` without a copy.
    pub(super) fn sign_with<T>(
        &self,
        message: &[u8],
        consume: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let key = match &*self.secret {
            KeyMaterial::Shared(key) => return Ok(consume(hmac::sign(key, message).as_ref())),
            KeyMaterial::Private(key) => key,
        };
        let random = SystemRandom::new();
        match key {
            PrivateKey::Ed25519(key) => Ok(consume(key.sign(message).as_ref())),
            PrivateKey::Ec(_, key) => match key.sign(&random, message) {
                Ok(signature) => Ok(consume(signature.as_ref())),
                Err(_unspecified) => Err(Error::random()),
            },
            PrivateKey::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                match key.sign(padding(self.algorithm), &random, message, &mut signature) {
                    Ok(()) => Ok(consume(&signature)),
                    // The consistency of the key is not checked before.
                    Err(_unspecified) => Err(Error::usage(
                        "the RSA key is inconsistent; generate \
                        it again",
                    )),
                }
            }
        }
    }

    /// The length of a signature, in bytes.
    pub(super) fn signature_len(&self) -> usize {
        match &*self.secret {
            KeyMaterial::Shared(key) => key.algorithm().digest_algorithm().output_len(),
            KeyMaterial::Private(PrivateKey::Rsa(key)) => key.public().modulus_len(),
            KeyMaterial::Private(PrivateKey::Ec(curve, _)) => {
                2 * curve.coordinate().unwrap_or_default()
            }
            KeyMaterial::Private(PrivateKey::Ed25519(_)) => 64,
        }
    }

    /// The key that verifies its signatures. For a shared secret, it contains the secret.
    pub fn verifying_key(&self) -> VerifyingKey {
        let material = match &*self.secret {
            KeyMaterial::Shared(key) => Material::Shared(key.clone()),
            KeyMaterial::Private(key) => Material::Public(key.public()),
        };
        VerifyingKey::new(self.algorithm, material, self.key_id.clone())
    }

    /// The public key as a JWK with `alg`, `use` and `kid`, for the registration at the server;
    /// none for a shared secret.
    pub fn public_jwk(&self) -> Option<Jwk> {
        let public = self.public_key()?;
        Some(Jwk::of(&public, self.algorithm, self.key_id.as_deref()))
    }

    fn public_key(&self) -> Option<PublicKey> {
        match &*self.secret {
            KeyMaterial::Shared(_) => None,
            KeyMaterial::Private(key) => Some(key.public()),
        }
    }
}

/// The first certificate in `pem`.
pub(super) fn certificate(pem: &[u8]) -> Result<CertificateDer<'static>> {
    // The error may quote the text.
    let pem = pem::unescaped(pem);
    CertificateDer::from_pem_slice(&pem)
        .map_err(|_error| Error::usage(pem::without(&pem, "certificate", "BEGIN CERTIFICATE")))
}

/// The SHA-256 of the certificate, in base64url.
pub(super) fn thumbprint(certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate))
}

/// The padding of an RSA algorithm.
fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

/// Shows only the algorithm and the identifier.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
