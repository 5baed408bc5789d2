//! Proofs that a client possesses a key.
//!
//! [RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use ring::digest::{SHA256, digest};
use serde_json::json;
use url::{Position, Url};

use super::key::DpopKey;
use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    jose::{SigningInput, encoded_prefix, signed_bytes},
    random,
    secret::Secret,
};

/// Name of the header with a proof.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Proof of possession for one request: the value of its `DPoP` header. The clients of this crate
/// make a new one for each attempt themselves.
///
/// ```
/// use http::Method;
/// use oauth_twin::{Secret, jose::Algorithm, oauth2::{DpopKey, DpopProof}};
///
/// let key = DpopKey::generate(Algorithm::ES256)?;
/// let url = "https://api.example.com/reports?year=2026".parse()?;
/// let proof = DpopProof::new(&Method::GET, &url)
///     .access_token(&Secret::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"))
///     .nonce("eyJ7S_zG.eyJH0-Z.HX4w-7v");
/// assert!(proof.sign(&key)?.to_str()?.starts_with("eyJ"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)
#[derive(Clone, Debug)]
pub struct DpopProof<'a> {
    method: &'a Method,
    url: &'a Url,
    access_token: Option<AccessTokenHash>,
    /// The encoded header and hash of the access token, if they are known.
    prefix: Option<&'a str>,
    nonce: Option<&'a str>,
    /// Whether `alg` is `Ed25519` and not `EdDSA`.
    is_fully_specified: bool,
    clock: Clock,
    clock_offset: ClockOffset,
}

impl<'a> DpopProof<'a> {
    /// Makes a proof for a request with this method and URL, whose query and fragment it omits.
    pub fn new(method: &'a Method, url: &'a Url) -> Self {
        Self {
            method,
            url,
            access_token: None,
            prefix: None,
            nonce: None,
            is_fully_specified: false,
            clock: Clock::system(),
            clock_offset: ClockOffset::default(),
        }
    }

    /// Sets the access token that the request has: at a resource, not at an endpoint of the
    /// authorization server.
    ///
    /// [RFC 9449 section 7](https://www.rfc-editor.org/rfc/rfc9449#section-7)
    #[must_use]
    pub fn access_token(mut self, access_token: &Secret) -> Self {
        self.access_token = Some(AccessTokenHash::of(access_token));
        self
    }

