//! Header of a signed token.
//!
//! [RFC 7515 section 4](https://www.rfc-editor.org/rfc/rfc7515#section-4)

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, SigningInput, jws::encoded_header},
    json::{Object, object_from_slice},
};

/// The name of EdDSA with Ed25519, beside which there is EdDSA with Ed448.
const FULLY_SPECIFIED: &str = "Ed25519";

/// Header of a signed token: the algorithm, the key identifier, the type of token.
///
/// ```
/// use oauth_twin::jose::{Algorithm, Header};
///
/// let header = Header::new(Algorithm::RS256).with_typ("JWT").with_key_id("1").with("x", 7);
/// assert_eq!(header.key_id(), Some("1"));
/// let input = header.signing_input(b"{}")?;
/// assert_eq!(
///     input.as_str(),
///     "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJKV1QiLCJ4Ijo3fQ.e30",
/// );
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7515 section 4.1](https://www.rfc-editor.org/rfc/rfc7515#section-4.1)
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    algorithm: Algorithm,
    /// Whether `alg` is another name of the algorithm, of RFC 9864.
    is_fully_specified: bool,
    /// All members except `alg`.
    members: Object,
}

impl Header {
    /// Makes a header with `alg` only.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            is_fully_specified: false,
            members: Object::default(),
        }
    }

    /// Sets `kid`, the identifier of the key.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.members.insert("kid", key_id.into().into());
        self
    }

    /// Sets `typ`, the type of token.
    #[must_use]
    pub fn with_typ(mut self, typ: impl Into<String>) -> Self {
        self.members.insert("typ", typ.into().into());
        self
    }

    /// Sets any other member. `alg` is left unchanged, except to another name of the same algorithm:
    /// `Ed25519` for `EdDSA`.
    ///
    /// [RFC 9864 section 2.2](https://www.rfc-editor.org/rfc/rfc9864#section-2.2)
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        if name != "alg" {
            self.members.insert(name, value);
        } else if self.algorithm == Algorithm::EdDSA {
            self.is_fully_specified = value == FULLY_SPECIFIED;
        }
        self
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`, the identifier of the key.
    pub fn key_id(&self) -> Option<&str> {
        self.get("kid")?.as_str()
    }

    /// `typ`, the type of token.
    pub fn typ(&self) -> Option<&str> {
        self.get("typ")?.as_str()
    }

    /// Any other member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The input of the signature: this header and `payload`.
    ///
    /// # Errors
    ///
    /// If it has a `crit`: this crate supports no critical extensions.
    ///
    /// [RFC 7515 section 5.1](https://www.rfc-editor.org/rfc/rfc7515#section-5.1)
    pub fn signing_input(&self, payload: &[u8]) -> Result<SigningInput> {
        Ok(SigningInput::new(&self.encode()?, payload))
    }

    /// The encoded form in a token, with the dot after it.
    pub(crate) fn encode(&self) -> Result<String> {
        if self.members.get("crit").is_some() {
            return Err(Error::usage(
                "the header has a crit, and no critical extensions are supported; remove it",
            ));
        }
        Ok(encoded_header(&json(&CompleteHeader(self))))
    }

    /// The header of a received token, or why it cannot be trusted.
    pub(super) fn received(json: &[u8]) -> Result<Self, String> {
        let Ok(mut members) = object_from_slice::<Object>(json) else {
            return Err("the header is not a JSON object, or has a duplicate member".to_owned());
        };
        let Some(Value::String(algorithm)) = members.remove("alg") else {
            return Err("the header has no alg".to_owned());
        };
        // "If any of the listed extension Header Parameters are not understood and supported by
        // the recipient, then the JWS is invalid."
        if members.get("crit").is_some() {
            return Err("the header has a critical extension, and none is supported".to_owned());
        }
        for name in ["kid", "typ"] {
            if members.get(name).is_some_and(|value| !value.is_string()) {
                return Err(format!("the member {name} of the header is not a string"));
            }
        }
        Ok(Self {
            is_fully_specified: algorithm == FULLY_SPECIFIED,
            algorithm: Algorithm::named(&algorithm)?,
            members,
        })
    }
}

/// Header with all members, `alg` included.
struct CompleteHeader<'a>(&'a Header);

impl Serialize for CompleteHeader<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut all = to.serialize_map(None)?;
        let algorithm = match self.0.is_fully_specified {
            true => FULLY_SPECIFIED,
            false => self.0.algorithm.as_str(),
        };
        all.serialize_entry("alg", algorithm)?;
        for (name, value) in self.0.members.iter() {
            all.serialize_entry(name, value)?;
        }
        all.end()
    }
}

/// Serialises `members` to JSON.
pub(super) fn json(members: &impl Serialize) -> Vec<u8> {
    // Enough for most claims.
    let mut json = Vec::with_capacity(512);
    // An object with strings as keys always serialises.
    let _ = serde_json::to_writer(&mut json, members);
    json
}
