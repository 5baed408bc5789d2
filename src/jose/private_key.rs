//! Private keys in files.
//!
//! PKCS#1 ([RFC 8017](https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2)), PKCS#8
//! ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958#section-2)), SEC1
//! ([RFC 5915](https://www.rfc-editor.org/rfc/rfc5915#section-3))

pub(super) mod generated;

use ring::{
    error::KeyRejected,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    jose::{
        algorithm::KeyType,
        der::{
            CONTEXT_0, CONTEXT_1, Der, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, PRIMITIVE_1,
            SEQUENCE,
        },
        public_key::{PublicKey, bits, curve, key_type},
    },
};

/// Private key, parsed by *ring*.
pub(super) enum PrivateKey {
    Rsa(Box<rsa::KeyPair>),
    /// An EC key with its curve.
    Ec(KeyType, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    pub(super) fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa(_) => KeyType::Rsa,
            Self::Ec(curve, _) => *curve,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    pub(super) fn public(&self) -> PublicKey {
        match self {
            Self::Rsa(key) => {
                let public = rsa::PublicKeyComponents::from(key.public());
                PublicKey::Rsa {
                    n: public.n,
                    e: public.e,
                }
            }
            Self::Ec(curve, key) => PublicKey::Point(*curve, key.public_key().as_ref().to_vec()),
            Self::Ed25519(key) => {
                PublicKey::Point(KeyType::Ed25519, key.public_key().as_ref().to_vec())
            }
        }
    }

    /// Reads a key in any of the three formats.
    pub(super) fn from_der(der: &[u8]) -> Result<Self> {
        let mut key = Der::sequence(der).ok_or_else(invalid_key)?;
        key.read(INTEGER).ok_or_else(invalid_key)?;
        match key.tag() {
            Some(SEQUENCE) => Self::from_pkcs8(key),
            Some(OCTET_STRING) => Self::from_sec1(der, None),
            Some(INTEGER) => Self::from_pkcs1(der),
            _ => Err(invalid_key()),
        }
    }

    /// Reads PKCS#8; `key` begins after the version.
    fn from_pkcs8(mut key: Der<'_>) -> Result<Self> {
        let algorithm = key.nested(SEQUENCE).ok_or_else(invalid_key)?;
        let inner = key.read(OCTET_STRING).ok_or_else(invalid_key)?;
        match key_type(algorithm).map_err(Error::usage)? {
            KeyType::Rsa => Self::from_pkcs1(inner),
            KeyType::Ed25519 => {
                let seed = Der::only(inner, OCTET_STRING).ok_or_else(invalid_key)?;
                // Optional attributes precede the public key.
                key.optional(CONTEXT_0);
                let public = match key.optional(PRIMITIVE_1) {
                    Some([0, public @ ..]) => Some(public),
                    Some(_) => return Err(invalid_key()),
                    None => None,
                };
                Self::ed25519(seed, public)
            }
            curve => Self::from_sec1(inner, Some(curve)),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let mut key = Der::sequence(der).ok_or_else(invalid_key)?;
        key.read(INTEGER).ok_or_else(invalid_key)?;
        let n = key.unsigned().ok_or_else(invalid_key)?;
        let e = key.unsigned().ok_or_else(invalid_key)?;
        check_size(n, e)?;
        let key = rsa::KeyPair::from_der(der).map_err(|error| rejected_as("RSA", error))?;
        Ok(Self::Rsa(Box::new(key)))
    }

    /// Reads SEC1. The curve is named in the key itself, or in the PKCS#8 around it.
    fn from_sec1(der: &[u8], outer: Option<KeyType>) -> Result<Self> {
        let mut key = Der::sequence(der).ok_or_else(invalid_key)?;
        key.read(INTEGER).ok_or_else(invalid_key)?;
        let private = key.read(OCTET_STRING).ok_or_else(invalid_key)?;
        let named = match key.nested(CONTEXT_0) {
            Some(mut parameters) => {
                let name = parameters.read(OBJECT_IDENTIFIER).ok_or_else(|| {
                    Error::usage(
                        "the EC key has explicit curve parameters instead of a named \
                        curve; convert it with `openssl ec -param_enc named_curve`",
                    )
                })?;
                Some(curve(name).map_err(Error::usage)?)
            }
            None => None,
        };
        let curve = match (outer, named) {
            (Some(outer), Some(inner)) if outer != inner => return Err(invalid_key()),
            (outer, inner) => outer.or(inner).ok_or_else(|| {
                Error::usage("the EC key does not name its curve; convert it to PKCS#8")
            })?,
        };
        let public = key
            .nested(CONTEXT_1)
            .and_then(|mut public| public.bits())
            .ok_or_else(|| {
                Error::usage(
                    "the EC key does not include its public key; `openssl ec -in KEY -out NEW` adds \
                     it",
                )
            })?;
        Self::ec(curve, private, public)
    }

    /// An EC key with its private scalar and its uncompressed public point.
    pub(super) fn ec(curve: KeyType, private: &[u8], public: &[u8]) -> Result<Self> {
        let (Some(algorithm), Some(length)) = (ecdsa(curve), curve.coordinate()) else {
            return Err(invalid_key());
        };
        let private = padded(private, length).ok_or_else(invalid_key)?;
        let random = SystemRandom::new();
        let key =
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, public, &random)
                .map_err(|rejected| rejected_as("EC", rejected))?;
        Ok(Self::Ec(curve, key))
    }

    /// An Ed25519 key with its seed and, if it is known, its public key, which then has to match.
    pub(super) fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Result<Self> {
        let key = match public {
            Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => Ed25519KeyPair::from_seed_unchecked(seed),
        };
        key.map(Self::Ed25519)
            .map_err(|rejected| rejected_as("Ed25519", rejected))
    }

    /// An RSA key from numbers without leading zeros.
    pub(super) fn rsa(components: &rsa::KeyPairComponents<&[u8]>) -> Result<Self> {
        let public = &components.public_key;
        check_size(public.n, public.e)?;
        let key = rsa::KeyPair::from_components(components);
        let key = key.map_err(|error| rejected_as("RSA", error))?;
        Ok(Self::Rsa(Box::new(key)))
    }
}

/// Whether a certificate is that of a private key.
pub(crate) fn is_key_pair(certificate: &[u8], key: &[u8]) -> Result<bool> {
    let certified = PublicKey::from_der(certificate)
        .map_err(|error| Error::usage(format!("the certificate cannot be used: {error}")))?;
    Ok(PrivateKey::from_der(key)?.public() == certified)
}

/// Checks that *ring* supports the key, whose own error is the same for every size.
fn check_size(n: &[u8], e: &[u8]) -> Result<()> {
    let problem = match (bits(n), bits(e)) {
        (..2048, _) => "is too small",
        (4097.., _) => "is too large",
        (size, _) if size % 1024 != 0 => "has an unusual size",
        // 65537 has 17 bits, and no smaller exponent in use has as many.
        (_, ..17) => {
            return Err(Error::usage(
                "the exponent of the RSA key is below 65537; \
            generate a new key",
            ));
        }
        _ => return Ok(()),
    };
    Err(Error::usage(format!(
        "the RSA key {problem}: it has {} bits, and ring supports 2048, 3072 and 4096",
        bits(n)
    )))
}

fn ecdsa(curve: KeyType) -> Option<&'static EcdsaSigningAlgorithm> {
    match curve {
        KeyType::P256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeyType::P384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeyType::Secret | KeyType::Rsa | KeyType::Ed25519 => None,
    }
}

/// `bytes` padded with leading zeros to `length`. Some implementations omit the zeros.
pub(super) fn padded(bytes: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let zeros = length.checked_sub(bytes.len())?;
    let mut padded = Zeroizing::new(vec![0; length]);
    padded[zeros..].copy_from_slice(bytes);
    Some(padded)
}

fn invalid_key() -> Error {
    Error::usage("the private key is invalid, or in another format than PKCS#8, PKCS#1 or SEC1")
}

fn rejected_as(kind: &str, rejected: KeyRejected) -> Error {
    Error::usage(format!("the {kind} key is invalid ({rejected})"))
}
