//! JSON Web Keys.
//!
//! [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Algorithm, algorithm::KeyType, header::json, public_key::PublicKey},
    json::Members,
    secret::Secret,
};

/// Members of a key that are secret, including `priv` of future key types.
///
/// [RFC 7518 section 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// JSON Web Key: a public key, a private key, or a shared secret.
///
/// Unknown members are kept. The private ones are kept apart, and only `Serialize` writes them;
/// [`public`](Self::public) removes them.
///
/// ```
/// use oauth_twin::jose::{Algorithm, Jwk, SigningKey};
///
/// // RFC 8037 appendix A.1.
/// let jwk: Jwk = serde_json::from_str(
///     r#"{"kty":"OKP","crv":"Ed25519",
///         "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
///         "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(jwk.thumbprint()?, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// let key = SigningKey::from_jwk(Algorithm::EdDSA, &jwk)?;
/// assert!(serde_json::to_value(jwk.public())?.get("d").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)
#[derive(Clone, PartialEq)]
pub struct Jwk {
    key_type: String,
    /// All members except the private ones.
    public: Map<String, Value>,
    private: Vec<(&'static str, Secret)>,
}

impl Jwk {
    /// Reads a key, such as the content of a file, which may begin with a byte order mark.
    ///
    /// ```
    /// use oauth_twin::jose::Jwk;
    ///
    /// let jwk = Jwk::from_slice(b"\xef\xbb\xbf{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}")?;
    /// assert_eq!(jwk.key_type(), "oct");
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has a duplicate member, or is not a JWK.
    ///
    /// [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)
    pub fn from_slice(json: &[u8]) -> Result<Self> {
        // The error may quote the text.
        let members = Members::from_slice(json).map_err(|_error| {
            Error::usage(
                "the JWK is not a JSON object, or has a duplicate \
                member",
            )
        })?;
        Self::from_members(members).map_err(Error::usage)
    }

    /// `kty`, the key type: `RSA`, `EC`, `OKP` or `oct`.
    ///
    /// [RFC 7517 section 4.1](https://www.rfc-editor.org/rfc/rfc7517#section-4.1)
    pub fn key_type(&self) -> &str {
        &self.key_type
    }

    /// `kid`, the identifier of the key.
    ///
    /// [RFC 7517 section 4.5](https://www.rfc-editor.org/rfc/rfc7517#section-4.5)
    pub fn key_id(&self) -> Option<&str> {
        self.text("kid")
    }

    /// `alg`, the intended algorithm, as the server spells it.
    ///
    /// [RFC 7517 section 4.4](https://www.rfc-editor.org/rfc/rfc7517#section-4.4)
    pub fn algorithm(&self) -> Option<&str> {
        self.text("alg")
    }

    /// `use`, the intended use: `sig` or `enc`.
    ///
    /// [RFC 7517 section 4.2](https://www.rfc-editor.org/rfc/rfc7517#section-4.2)
    pub fn public_key_use(&self) -> Option<&str> {
        self.text("use")
    }

    /// Any other member except the private ones.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.public.get(member)
    }

    /// Whether it has a private member, or is a shared secret.
    pub fn is_private(&self) -> bool {
        !self.private.is_empty()
    }

    /// The key without its private members. The remainder of a shared secret cannot verify
    /// anything.
    #[must_use]
    pub fn public(&self) -> Self {
        Self {
            private: Vec::new(),
            ..self.clone()
        }
    }

