//! Signed tokens in their compact form.
//!
//! [RFC 7515 section 7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    encoding::base64url::{encode, encoded_len},
    error::{Error, Result},
    jose::{Algorithm, Header, JwkSet, SigningKey, VerifyingKey, header::json},
    secret::Secret,
};

/// Header and payload, ready to be signed by a [`SigningKey`], or externally by a KMS or an HSM.
///
/// ```
/// use oauth_twin::jose::{Algorithm, Header};
/// # fn kms(_: &[u8]) -> Vec<u8> { vec![0; 64] }
///
/// let input = Header::new(Algorithm::ES256).signing_input(br#"{"sub":"me"}"#)?;
/// let signature = kms(input.as_bytes());               // r and s, concatenated
/// let token = input.with_signature(&signature);
/// assert!(token.expose_secret().starts_with(input.as_str()));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7515 section 5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)
#[derive(Clone)]
pub struct SigningInput(Zeroizing<String>);

impl SigningInput {
    /// Appends the encoded payload to an encoded prefix: a header, or a header and more.
    pub(crate) fn new(prefix: &str, payload: &[u8]) -> Self {
        Self(Zeroizing::new(text(input(prefix, payload, 0))))
    }

    /// The bytes to sign.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text to sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token with an external signature.
    pub fn with_signature(&self, signature: &[u8]) -> Secret {
        let mut token = String::with_capacity(self.0.len() + signature.len().div_ceil(3) * 4 + 1);
        token.push_str(&self.0);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Secret::new(token)
    }

    /// Signs the token with `key`.
    ///
    /// # Errors
    ///
    /// As for [`SigningKey::sign`].
    pub fn sign(&self, key: &SigningKey) -> Result<Secret> {
        Ok(self.with_signature(&key.sign(self.as_bytes())?))
    }
}

/// The encoded header of a token, with the dot after it.
pub(super) fn encoded_header(json: &[u8]) -> String {
    text(input("", json, 1))
}

/// The encoded header and claims that several tokens have in common, and the start of the `next` one,
/// as their prefix. The rest is then passed as the payload.
pub(crate) fn encoded_prefix(header: &str, claims: &impl Serialize, next: &str) -> String {
    let mut object = json(claims);
    // More members follow instead of the closing brace.
    object.pop();
    object.push(b',');
    // Base64 encodes three bytes at once. Padding by spaces, which JSON permits, leaves no
    // remainder.
    let end = (object.len() + next.len()).next_multiple_of(3);
    object.resize(end - next.len(), b' ');
    object.extend_from_slice(next.as_bytes());
    text(input(header, &object, 0))
}

/// The signed token of an encoded prefix and the rest of its payload, in a single allocation.
pub(crate) fn signed(prefix: &str, payload: &[u8], key: &SigningKey) -> Result<Secret> {
    signed_bytes(prefix, payload, key).map(|token| Secret::new(text(token)))
}

/// The same for a token that is not kept secret.
pub(crate) fn signed_bytes(prefix: &str, payload: &[u8], key: &SigningKey) -> Result<Vec<u8>> {
    let spare = 1 + encoded_len(key.signature_len());
    let mut token = input(prefix, payload, spare);
    let end = token.len() - spare;
    let (message, spare) = token.split_at_mut(end);
    key.sign_with(message, |signature| encode(signature, &mut spare[1..]))?;
    Ok(token)
}

/// The prefix and the encoded payload, with as many dots after them as there is `spare` space.
fn input(prefix: &str, payload: &[u8], spare: usize) -> Vec<u8> {
    let end = prefix.len() + encoded_len(payload.len());
    let mut input = Vec::with_capacity(end + spare);
    input.extend_from_slice(prefix.as_bytes());
    input.resize(end + spare, b'.');
    encode(payload, &mut input[prefix.len()..end]);
    input
}

/// Converts base64url and dots, which are ASCII, to text.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

impl fmt::Debug for SigningInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningInput({} bytes)", self.0.len())
    }
}

/// Received token, whose payload is only accessible once a key has verified it.
///
/// ```
/// use oauth_twin::jose::{Algorithm, Jws, VerifyingKey};
///
/// // RFC 7515 appendix A.1.
/// let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
///              eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
///              dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// let jwk = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
/// let key = VerifyingKey::from_jwk(Algorithm::HS256, &serde_json::from_str(jwk).unwrap())?;
/// let payload = Jws::parse(token)?.verify(&key)?.to_vec();
/// assert!(payload.starts_with(br#"{"iss":"joe","#));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7515 section 5.2](https://www.rfc-editor.org/rfc/rfc7515#section-5.2)
pub struct Jws<'a> {
    header: Header,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Parses a token in compact form.
    ///
    /// # Errors
    ///
    /// If it is malformed, or has an unknown algorithm, `none` included, or a critical extension.
    pub fn parse(token: &'a str) -> Result<Self> {
        let not_compact =
            || Error::untrusted("the token does not consist of three parts separated by dots");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(not_compact)?;
        let (header, payload) = signed.split_once('.').ok_or_else(not_compact)?;
        if payload.contains('.') {
            return Err(not_compact());
        }
        let decoded = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_error| Error::untrusted("the token has a part that is not base64url"))
        };
        Ok(Self {
            header: Header::received(&decoded(header)?).map_err(Error::untrusted)?,
            payload: decoded(payload)?,
            signature: decoded(signature)?,
            signed,
        })
    }

    /// The header, which is not verified. Use it to select a key, and for nothing else.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, which is not verified. A token can be refused for it, and never be accepted.
    pub(crate) fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature with `key`, and returns the payload.
    ///
    /// # Errors
    ///
    /// If `key` has not signed it, or the token names another algorithm than that of the key.
    ///
    /// [RFC 8725 section 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)
    pub fn verify(&self, key: &VerifyingKey) -> Result<&[u8]> {
        if self.header.algorithm() != key.algorithm() {
            return Err(Error::untrusted(format!(
                "the token names the algorithm {}, but the key verifies {}",
                self.header.algorithm(),
                key.algorithm()
            )));
        }
        key.verify(self.signed.as_bytes(), &self.signature)?;
        Ok(&self.payload)
    }

    /// Verifies the signature with one of `keys`, by one of the `allowed` algorithms, and returns
    /// the payload. The key has to have the `kid` of the token; without one each key of the right
    /// type is tried. Shared secrets in the set are ignored, as sets are published.
    ///
    /// # Errors
    ///
    /// If none of them has signed it, the algorithm is not allowed, or no key fits the token; then
    /// the error says why the first with its `kid` does not.
    pub fn verify_with(&self, keys: &JwkSet, allowed: &[Algorithm]) -> Result<&[u8]> {
        if !allowed.contains(&self.header.algorithm()) {
            return Err(Error::untrusted(format!(
                "the token names the algorithm {}, which is not allowed",
                self.header.algorithm()
            )));
        }
        keys.verify(&self.header, self.signed.as_bytes(), &self.signature)?;
        Ok(&self.payload)
    }
}

/// Shows the header only.
impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
