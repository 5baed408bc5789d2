//! Conversion of JWKs to keys.
//!
//! [RFC 7518 section 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rsa;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    jose::{
        Jwk,
        algorithm::KeyType,
        private_key::{PrivateKey, padded},
        public_key::PublicKey,
    },
};

impl Jwk {
    pub(super) fn public_key(&self) -> Result<PublicKey> {
        match self.kind()? {
            KeyType::Rsa => PublicKey::rsa(&self.number("n")?, &self.number("e")?),
            KeyType::Ed25519 => PublicKey::point(KeyType::Ed25519, &self.number("x")?),
            curve => PublicKey::point(curve, &self.point(curve)?),
        }
    }

    pub(super) fn private_key(&self) -> Result<PrivateKey> {
        let kind = self.kind()?;
        if self.secret("d").is_none() {
            return Err(Error::usage(
                "the JWK is a public key, which cannot sign; pass the private \
                key",
            ));
        }
        match kind {
            KeyType::Rsa => {
                // "if the producer includes any of the other private key parameters, then all of
                // the others MUST be present"; ring needs them.
                let [n, e] = [self.number("n")?, self.number("e")?];
                let [d, p, q, dp, dq, qi] =
                    ["d", "p", "q", "dp", "dq", "qi"].map(|name| self.number(name));
                let (d, p, q, dp, dq, qi) = (d?, p?, q?, dp?, dq?, qi?);
                PrivateKey::rsa(&rsa::KeyPairComponents {
                    public_key: rsa::PublicKeyComponents {
                        n: trimmed(&n),
                        e: trimmed(&e),
                    },
                    d: trimmed(&d),
                    p: trimmed(&p),
                    q: trimmed(&q),
                    dP: trimmed(&dp),
                    dQ: trimmed(&dq),
                    qInv: trimmed(&qi),
                })
            }
            KeyType::Ed25519 => {
                let public = self.number("x")?;
                PrivateKey::ed25519(&self.number("d")?, Some(&public))
            }
            curve => PrivateKey::ec(curve, &self.number("d")?, &self.point(curve)?),
        }
    }

    /// The bytes of a shared secret (`k`).
    pub(super) fn shared_secret(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self.key_type() {
            "oct" => self.number("k"),
            _ => Err(Error::usage(
                "the JWK is not a shared secret (its kty is not oct)",
            )),
        }
    }

    /// The type of an asymmetric key.
    pub(super) fn kind(&self) -> Result<KeyType> {
        match (self.key_type(), self.text("crv")) {
            ("RSA", _) => Ok(KeyType::Rsa),
            ("EC", Some("P-256")) => Ok(KeyType::P256),
            ("EC", Some("P-384")) => Ok(KeyType::P384),
            ("OKP", Some("Ed25519")) => Ok(KeyType::Ed25519),
            ("EC" | "OKP", Some(_)) => Err(Error::usage(
                "the curve of the JWK (crv) is not supported; use P-256, P-384 or Ed25519",
            )),
            ("EC" | "OKP", None) => Err(self.missing_member("crv")),
            ("oct", _) => Err(Error::usage(
                "the JWK is a shared secret, which is only for HS256, HS384 and HS512",
            )),
            _ => Err(Error::usage(
                "the type of the JWK (kty) is unknown; use RSA, EC, OKP or oct",
            )),
        }
    }

    /// The uncompressed point of `x` and `y`.
    fn point(&self, curve: KeyType) -> Result<Vec<u8>> {
        let length = curve.coordinate().unwrap_or_default();
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = padded(&self.number(name)?, length);
            point.extend_from_slice(&coordinate.ok_or_else(|| self.missing_member(name))?);
        }
        Ok(point)
    }

    /// The bytes of a member in base64url.
    fn number(&self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let text = self.text(name).or_else(|| self.secret(name));
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        bytes
            .map(Zeroizing::new)
            .ok_or_else(|| self.missing_member(name))
    }
}

/// The number without leading zeros, which some implementations write.
fn trimmed(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0);
    &number[start.unwrap_or(number.len())..]
}
