//! Conversion of JWKs to keys.
//!
//! [RFC 7518 section 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rsa;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    jose::{
        Algorithm, Jwk,
        algorithm::KeyType,
        private_key::{PrivateKey, padded},
        public_key::PublicKey,
    },
};

impl Jwk {
    /// Checks that the key has a public key that this crate can use.
    pub(crate) fn check_public_key(&self) -> Result<()> {
        self.public_key().map(drop)
    }

    /// The public key, which an invalid JWK has not got.
    pub(super) fn public_key(&self) -> Result<Cow<'_, PublicKey>> {
        match self.parsed() {
            Some(key) => Ok(Cow::Borrowed(key)),
            None => self.parse_public_key().map(Cow::Owned),
        }
    }

    /// Parses the public key of its members.
    pub(super) fn parse_public_key(&self) -> Result<PublicKey> {
        match self.kind()? {
            KeyType::Rsa => PublicKey::rsa(&self.number("n")?, &self.number("e")?),
            KeyType::Ed25519 => PublicKey::point(KeyType::Ed25519, &self.number("x")?),
            curve => PublicKey::point(curve, &self.point(curve)?),
        }
    }

    /// The public key for signatures by `algorithm`, or why it is not for them.
    pub(super) fn verifier(&self, algorithm: Algorithm) -> Result<Cow<'_, PublicKey>, String> {
        self.check_use(algorithm, "verify")?;
        let key = self.public_key().map_err(|error| error.to_string())?;
        key.check_type(algorithm)?;
        Ok(key)
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
        if let Some(key) = self.parsed() {
            return Ok(key.key_type());
        }
        match (self.key_type(), self.text("crv").as_deref()) {
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

    /// The bytes of a member in base64url, of which there is one at least.
    fn number(&self, name: &str) -> Result<Zeroizing<Vec<u8>>> {
        let secret = self.secret(name).map(Cow::Borrowed);
        let text = secret.or_else(|| self.text(name));
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text.as_bytes()).ok());
        bytes
            .filter(|bytes| !bytes.is_empty())
            .map(Zeroizing::new)
            .ok_or_else(|| self.missing_member(name))
    }
}

impl PublicKey {
    /// The members of a JWK that make up the key, with `kty`.
    ///
    /// [RFC 7518 section 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)
    pub(super) fn members(&self) -> Vec<(&'static str, Cow<'static, str>)> {
        let encoded = |bytes: &[u8]| Cow::Owned(URL_SAFE_NO_PAD.encode(bytes));
        match self {
            Self::Rsa { n, e } => {
                vec![("kty", "RSA".into()), ("n", encoded(n)), ("e", encoded(e))]
            }
            Self::Point(KeyType::Ed25519, point) => vec![
                ("kty", "OKP".into()),
                ("crv", "Ed25519".into()),
                ("x", encoded(point)),
            ],
            Self::Point(curve, point) => {
                // After the byte that marks an uncompressed point.
                let (x, y) = point[1..].split_at(point.len() / 2);
                let name = match curve {
                    KeyType::P384 => "P-384",
                    _ => "P-256",
                };
                vec![
                    ("kty", "EC".into()),
                    ("crv", name.into()),
                    ("x", encoded(x)),
                    ("y", encoded(y)),
                ]
            }
        }
    }
}

/// The number without leading zeros, which some implementations write.
fn trimmed(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0);
    &number[start.unwrap_or(number.len())..]
}
