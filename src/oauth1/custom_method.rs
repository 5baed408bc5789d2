//! Custom signature methods.
//!
//! [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::{encoding::percent_encode, error::BoxError, secret::Secret};

/// Signature method that this crate does not provide.
///
/// For a closure there is [`SignatureMethod::from_fn`](super::SignatureMethod::from_fn).
///
/// ```
/// use oauth_twin::{BoxError, oauth1::{SignatureAlgorithm, SignatureMethod, Signer, SigningSecrets}};
///
/// struct Checksum;
///
/// impl SignatureAlgorithm for Checksum {
///     fn name(&self) -> &str {
///         "X-CHECKSUM"
///     }
///
///     fn sign(&self, base_string: &str, _: SigningSecrets<'_>) -> Result<String, BoxError> {
///         Ok(base_string.bytes().map(u64::from).sum::<u64>().to_string())
///     }
/// }
///
/// let signer = Signer::new("key").signature_method(SignatureMethod::custom(Checksum));
/// ```
///
/// [RFC 5849 section 3.4](https://www.rfc-editor.org/rfc/rfc5849#section-3.4)
pub trait SignatureAlgorithm: Send + Sync {
    /// The value of `oauth_signature_method`.
    fn name(&self) -> &str;

    /// The value of `oauth_signature`, before percent-encoding; usually base64.
    ///
    /// # Errors
    ///
    /// If it cannot sign. Nothing is sent then.
    fn sign(&self, base_string: &str, secrets: SigningSecrets<'_>) -> Result<String, BoxError>;

    /// The value of `oauth_body_hash`, where it is required. Defaults to the SHA-1 in base64.
    fn body_hash(&self, body: &[u8]) -> String {
        STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, body))
    }
}

/// Shared secrets that sign a request.
///
/// ```
/// use oauth_twin::oauth1::SigningSecrets;
///
/// fn key(secrets: SigningSecrets<'_>) -> String {
///     secrets.key().expose_secret().to_owned()             // "client%20secret&token%20secret"
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SigningSecrets<'a> {
    pub(super) client_secret: &'a Secret,
    pub(super) token_secret: &'a Secret,
}

impl<'a> SigningSecrets<'a> {
    /// The client's secret; empty if there is none.
    pub fn client_secret(&self) -> &'a Secret {
        self.client_secret
    }

    /// The secret of the token; empty if there is none.
    pub fn token_secret(&self) -> &'a Secret {
        self.token_secret
    }

    /// Both secrets, percent-encoded and joined by `&` even when either is empty: the key of the
    /// HMAC methods and the signature of PLAINTEXT.
    ///
    /// [RFC 5849 section 3.4.2](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.2)
    pub fn key(&self) -> Secret {
        let [client, token] = [self.client_secret, self.token_secret]
            .map(|secret| zeroize::Zeroizing::new(percent_encode(secret.expose_secret())));
        Secret::new([client.as_str(), "&", token.as_str()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_and_what_is_seen_of_it() {
        for (client, token, key) in [
            ("", "", "&"),
            ("a", "", "a&"),
            ("", "b", "&b"),
            ("a&b", "\u{e4} +", "a%26b&%C3%A4%20%2B"),
        ] {
            let [client_secret, token_secret] = &[client, token].map(Secret::from);
            let secrets = SigningSecrets {
                client_secret,
                token_secret,
            };
            assert_eq!(secrets.key().expose_secret(), key);
            assert_eq!(
                format!("{secrets:?}"),
                "SigningSecrets { client_secret: [redacted], token_secret: [redacted] }"
            );
        }
    }
}