    /// The same by the header and the hash, encoded by [`bound_prefix`] once for all proofs.
    pub(crate) fn with_prefix(mut self, prefix: &'a str) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// Sets the nonce, the last `DPoP-Nonce` of the server.
    ///
    /// [RFC 9449 section 8](https://www.rfc-editor.org/rfc/rfc9449#section-8)
    #[must_use]
    pub fn nonce(mut self, nonce: &'a str) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Signs with the time by the clock of the server.
    pub(crate) fn with_clock_offset(mut self, clock_offset: ClockOffset) -> Self {
        self.clock_offset = clock_offset;
        self
    }

    /// Names EdDSA with Ed25519 `Ed25519`, for a server that knows it by that name alone.
    pub(crate) fn with_fully_specified(mut self, is_fully_specified: bool) -> Self {
        self.is_fully_specified = is_fully_specified;
        self
    }

    fn header_prefix<'b>(&'b self, key: &'b DpopKey) -> &'b str {
        match (self.prefix, self.is_fully_specified) {
            (Some(prefix), _) => prefix,
            (None, false) => key.prefix(),
            (None, true) => key.fully_specified_prefix(),
        }
    }

    /// The signed proof, as the value of the header `DPoP`. Each call makes a new one.
    ///
    /// # Errors
    ///
    /// If the key is external, the nonce cannot be sent, or the operating system provides no random
    /// numbers.
    pub fn sign(&self, key: &DpopKey) -> Result<HeaderValue> {
        let Some(local) = key.local() else {
            return Err(Error::usage(
                "the DPoP key is external; sign DpopProof::unsigned with it, or give it to \
                 dpop_signer of a client",
            ));
        };
        let prefix = self.header_prefix(key);
        header_of(signed_bytes(prefix, &self.claims()?, local)?.into())
    }

    /// The proof before it is signed by an external key. Each call makes a new one.
    ///
    /// # Errors
    ///
    /// As for [`sign`](Self::sign).
    pub fn unsigned(&self, key: &DpopKey) -> Result<SigningInput> {
        let prefix = self.header_prefix(key);
        Ok(SigningInput::new(prefix, &self.claims()?))
    }

    /// The claims as JSON. "htu: The HTTP target URI [...] of the request to which the JWT is
    /// attached, without query and fragment parts."
    fn claims(&self) -> Result<Vec<u8>> {
        let now = self.clock_offset.at_server(self.clock.unix());
        let target = match self.url.username().is_empty() && self.url.password().is_none() {
            true => &self.url[..Position::AfterPath],
            false => {
                return Err(Error::usage(
                    "the URL of a request with a proof has a user name or a password; remove them",
                ));
            }
        };
        let mut json = Vec::with_capacity(256 + target.len());
        if self.prefix.is_none() {
            json.push(b'{');
        }
        json.extend_from_slice(b"\"jti\":\"");
        json.extend_from_slice(&random::identifier(now)?);
        json.extend_from_slice(b"\",\"htm\":\"");
        json.extend_from_slice(self.method.as_str().as_bytes());
        json.extend_from_slice(b"\",\"htu\":\"");
        push_escaped(&mut json, target);
        json.extend_from_slice(b"\",\"iat\":");
        push_number(&mut json, now.as_secs());
        if let Some(AccessTokenHash(hash)) = &self.access_token {
            json.extend_from_slice(b",\"ath\":\"");
            json.extend_from_slice(hash);
            json.push(b'"');
        }
        if let Some(nonce) = self.nonce {
            if !is_nonce(nonce) {
                return Err(Error::usage(
                    "the nonce is empty, too long or has characters that a nonce cannot have",
                ));
            }
            json.extend_from_slice(b",\"nonce\":\"");
            json.extend_from_slice(nonce.as_bytes());
            json.push(b'"');
        }
        json.push(b'}');
        Ok(json)
    }
}

/// A signed proof as the value of its header.
pub(crate) fn header(proof: &Secret) -> Result<HeaderValue> {
    header_of(Bytes::copy_from_slice(proof.expose_secret().as_bytes()))
}

fn header_of(proof: Bytes) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(proof)
        .map_err(|_invalid| Error::usage("the DPoP proof cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// SHA-256 of an access token, in base64url.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessTokenHash([u8; 43]);

impl AccessTokenHash {
    pub(crate) fn of(access_token: &Secret) -> Self {
        let hash = digest(&SHA256, access_token.expose_secret().as_bytes());
        let mut encoded = [0; 43];
        let written = URL_SAFE_NO_PAD.encode_slice(hash, &mut encoded);
        debug_assert_eq!(written, Ok(43), "32 bytes are 43 characters");
        Self(encoded)
    }
}

/// The header of all proofs by `key` and the hash of the access token, encoded.
pub(crate) fn bound_prefix(key: &DpopKey, access_token: &Secret) -> Box<str> {
    let AccessTokenHash(hash) = AccessTokenHash::of(access_token);
    let hash = std::str::from_utf8(&hash).unwrap_or_default();
    encoded_prefix(key.prefix(), &json!({ "ath": hash })).into()
}

/// Maximum length of a nonce, in bytes.
const NONCE_LENGTH: usize = 1024;

/// Whether this is a nonce: `1*NQCHAR`, which JSON needs not escape.
///
/// [RFC 9449 section 8.1](https://www.rfc-editor.org/rfc/rfc9449#section-8.1)
pub(super) fn is_nonce(nonce: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=NONCE_LENGTH).contains(&nonce.len()) && nonce.bytes().all(is_allowed)
}

/// Appends a part of a URL, which is ASCII without control characters.
fn push_escaped(json: &mut Vec<u8>, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
        return json.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            json.push(b'\\');
        }
        json.push(byte);
    }
}

/// Appends a number in decimal.
fn push_number(json: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    json.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests;
