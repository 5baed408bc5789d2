//! Proofs of the possession of a key, as a server reads them.
//!
//! [RFC 9449 section 4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3)

use std::time::{Duration, SystemTime};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use oauth_twin::{
    BoxError,
    jose::{Algorithm, Claims, Jwk, Jws, VerifyingKey},
};
use ring::digest::{SHA256, digest};
use serde_json::Value;

/// Those of FAPI 2.0.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Time for which a proof is new.
const LIFETIME: Duration = Duration::from_secs(60);

pub struct Proof {
    /// The thumbprint of the key that has signed it.
    pub thumbprint: String,
    claims: Claims,
}

impl Proof {
    /// Reads a proof that is signed by the key in it.
    pub fn read(proof: &str) -> Result<Self, BoxError> {
        let jws = Jws::parse(proof)?;
        let header = jws.header();
        if header.typ() != Some("dpop+jwt") || !ALGORITHMS.contains(&header.algorithm()) {
            return Err("it has another type or algorithm".into());
        }
        let jwk = header.get("jwk").cloned().unwrap_or_default();
        let jwk: Jwk = serde_json::from_value(jwk)?;
        let key = VerifyingKey::from_jwk(header.algorithm(), &jwk)?;
        Ok(Self {
            claims: Claims::from_slice(jws.verify(&key)?)?,
            thumbprint: jwk.thumbprint()?,
        })
    }

    /// Checks that it is new, and is for this request with this token.
    pub fn check(&self, method: &str, url: &str, token: Option<&str>) -> Result<(), BoxError> {
        let issued_at = self.claims.issued_at().ok_or("it has no time")?;
        let age = match SystemTime::now().duration_since(issued_at) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        for (holds, reason) in [
            (self.text("htm") == Some(method), "it is for another method"),
            (self.text("htu") == Some(url), "it is for another URL"),
            (
                self.text("ath") == token.map(hash).as_deref(),
                "it is for another token",
            ),
            (age < LIFETIME, "it is too old"),
        ] {
            if !holds {
                return Err(reason.into());
            }
        }
        Ok(())
    }

    /// The identifier, by which a proof is known that was used before.
    pub fn id(&self) -> Result<&str, BoxError> {
        Ok(self.claims.id().ok_or("it has no identifier")?)
    }

    pub fn nonce(&self) -> Option<&str> {
        self.text("nonce")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }
}

/// The SHA-256 hash of a text, in base64url.
pub fn hash(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
