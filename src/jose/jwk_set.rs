//! JWK Sets.
//!
//! [RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)

mod index;

use std::{
    fmt,
    hash::{BuildHasher as _, RandomState},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Header, Jwk, algorithm::KeyType},
    json::{Members, Object},
};
use index::KeyIndex;

/// Keys that a server publishes (`jwks_uri`) or a client registers. Each is parsed once, and found by
/// its `kid` in a time that does not depend on their number.
///
/// An entry that is not a key is passed over. One with a key that is not supported stays.
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
    keys: Box<[Jwk]>,
    by_key_id: KeyIndex,
    by_key_type: KeyIndex,
    random: RandomState,
    /// The entries that were passed over.
    invalid: Option<Invalid>,
}

/// Entries of a set that are not JWKs.
#[derive(Clone)]
struct Invalid {
    count: usize,
    /// The problem of the first of them.
    problem: Box<str>,
}

impl JwkSet {
    /// Makes a set of these keys. Use [`Jwk::public`] for a set that is to be published.
    pub fn new(keys: impl IntoIterator<Item = Jwk>) -> Self {
        let keys: Box<[_]> = keys.into_iter().collect();
        let random = RandomState::new();
        let buckets = keys.len().next_power_of_two();
        Self {
            by_key_id: KeyIndex::new(keys.len(), buckets, |position| {
                Some(bucket(&random, buckets, keys[position].key_id()?))
            }),
            // A shared secret has no public key.
            by_key_type: KeyIndex::new(keys.len(), KeyType::COUNT, |position| {
                Some(keys[position].parsed()?.key_type() as usize)
            }),
            keys,
            random,
            invalid: None,
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
        let mut invalid = None;
        let mut pass_over = |problem: String| {
            let first = Invalid {
                count: 0,
                problem: problem.into(),
            };
            invalid.get_or_insert(first).count += 1;
        };
        let keys = keys.into_iter().filter_map(|key| {
            let key = match key {
                Value::Object(members) => Jwk::from_members(Object::from(members)),
                _ => Err("it is not a JSON object".to_owned()),
            };
            key.map_err(&mut pass_over).ok()
        });
        let set = Self::new(keys);
        Some(Self { invalid, ..set })
    }

    /// All keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The first key with this `kid`.
    pub fn find(&self, key_id: &str) -> Option<&Jwk> {
        self.with_key_id(key_id).next()
    }

    fn with_key_id(&self, key_id: &str) -> impl Iterator<Item = &Jwk> {
        let bucket = bucket(&self.random, self.keys.len().next_power_of_two(), key_id);
        let keys = self.by_key_id.positions(bucket).map(|n| &self.keys[n]);
        // As text: servers have base64 and URLs there.
        keys.filter(move |key| key.key_id() == Some(key_id))
    }

    /// Whether a key may have signed a token with this header.
    pub(crate) fn has_key_for(&self, header: &Header) -> bool {
        let algorithm = header.algorithm();
        let fits = |key: &Jwk| key.verifier(algorithm).is_ok();
        match header.key_id() {
            Some(key_id) => self.with_key_id(key_id).any(fits),
            None => self.of_type(algorithm.key_type()).any(fits),
        }
    }

    fn of_type(&self, key_type: KeyType) -> impl Iterator<Item = &Jwk> {
        let positions = self.by_key_type.positions(key_type as usize);
        positions.map(|n| &self.keys[n])
    }

    /// Verifies a signature with the keys that may have made it: those with the `kid` of the
    /// header, or all if it has none, as far as they are intended for signatures by its algorithm.
    ///
    /// Several keys may have the same `kid`: "Different keys might use the same "kid" value ... if
    /// the keys have different "kty" (key type) values", and some servers list a key once for each
    /// `alg`.
    pub(super) fn verify(&self, header: &Header, message: &[u8], signature: &[u8]) -> Result<()> {
        let algorithm = header.algorithm();
        let with_key_id = header.key_id().map(|key_id| self.with_key_id(key_id));
        let of_type = (header.key_id().is_none()).then(|| self.of_type(algorithm.key_type()));
        let (mut tried, mut problem) = (false, None);
        let keys = with_key_id.into_iter().flatten();
        for key in keys.chain(of_type.into_iter().flatten()) {
            match key.verifier(algorithm) {
                Ok(key) if key.verifies(algorithm, message, signature) => return Ok(()),
                Ok(_) => tried = true,
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        Err(match tried {
            true => Error::untrusted("no key of the set has signed the token"),
            false => self.no_key(header, problem),
        })
    }

    /// The error for a token that no key fits: `problem` is that of the first with its `kid`.
    fn no_key(&self, header: &Header, problem: Option<String>) -> Error {
        let mut text = "no key of the set has the kid and the algorithm of the token".to_owned();
        let problem = problem.or_else(|| {
            // Without a kid any key that is not supported may have signed it.
            let mut keys = self.keys.iter().filter(|key| key.parsed().is_none());
            let key = keys.find(|_| header.key_id().is_none())?;
            key.verifier(header.algorithm()).err()
        });
        if let Some(problem) = problem {
            text.push_str(": ");
            text.push_str(&problem);
        }
        if let Some(Invalid { count, problem }) = &self.invalid {
            text.push_str(&format!(
                "; invalid entries in the set: {count} (the first: {problem})"
            ));
        }
        Error::untrusted(text)
    }
}

/// The bucket of a `kid`.
fn bucket(random: &RandomState, buckets: usize, key_id: &str) -> usize {
    // The remainder by a power of two.
    random.hash_one(key_id) as usize & (buckets - 1)
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
