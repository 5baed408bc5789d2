//! Signature algorithms.
//!
//! [RFC 7518 section 3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1)

use std::{fmt, str::FromStr};

use ring::{digest, hmac};

use crate::{
    error::{Error, Result},
    pem,
};

/// Signature algorithm of a token. There is no `none`.
///
/// ```
/// use oauth_twin::jose::Algorithm;
///
/// assert_eq!("PS256".parse::<Algorithm>()?, Algorithm::PS256);
/// assert_eq!(Algorithm::EdDSA.as_str(), "EdDSA");
/// assert!("none".parse::<Algorithm>().is_err());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7518 section 3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519 ([RFC 8037](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
    EdDSA,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 12] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The value of `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether the key is a shared secret.
    pub fn is_symmetric(self) -> bool {
        self.key_type() == KeyType::Secret
    }

    /// The hash of the algorithm; of Ed25519 the one that is a part of it.
    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::HS256 | Self::RS256 | Self::PS256 | Self::ES256 => &digest::SHA256,
            Self::HS384 | Self::RS384 | Self::PS384 | Self::ES384 => &digest::SHA384,
            Self::HS512 | Self::RS512 | Self::PS512 | Self::EdDSA => &digest::SHA512,
        }
    }

    /// The algorithm with this name, or why it cannot be used.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == name);
        match name {
            // The name that RFC 9864 gives to EdDSA on this curve.
            "Ed25519" => Ok(Self::EdDSA),
            _ if name.eq_ignore_ascii_case("none") => {
                Err("the algorithm none is not a signature and is never accepted".to_owned())
            }
            "ES512" | "ES256K" | "Ed448" => Err(format!(
                "the algorithm {name} is not supported, as ring does not implement it"
            )),
            // The name is untrusted text and is not quoted.
            _ => known.ok_or_else(|| "the algorithm is unknown".to_owned()),
        }
    }

    pub(super) fn key_type(self) -> KeyType {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => KeyType::Secret,
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                KeyType::Rsa
            }
            Self::ES256 => KeyType::P256,
            Self::ES384 => KeyType::P384,
            Self::EdDSA => KeyType::Ed25519,
        }
    }

    /// The HMAC algorithm, if the key is a shared secret.
    pub(super) fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::HS256 => Some(hmac::HMAC_SHA256),
            Self::HS384 => Some(hmac::HMAC_SHA384),
            Self::HS512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    /// The HMAC key of a shared secret.
    ///
    /// "A key of the same size as the hash output (for instance, 256 bits for "HS256") or larger
    /// MUST be used with this algorithm."
    pub(super) fn hmac_key(self, secret: &[u8], allow_short: bool) -> Result<hmac::Key> {
        let Some(algorithm) = self.hmac() else {
            return Err(Error::usage(format!(
                "{self} does not sign with a shared secret; use {}",
                self.key_type()
            )));
        };
        // With a public key as the secret, signatures by anyone who knows that public key would be
        // accepted.
        if pem::contains(secret, b"-----BEGIN ") {
            return Err(Error::usage(format!(
                "the shared secret for {self} is a key or a certificate in PEM; pass the secret \
                 that both sides share"
            )));
        }
        let least = algorithm.digest_algorithm().output_len();
        if secret.len() < least && !allow_short || secret.is_empty() {
            return Err(Error::usage(format!(
                "the shared secret has {} bytes; {self} needs at least {least} (RFC 7518 section \
                 3.2)",
                secret.len()
            )));
        }
        Ok(hmac::Key::new(algorithm, secret))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name).map_err(Error::usage)
    }
}

/// Type of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeyType {
    /// Number of key types.
    pub(super) const COUNT: usize = 5;

    /// The `kty` of its JWKs.
    pub(super) fn kty(self) -> &'static str {
        match self {
            Self::Secret => "oct",
            Self::Rsa => "RSA",
            Self::P256 | Self::P384 => "EC",
            Self::Ed25519 => "OKP",
        }
    }

    /// The length of a coordinate and of a private scalar of the curve, in bytes.
    pub(super) fn coordinate(self) -> Option<usize> {
        match self {
            Self::P256 | Self::Ed25519 => Some(32),
            Self::P384 => Some(48),
            Self::Secret | Self::Rsa => None,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "a shared secret",
            Self::Rsa => "an RSA key",
            Self::P256 => "an EC key on P-256",
            Self::P384 => "an EC key on P-384",
            Self::Ed25519 => "an Ed25519 key",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse().ok(), Some(algorithm));
            assert_eq!(algorithm.to_string(), algorithm.as_str());
            assert_eq!(format!("{algorithm:?}"), algorithm.as_str());
        }
        assert_eq!("Ed25519".parse().ok(), Some(Algorithm::EdDSA));
    }

    #[test]
    fn what_is_not_supported_is_told_apart() {
        for (name, word) in [
            ("none", "never accepted"),
            ("None", "never accepted"),
            ("nOnE", "never accepted"),
            ("ES512", "ring"),
            ("ES256K", "ring"),
            ("rs256", "unknown"),
            ("HS1", "unknown"),
            ("RSA-OAEP", "unknown"),
            ("", "unknown"),
        ] {
            let error = name.parse::<Algorithm>().expect_err(name);
            assert!(error.to_string().contains(word), "{name}: {error}");
        }
    }

    #[test]
    fn a_short_secret_and_a_pem_are_refused() {
        for (algorithm, least) in [
            (Algorithm::HS256, 32),
            (Algorithm::HS384, 48),
            (Algorithm::HS512, 64),
        ] {
            assert!(algorithm.hmac_key(&vec![7; least], false).is_ok());
            let error = algorithm.hmac_key(&vec![7; least - 1], false);
            let error = error.expect_err("short").to_string();
            assert!(error.contains(&format!("at least {least}")), "{error}");
            assert!(algorithm.hmac_key(&[7], true).is_ok());
            assert!(algorithm.hmac_key(&[], true).is_err());
        }
        for before in ["", "\n", "\u{feff}", "Bag Attributes\n"] {
            let pem = format!("{before}-----BEGIN PUBLIC KEY-----\n{}", "A".repeat(100));
            assert!(Algorithm::HS256.hmac_key(pem.as_bytes(), true).is_err());
        }
        assert!(Algorithm::RS256.hmac_key(&[7; 64], true).is_err());
    }
}