    /// The SHA-256 of the key's required members, in base64url. It is the same for every
    /// representation of a key, and so a good `kid`. The thumbprint of a shared secret reveals
    /// something about it.
    ///
    /// # Errors
    ///
    /// If the key type is unknown.
    ///
    /// [RFC 7638 section 3](https://www.rfc-editor.org/rfc/rfc7638#section-3)
    pub fn thumbprint(&self) -> Result<String> {
        // "only the required members of a key's representation are used", in the order of Unicode.
        let names: &[&str] = match &*self.key_type {
            "RSA" => &["e", "kty", "n"],
            "EC" => &["crv", "kty", "x", "y"],
            "OKP" => &["crv", "kty", "x"],
            "oct" => &["k", "kty"],
            _ => {
                return Err(Error::usage(
                    "the key type (kty) is unknown; RSA, EC, OKP and oct \
                have a thumbprint",
                ));
            }
        };
        let mut members = Map::new();
        for name in names {
            let value = self.text(name).or_else(|| self.secret(name));
            let value = value.ok_or_else(|| self.missing_member(name))?;
            members.insert((*name).to_owned(), value.into());
        }
        Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &json(&members))))
    }

    /// The public key of a key pair.
    pub(super) fn of(key: &PublicKey, algorithm: Algorithm, key_id: Option<&str>) -> Self {
        let mut public = Map::new();
        let mut put = |name: &str, bytes: &[u8]| {
            public.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(bytes).into());
        };
        let (key_type, curve) = match key {
            PublicKey::Rsa { n, e } => {
                put("n", n);
                put("e", e);
                ("RSA", None)
            }
            PublicKey::Point(KeyType::Ed25519, point) => {
                put("x", point);
                ("OKP", Some("Ed25519"))
            }
            PublicKey::Point(curve, point) => {
                // After the byte that marks an uncompressed point.
                let (x, y) = point[1..].split_at(point.len() / 2);
                put("x", x);
                put("y", y);
                let name = match curve {
                    KeyType::P384 => "P-384",
                    _ => "P-256",
                };
                ("EC", Some(name))
            }
        };
        for (name, value) in [
            ("kty", Some(key_type)),
            ("crv", curve),
            ("alg", Some(algorithm.as_str())),
            ("use", Some("sig")),
            ("kid", key_id),
        ] {
            if let Some(value) = value {
                public.insert(name.to_owned(), value.into());
            }
        }
        Self {
            key_type: key_type.to_owned(),
            public,
            private: Vec::new(),
        }
    }

    /// Checks that the key may be used with `algorithm` and for `operation`.
    ///
    /// [RFC 7517 section 4.3](https://www.rfc-editor.org/rfc/rfc7517#section-4.3)
    pub(super) fn check_use(&self, algorithm: Algorithm, operation: &str) -> Result<(), String> {
        if let Some(name) = self.algorithm()
            && Algorithm::named(name) != Ok(algorithm)
        {
            return Err(format!(
                "the key is intended for another algorithm than {algorithm} (alg)"
            ));
        }
        if self
            .public_key_use()
            .is_some_and(|purpose| purpose != "sig")
        {
            return Err("the key is not intended for signatures (use)".to_owned());
        }
        let operations = self.get("key_ops").and_then(Value::as_array);
        // A key that may sign can verify, too.
        let permits = |name: &Value| name == operation || name == "sign";
        if operations.is_some_and(|operations| !operations.iter().any(permits)) {
            return Err(format!("the key must not be used to {operation} (key_ops)"));
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(super) fn secret(&self, name: &str) -> Option<&str> {
        let found = self.private.iter().find(|(given, _)| *given == name);
        found.map(|(_, secret)| secret.expose_secret())
    }

    pub(super) fn missing_member(&self, member: &str) -> Error {
        Error::usage(format!(
            "the JWK of type {} has no {member}, or one that is not base64url",
            self.key_type
        ))
    }

    /// The key with these members, or why they are not a key.
    pub(super) fn from_members(mut members: Map<String, Value>) -> Result<Self, String> {
        let Some(Value::String(key_type)) = members.get("kty").cloned() else {
            return Err("the JWK has no kty".to_owned());
        };
        for name in ["kid", "alg", "use"] {
            if members.get(name).is_some_and(|value| !value.is_string()) {
                return Err(format!("the member {name} of the JWK is not a string"));
            }
        }
        let is_list = |value: &Value| {
            let list = value.as_array();
            list.is_some_and(|list| list.iter().all(Value::is_string))
        };
        if members.get("key_ops").is_some_and(|value| !is_list(value)) {
            return Err("the member key_ops of the JWK is not a list of strings".to_owned());
        }
        let mut private = Vec::new();
        for name in PRIVATE {
            match members.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => private.push((name, Secret::new(value))),
                Some(_) if name == "oth" => {
                    return Err("RSA keys of more than two primes are not supported".to_owned());
                }
                Some(_) => return Err(format!("the member {name} of the JWK is not a string")),
            }
        }
        Ok(Self {
            key_type,
            public: members,
            private,
        })
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.public.len() + self.private.len()))?;
        for (name, value) in &self.public {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in &self.private {
            map.serialize_entry(name, value.expose_secret())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Members(members) = Members::deserialize(deserializer)?;
        Self::from_members(members).map_err(de::Error::custom)
    }
}

/// Omits the private members.
impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("key_type", &self.key_type)
            .field("key_id", &self.key_id())
            .field("algorithm", &self.algorithm())
            .field("private", &self.is_private())
            .finish_non_exhaustive()
    }
}
