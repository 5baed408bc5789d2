//! JWK Sets.
//!
//! [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Header, Jwk, VerifyingKey, verifying_key::Material},
    json::Members,
};

/// Keys that a server publishes (`jwks_uri`) or a client registers. Each is parsed once.
///
/// ```
/// use oauth_twin::jose::JwkSet;
///
/// let set: JwkSet = serde_json::from_str(
///     r#"{"keys":[
///         {"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///         {"kty":"of the future","kid":"2"}
///     ]}"#,
/// )?;
/// assert_eq!(set.keys().len(), 2);
/// assert_eq!(set.find("1").unwrap().key_type(), "OKP");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)
#[derive(Clone, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    /// The parsed public key of each of them, if it has one.
    materials: Vec<Option<Arc<Material>>>,
}

impl JwkSet {
    /// Makes a set of these keys. Use [`Jwk::public`] for a set that is to be published.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        let keys: Vec<_> = keys.into_iter().collect();
        // A shared secret has no public key.
        let material = |key: &Jwk| Some(Arc::new(Material::Public(key.public_key().ok()?)));
        Self {
            materials: keys.iter().map(material).collect(),
            keys,
        }
    }

    /// Reads a JWK Set, such as the content of a file, which may begin with a byte order mark.
    ///
    /// ```
    /// use oauth_twin::jose::JwkSet;
    ///
    /// let set = JwkSet::from_slice(b"\xef\xbb\xbf{\"keys\":[]}")?;
    /// assert!(set.keys().is_empty());
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has a duplicate member, or has no `keys`.
    ///
    /// [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)
    pub fn from_slice(json: &[u8]) -> Result<Self> {
        // The error may quote the text.
        let members = Members::from_slice(json).ok();
        members.and_then(Self::from_members).ok_or_else(|| {
            Error::usage(
                "the JWK Set is not a JSON object with an array `keys`, or has a duplicate member",
            )
        })
    }

    fn from_members(mut members: Map<String, Value>) -> Option<Self> {
        let Some(Value::Array(keys)) = members.remove("keys") else {
            return None;
        };
        // "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key type) values
        // that are not understood by them, that are missing required members, or for which values
        // are out of the supported ranges."
        let keys = keys.into_iter().filter_map(|key| match key {
            Value::Object(members) => Jwk::from_members(members).ok(),
            _ => None,
        });
        Some(Self::new(keys))
    }

    /// All keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The first key with this `kid`.
    pub fn find(&self, key_id: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.key_id() == Some(key_id))
    }

    /// The keys that may have signed a token with this header: those with its `kid`, or all if it
    /// has none, as far as they are intended for signatures by its algorithm.
    pub(super) fn verifying_keys(&self, header: &Header) -> impl Iterator<Item = VerifyingKey> {
        let (algorithm, key_id) = (header.algorithm(), header.key_id());
        self.keys
            .iter()
            .zip(&self.materials)
            .filter(move |(key, _)| key_id.is_none_or(|key_id| key.key_id() == Some(key_id)))
            .filter(move |(key, _)| key.check_use(algorithm, "verify").is_ok())
            .filter_map(move |(_, material)| {
                let material = material.clone()?;
                let is_one = material.key_type() == algorithm.key_type();
                is_one.then(|| VerifyingKey::new(algorithm, material, key_id.map(str::to_owned)))
            })
    }
}

impl PartialEq for JwkSet {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JwkSet").field(&self.keys).finish()
    }
}

impl Serialize for JwkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut set = serializer.serialize_map(Some(1))?;
        set.serialize_entry("keys", &self.keys)?;
        set.end()
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Members(members) = Members::deserialize(deserializer)?;
        Self::from_members(members).ok_or_else(|| serde::de::Error::missing_field("keys"))
    }
}
