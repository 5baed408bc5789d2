//! RSA keys and their signatures.
//!
//! [RFC 5849 section 3.4.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.3)

use std::{fmt, sync::Arc};

use ring::{digest, rand::SystemRandom, rsa::KeyPair, signature};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroize as _;

use crate::{
    error::{Error, Result},
    oauth1::legacy_rsa::{self, LegacyKey},
    pem,
};

/// Private RSA key. Cheap to clone; it is parsed once and never sent.
///
/// With 2048 to 4096 bits it signs RSA-SHA256 and RSA-SHA512. RSA-SHA1, and keys of 1024 bits and
/// more, need the feature `rsa-sha1`.
///
/// ```no_run
/// use oauth_twin::oauth1::{RsaKey, SignatureMethod, Signer};
///
/// let key = RsaKey::from_pem(std::fs::read("consumer.pem")?)?;
/// let signer = Signer::new("consumer-key").signature_method(SignatureMethod::RsaSha256(key));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
///
/// The feature `rsa-sha1` uses the crate `rsa`, which has an open advisory about timing
/// ([RUSTSEC-2023-0071](https://rustsec.org/advisories/RUSTSEC-2023-0071.html)). Without the feature,
/// and for RSA-SHA256 and RSA-SHA512 with a key of 2048 to 4096 bits, *ring* signs.
///
/// [RFC 5849 section 3.4.3](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.3)
#[derive(Clone)]
pub struct RsaKey(Arc<Backends>);

/// The key in each library that supports it; at least one does.
struct Backends {
    ring: Option<KeyPair>,
    legacy: Option<LegacyKey>,
}

/// Hash algorithm of a signature and of a body hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl RsaKey {
    /// Reads the first private key in `pem`: PKCS#1 (`BEGIN RSA PRIVATE KEY`) or PKCS#8 (`BEGIN
    /// PRIVATE KEY`), without a pass phrase.
    ///
    /// # Errors
    ///
    /// If there is none, or it is encrypted, invalid, not RSA or of an unsupported size.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self> {
        let mut der = pem::private_key(pem.as_ref(), "RSA ")?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(key) => {
                let der = key.secret_pkcs1_der();
                Self::new(KeyPair::from_der(der).ok(), LegacyKey::from_pkcs1(der))
            }
            PrivateKeyDer::Pkcs8(key) => {
                let der = key.secret_pkcs8_der();
                Self::new(KeyPair::from_pkcs8(der).ok(), LegacyKey::from_pkcs8(der))
            }
            _ => Err(Error::usage(
                "the key in the PEM is not an RSA key; the RSA signature \
                methods need one",
            )),
        };
        der.zeroize();
        key
    }

    fn new(ring: Option<KeyPair>, legacy: Option<LegacyKey>) -> Result<Self> {
        match (&ring, &legacy) {
            (None, None) => Err(Error::usage(legacy_rsa::UNSUPPORTED)),
            _ => Ok(Self(Arc::new(Backends { ring, legacy }))),
        }
    }

    /// The size of its modulus in bits, rounded up to whole bytes.
    pub fn bits(&self) -> usize {
        let ring = self
            .0
            .ring
            .as_ref()
            .map(|key| key.public().modulus_len() * 8);
        let legacy = || self.0.legacy.as_ref().map(LegacyKey::bits);
        ring.or_else(legacy).unwrap_or_default()
    }

    /// Checks that the key can sign with `hash`.
    pub(super) fn check(&self, hash: Hash) -> Result<()> {
        match (hash, &self.0.legacy) {
            (Hash::Sha1, None) => Err(legacy_rsa::sha1_unsupported()),
            _ => Ok(()),
        }
    }

    /// Signs by RSASSA-PKCS1-v1_5.
    pub(super) fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>> {
        let ring = match hash {
            Hash::Sha1 => None,
            Hash::Sha256 => Some(&signature::RSA_PKCS1_SHA256),
            Hash::Sha512 => Some(&signature::RSA_PKCS1_SHA512),
        };
        if let (Some(padding), Some(key)) = (ring, &self.0.ring) {
            let mut signature = vec![0; key.public().modulus_len()];
            return match key.sign(padding, &SystemRandom::new(), message, &mut signature) {
                Ok(()) => Ok(signature),
                Err(_unspecified) => Err(Error::random()),
            };
        }
        match &self.0.legacy {
            Some(key) => key.sign(hash, message),
            None => Err(legacy_rsa::sha1_unsupported()),
        }
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaKey({} bits)", self.bits())
    }
}
