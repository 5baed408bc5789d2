//! JSON Web Keys.
//!
//! [RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Algorithm, header::json, public_key::PublicKey},
    json::Object,
    secret::Secret,
};

/// Members of a key that are secret, including `priv` of future key types.
///
/// [RFC 7518 section 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// JSON Web Key: a public key, a private key, or a shared secret.
///
/// Unknown members are kept. The private ones are kept apart, and only `Serialize` writes them;
/// [`public`](Self::public) removes them. A public key is parsed once and written as RFC 7518 has
/// it, also if some server put zeros before the numbers of an RSA key, or left them out of a
/// coordinate.
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
    /// The key that its members were parsed to, unless they are invalid or those of a secret.
    public_key: Option<PublicKey>,
    key_id: Option<Box<str>>,
    algorithm: Option<Box<str>>,
    public_key_use: Option<Box<str>>,
    /// All other members except the private ones.
    others: Object,
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
        let members = Object::from_slice(json).map_err(|_error| {
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
        match &self.public_key {
            Some(key) => key.key_type().kty(),
            None => self
                .others
                .get("kty")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        }
    }

    /// `kid`, the identifier of the key.
    ///
    /// [RFC 7517 section 4.5](https://www.rfc-editor.org/rfc/rfc7517#section-4.5)
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `alg`, the intended algorithm, as the server spells it.
    ///
    /// [RFC 7517 section 4.4](https://www.rfc-editor.org/rfc/rfc7517#section-4.4)
    pub fn algorithm(&self) -> Option<&str> {
        self.algorithm.as_deref()
    }

    /// `use`, the intended use: `sig` or `enc`.
    ///
    /// [RFC 7517 section 4.2](https://www.rfc-editor.org/rfc/rfc7517#section-4.2)
    pub fn public_key_use(&self) -> Option<&str> {
        self.public_key_use.as_deref()
    }

    /// Any other member that is neither private nor part of the key itself, such as `x5t`.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.others.get(member)
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
        Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, &json(&self.required_members()?))))
    }

    /// The required members of the key, in the order of Unicode: all there is in a thumbprint, and
    /// in a DPoP proof.
    pub(crate) fn required_members(&self) -> Result<Map<String, Value>> {
        // "only the required members of a key's representation are used", in the order of Unicode.
        let names: &[&str] = match self.key_type() {
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
            let secret = self.secret(name).map(Cow::Borrowed);
            let value = self.text(name).or(secret);
            let value = value.ok_or_else(|| self.missing_member(name))?;
            members.insert((*name).to_owned(), value.into());
        }
        Ok(members)
    }

    /// The public key of a key pair.
    pub(super) fn of(key: &PublicKey, algorithm: Algorithm, key_id: Option<&str>) -> Self {
        Self {
            public_key: Some(key.clone()),
            key_id: key_id.map(Into::into),
            algorithm: Some(algorithm.as_str().into()),
            public_key_use: Some("sig".into()),
            others: Object::default(),
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

    /// The public key, if its members are valid.
    pub(super) fn parsed(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// The text of a member that is part of the key.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let Some(key) = &self.public_key else {
            return self.others.get(name)?.as_str().map(Cow::Borrowed);
        };
        let mut members = key.members().into_iter();
        members.find_map(|(given, value)| (given == name).then_some(value))
    }

    pub(super) fn secret(&self, name: &str) -> Option<&str> {
        let found = self.private.iter().find(|(given, _)| *given == name);
        found.map(|(_, secret)| secret.expose_secret())
    }

    pub(super) fn missing_member(&self, member: &str) -> Error {
        Error::usage(format!(
            "the JWK of type {} has no {member}, or one that is empty or not base64url",
            self.key_type()
        ))
    }

    /// The key with these members, or why they are not a key.
    pub(super) fn from_members(mut members: Object) -> Result<Self, String> {
        if !members.get("kty").is_some_and(Value::is_string) {
            return Err("the JWK has no kty".to_owned());
        }
        let mut take = |name| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.into_boxed_str())),
            Some(_) => Err(format!("the member {name} of the JWK is not a string")),
        };
        let (key_id, algorithm, public_key_use) = (take("kid")?, take("alg")?, take("use")?);
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
        let mut jwk = Self {
            public_key: None,
            key_id,
            algorithm,
            public_key_use,
            others: members,
            private,
        };
        if let Ok(key) = jwk.parse_public_key() {
            for (name, _) in key.members() {
                jwk.others.remove(name);
            }
            jwk.public_key = Some(key);
        }
        jwk.others.shrink_to_fit();
        Ok(jwk)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.public_key.iter().flat_map(PublicKey::members) {
            map.serialize_entry(name, &value)?;
        }
        for (name, value) in [
            ("kid", &self.key_id),
            ("alg", &self.algorithm),
            ("use", &self.public_key_use),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in self.others.iter() {
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
        Self::from_members(Object::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Omits the private members.
impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("key_type", &self.key_type())
            .field("key_id", &self.key_id())
            .field("algorithm", &self.algorithm())
            .field("private", &self.is_private())
            .finish_non_exhaustive()
    }
}
