//! Proofs that a client possesses a key.
//!
//! [RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)

use std::io::{self, Write};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde_json::json;
use url::{Position, Url};

use super::key::DpopKey;
use crate::{
    clock::{Clock, ClockOffset},
    encoding::base64url::{encode, encode_bits, encoded_len},
    error::{Error, Result},
    jose::{SigningInput, encoded_prefix, signed_bytes},
    random,
    secret::Secret,
};

/// Name of the header with a proof.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Start of the first claim of each proof.
const JTI: &str = "\"jti\":\"";

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
        let mut space = Space::default();
        let token = match self.checked()?.write(&mut space) {
            Ok(()) => signed_bytes(prefix, space.filled(), local),
            // The URL or the nonce is a long one.
            Err(_full) => signed_bytes(prefix, &self.claims()?, local),
        };
        header_of(token?.into())
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

    /// The claims as JSON, after the prefix.
    fn claims(&self) -> Result<Vec<u8>> {
        let mut json = Vec::with_capacity(USUAL_LENGTH);
        let written = self.checked()?.write(&mut json);
        debug_assert!(written.is_ok(), "a Vec has space for all");
        Ok(json)
    }

    /// "htu: The HTTP target URI [...] of the request to which the JWT is attached, without query and
    /// fragment parts."
    fn checked(&self) -> Result<ProofClaims<'_>> {
        let target = &self.url[..Position::AfterPath];
        let is_plain = is_plain(target.as_bytes());
        let names_user = || !self.url.username().is_empty() || self.url.password().is_some();
        if !is_plain && names_user() {
            return Err(Error::usage(
                "the URL of a request with a proof has a user name or a password; remove them",
            ));
        }
        if !self.nonce.is_none_or(is_nonce) {
            return Err(Error::usage(
                "the nonce is empty, too long or has characters that a nonce cannot have",
            ));
        }
        let now = self.clock_offset.at_server(self.clock.unix());
        Ok(ProofClaims {
            proof: self,
            target,
            is_plain,
            issued_at: now.as_secs(),
            identifier: random::unique_bits(now)?,
        })
    }
}

/// Length that the claims of most proofs do not exceed.
const USUAL_LENGTH: usize = 256;

/// Space for the claims of most proofs. What is written in pieces of a known length is not copied by
/// calls, as it is into a slice.
struct Space {
    bytes: [u8; USUAL_LENGTH],
    length: usize,
}

impl Default for Space {
    fn default() -> Self {
        Self {
            bytes: [0; USUAL_LENGTH],
            length: 0,
        }
    }
}

impl Space {
    fn filled(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Space {
    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        let end = self.length + part.len();
        let left = self.bytes.get_mut(self.length..end);
        left.ok_or(io::ErrorKind::WriteZero)?.copy_from_slice(part);
        self.length = end;
        Ok(())
    }

    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part).map(|()| part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The claims of one proof.
struct ProofClaims<'a> {
    proof: &'a DpopProof<'a>,
    target: &'a str,
    /// Whether JSON need not escape the target.
    is_plain: bool,
    issued_at: u64,
    identifier: u128,
}

impl ProofClaims<'_> {
    /// Writes them as JSON, after the prefix. Fails if there is not enough space.
    fn write(&self, json: &mut impl Write) -> io::Result<()> {
        if self.proof.prefix.is_none() {
            json.write_all(b"{")?;
            json.write_all(JTI.as_bytes())?;
        }
        json.write_all(&encode_bits(self.identifier))?;
        match *self.proof.method {
            // The most usual one, in one piece.
            Method::GET => json.write_all(b"\",\"htm\":\"GET\",\"htu\":\"")?,
            _ => {
                json.write_all(b"\",\"htm\":\"")?;
                json.write_all(self.proof.method.as_str().as_bytes())?;
                json.write_all(b"\",\"htu\":\"")?;
            }
        }
        match self.is_plain {
            true => json.write_all(self.target.as_bytes())?,
            false => write_escaped(json, self.target)?,
        }
        json.write_all(b"\",\"iat\":")?;
        write_number(json, self.issued_at)?;
        if let Some(AccessTokenHash(hash)) = &self.proof.access_token {
            json.write_all(b",\"ath\":\"")?;
            json.write_all(hash)?;
            json.write_all(b"\"")?;
        }
        if let Some(nonce) = self.proof.nonce {
            json.write_all(b",\"nonce\":\"")?;
            json.write_all(nonce.as_bytes())?;
            json.write_all(b"\"")?;
        }
        json.write_all(b"}")
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
        let mut encoded = [0; encoded_len(SHA256_OUTPUT_LEN)];
        encode(hash.as_ref(), &mut encoded);
        Self(encoded)
    }
}

/// The header of all proofs by `key` and the hash of the access token, encoded.
pub(crate) fn bound_prefix(key: &DpopKey, access_token: &Secret) -> Box<str> {
    let AccessTokenHash(hash) = AccessTokenHash::of(access_token);
    let hash = std::str::from_utf8(&hash).unwrap_or_default();
    encoded_prefix(key.prefix(), &json!({ "ath": hash }), JTI).into()
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

/// Whether a URL names no user and JSON need not escape it, as is so for most of them.
fn is_plain(url: &[u8]) -> bool {
    // Zero for these three, which is compared for sixteen bytes at once.
    let difference = |byte: u8| (byte ^ b'@').min(byte ^ b'"').min(byte ^ b'\\');
    let is_special = |any, byte: &u8| any | (difference(*byte) == 0);
    let any_special = |bytes: &[u8; 16]| bytes.iter().fold(false, is_special);
    match url.last_chunk() {
        // The last ones are looked at twice.
        Some(last) => !url.as_chunks().0.iter().any(any_special) && !any_special(last),
        None => !url.iter().fold(false, is_special),
    }
}

/// Writes a part of a URL, which is ASCII without control characters.
fn write_escaped(json: &mut impl Write, text: &str) -> io::Result<()> {
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            json.write_all(b"\\")?;
        }
        json.write_all(&[byte])?;
    }
    Ok(())
}

/// The two digits of each number below a hundred.
static PAIRS_OF_DIGITS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Writes a number in decimal.
#[inline]
fn write_number(json: &mut impl Write, mut number: u64) -> io::Result<()> {
    let mut pairs = [[0; 2]; 10];
    let mut first = pairs.len() - 1;
    while number >= 100 {
        pairs[first] = PAIRS_OF_DIGITS[(number % 100) as usize];
        number /= 100;
        first -= 1;
    }
    pairs[first] = PAIRS_OF_DIGITS[number as usize];
    let digits = pairs[first..].as_flattened();
    json.write_all(&digits[usize::from(number < 10)..])
}

#[cfg(test)]
mod tests;
