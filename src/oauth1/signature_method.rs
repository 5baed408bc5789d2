//! Signature methods.
//!
//! [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{digest::digest, hmac};

use crate::{
    error::{BoxError, Error, Result},
    oauth1::{RsaKey, SignatureAlgorithm, SigningSecrets, rsa_key::Hash},
};

/// Signature method of a request.
///
/// ```
/// use oauth_twin::oauth1::{SignatureMethod, Signer};
///
/// // For NetSuite, with the account as the realm.
/// let signer = Signer::new("consumer-key")
///     .signature_method(SignatureMethod::HmacSha256)
///     .realm("1234567_SB1");
/// ```
///
/// SHA-256 and SHA-512 are used as RFC 5849 uses SHA-1; the providers that ask for them do so.
///
/// [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum SignatureMethod {
    /// `HMAC-SHA1` with the two shared secrets. The default.
    #[default]
    HmacSha1,
    /// `HMAC-SHA256` with the two shared secrets.
    HmacSha256,
    /// `HMAC-SHA512` with the two shared secrets.
    HmacSha512,
    /// `RSA-SHA1` with the client's private key. It needs the feature `rsa-sha1`, whose crate `rsa`
    /// has an open advisory; see [`RsaKey`].
    RsaSha1(RsaKey),
    /// `RSA-SHA256` with the client's private key.
    RsaSha256(RsaKey),
    /// `RSA-SHA512` with the client's private key.
    RsaSha512(RsaKey),
    /// `PLAINTEXT`: the two shared secrets themselves, and so over HTTPS only (loopback is
    /// exempt).
    Plaintext,
    /// A custom method; see [`custom`](Self::custom) and [`from_fn`](Self::from_fn).
    Custom(Arc<dyn SignatureAlgorithm>),
}

impl SignatureMethod {
    /// A custom signature method.
    pub fn custom(algorithm: impl SignatureAlgorithm + 'static) -> Self {
        Self::Custom(Arc::new(algorithm))
    }

    /// A custom signature method from a closure, which receives the base string and the secrets and
    /// returns the value of `oauth_signature`.
    ///
    /// ```
    /// use oauth_twin::oauth1::SignatureMethod;
    /// # fn keyed_hash(key: &[u8], text: &str) -> String { text.to_owned() }
    ///
    /// let method = SignatureMethod::from_fn("X-KEYED", |base_string, secrets| {
    ///     Ok(keyed_hash(secrets.key().expose_secret().as_bytes(), base_string))
    /// });
    /// assert_eq!(method.name(), "X-KEYED");
    /// ```
    pub fn from_fn<F>(name: impl Into<String>, sign: F) -> Self
    where
        F: Fn(&str, SigningSecrets<'_>) -> Result<String, BoxError> + Send + Sync + 'static,
    {
        Self::custom(Closure(name.into(), sign))
    }

    /// The value of `oauth_signature_method`.
    pub fn name(&self) -> &str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha512 => "HMAC-SHA512",
            Self::RsaSha1(_) => "RSA-SHA1",
            Self::RsaSha256(_) => "RSA-SHA256",
            Self::RsaSha512(_) => "RSA-SHA512",
            Self::Plaintext => "PLAINTEXT",
            Self::Custom(custom) => custom.name(),
        }
    }

    /// Checks that this build can sign by this method.
    ///
    /// # Errors
    ///
    /// For RSA-SHA1 without the feature `rsa-sha1`, and for a method without a name.
    pub fn validate(&self) -> Result<()> {
        match self.rsa() {
            Some((key, hash)) => key.check(hash),
            None if self.name().is_empty() => {
                Err(Error::usage("the signature method has an empty name"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn hmac(&self) -> Option<hmac::Algorithm> {
        match self {
            Self::HmacSha1 => Some(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Self::HmacSha256 => Some(hmac::HMAC_SHA256),
            Self::HmacSha512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    /// Whether it needs no base string in one piece.
    pub(super) fn takes_parts(&self) -> bool {
        self.hmac().is_some() || matches!(self, Self::Plaintext)
    }

    pub(super) fn rsa(&self) -> Option<(&RsaKey, Hash)> {
        match self {
            Self::RsaSha1(key) => Some((key, Hash::Sha1)),
            Self::RsaSha256(key) => Some((key, Hash::Sha256)),
            Self::RsaSha512(key) => Some((key, Hash::Sha512)),
            _ => None,
        }
    }

    /// The value of `oauth_body_hash`: by the hash of the method, or if it has none by SHA-1, the
    /// only hash that the draft names.
    pub(super) fn body_hash(&self, body: &[u8]) -> String {
        let hash = match self {
            Self::HmacSha1 | Self::RsaSha1(_) | Self::Plaintext => Hash::Sha1,
            Self::HmacSha256 | Self::RsaSha256(_) => Hash::Sha256,
            Self::HmacSha512 | Self::RsaSha512(_) => Hash::Sha512,
            Self::Custom(custom) => return custom.body_hash(body),
        };
        STANDARD.encode(digest(hash.algorithm(), body))
    }
}

/// Shows only the size of a key.
impl fmt::Debug for SignatureMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.rsa() {
            Some((key, _)) => write!(f, "({key:?})"),
            None => Ok(()),
        }
    }
}

struct Closure<F>(String, F);

impl<F> SignatureAlgorithm for Closure<F>
where
    F: Fn(&str, SigningSecrets<'_>) -> Result<String, BoxError> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.0
    }

    fn sign(&self, base_string: &str, secrets: SigningSecrets<'_>) -> Result<String, BoxError> {
        (self.1)(base_string, secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_body_is_the_method_s() {
        for (method, hash) in [
            (SignatureMethod::HmacSha1, "5K1NqtU6LuwDEzhq2oghHlDWk70="),
            (
                SignatureMethod::HmacSha256,
                "+dhgKMbg1k4iUYb5astpM4ssWXZN95FiEH9cS7NNExA=",
            ),
            (SignatureMethod::Plaintext, "5K1NqtU6LuwDEzhq2oghHlDWk70="),
            (
                SignatureMethod::from_fn("X", |_, _| Ok(String::new())),
                "5K1NqtU6LuwDEzhq2oghHlDWk70=",
            ),
        ] {
            assert_eq!(method.body_hash(br#"{"a": 1}"#), hash, "{method:?}");
        }
        assert_eq!(SignatureMethod::HmacSha512.body_hash(b"").len(), 88);
    }
}
