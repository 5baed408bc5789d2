//! Sets of keys.
//!
//! [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Header, Jwk, VerifyingKey};
use crate::{error::Result, json::Members};

/// The keys that a server publishes (`jwks_uri`), or that a client registers.
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys. Take care that they are public if the set is to be.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
        }
    }

    /// All of its keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The first key of that `kid`.
    pub fn find(&self, key_id: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.key_id() == Some(key_id))
    }

    /// The keys that may have signed a token with this header: those of its `kid`, or where it has
    /// none those of its algorithm; and in any case only those that are there for signatures by
    /// this algorithm. Shared secrets are none of them.
    pub(super) fn verifying_keys(
        &self,
        header: &Header,
    ) -> impl Iterator<Item = Result<VerifyingKey>> {
        let (algorithm, key_id) = (header.algorithm(), header.key_id());
        self.keys
            .iter()
            .filter(move |key| !algorithm.is_symmetric() && key.key_type() != "oct")
            .filter(move |key| key_id.is_none_or(|key_id| key.key_id() == Some(key_id)))
            .filter(move |key| key.check_use(algorithm, "verify").is_ok())
            .filter(move |key| key.kind().is_ok_and(|kind| kind == algorithm.key_type()))
            .map(move |key| VerifyingKey::from_jwk(algorithm, key))
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Members(mut members) = Members::deserialize(deserializer)?;
        let Some(Value::Array(keys)) = members.remove("keys") else {
            return Err(serde::de::Error::missing_field("keys"));
        };
        // "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key type) values
        // that are not understood by them, that are missing required members, or for which values
        // are out of the supported ranges."
        let keys = keys.into_iter().filter_map(|key| match key {
            Value::Object(members) => Jwk::from_members(members).ok(),
            _ => None,
        });
        Ok(Self::new(keys))
    }
}
