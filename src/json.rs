//! Untrusted JSON objects.

pub(crate) mod number;

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::encoding::without_byte_order_mark;

/// Refuses all that is no object. The errors of serde itself show the value, and with it bring into
/// each program what formats a number.
macro_rules! expects_object {
    () => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Err($crate::json::no_object())
        }

        fn visit_seq<A: ::serde::de::SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err($crate::json::no_object())
        }
    };
}

pub(crate) use expects_object;

#[cold]
pub(crate) fn no_object<E: de::Error>() -> E {
    de::Error::custom("it is no JSON object")
}

/// Name by which serde_json passes a number on as an object, where any crate of the program turns on
/// its feature `arbitrary_precision`.
pub(crate) const NUMBER: &str = "$serde_json::private::Number";

/// Parses a body or a file that has to be an object, which may begin with a byte order mark.
pub(crate) fn from_slice<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    let json = without_byte_order_mark(json);
    let read = match std::str::from_utf8(json) {
        // Then not each string is checked by itself, which costs more than all of them at once.
        Ok(json) => serde_json::from_str(json),
        // The error says where it is.
        Err(_) => serde_json::from_slice(json),
    };
    only_object(json, read)
}

/// Parses a text that has to be an object.
pub(crate) fn object_from_slice<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    only_object(json, serde_json::from_slice(json))
}

/// What was read, if the text is an object whatever the features of serde_json.
fn only_object<T>(json: &[u8], read: serde_json::Result<T>) -> serde_json::Result<T> {
    match read {
        Ok(_) if !json.trim_ascii_start().starts_with(b"{") => Err(no_object()),
        read => read,
    }
}

/// Members of a JSON object, without duplicates, as with two access tokens the intended one is
/// unknown.
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// Parses a body or a file, which may begin with a byte order mark.
    pub(crate) fn from_slice(json: &[u8]) -> serde_json::Result<Map<String, Value>> {
        from_slice(json).map(|Self(members)| members)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            expects_object!();

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if name == NUMBER {
                        return Err(no_object());
                    }
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom("duplicate member"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_any(Once)
    }
}

/// Names of members that most tokens or keys have, sorted. They are not allocated.
const COMMON_NAMES: [&str; 32] = [
    "acr",
    "alg",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "cnf",
    "crv",
    "e",
    "email",
    "exp",
    "iat",
    "iss",
    "jti",
    "key_ops",
    "kid",
    "kty",
    "n",
    "name",
    "nbf",
    "nonce",
    "scope",
    "sid",
    "sub",
    "typ",
    "use",
    "x",
    "x5c",
    "x5t",
    "y",
];

/// Initial capacity, in members: most tokens have no more.
const MEMBERS: usize = 8;

/// Members of a JSON object like [`Members`], without an allocation for each of the common names.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Object(
    /// Sorted by name.
    MemberList,
);

type MemberList = Vec<(Cow<'static, str>, Value)>;

impl Object {
    /// Parses a body or a file, which may begin with a byte order mark.
    pub(crate) fn from_slice(json: &[u8]) -> serde_json::Result<Self> {
        object_from_slice(without_byte_order_mark(json))
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(given, _)| (**given).cmp(name))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        Some(&self.0[self.position(name).ok()?].1)
    }

    /// Adds a member, or replaces that of the same name.
    pub(crate) fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.position(&name) {
            Ok(position) => self.0[position].1 = value,
            Err(position) => {
                if self.0.is_empty() {
                    self.0.reserve(MEMBERS);
                }
                self.0.insert(position, (name, value));
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        let position = self.position(name).ok()?;
        Some(self.0.remove(position).1)
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

/// The object of members whose names differ.
impl From<Map<String, Value>> for Object {
    fn from(members: Map<String, Value>) -> Self {
        let members = members.into_iter();
        let members = members.map(|(name, value)| (common(name), value));
        Self(sorted(members.collect()))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor {
            repeats_values: false,
        })
    }
}

/// Members of a JSON object that was signed, where a duplicate has the same value: Keycloak repeats
/// members of its JWTs.
pub(crate) struct ConsistentObject(pub(crate) Object);

impl<'de> Deserialize<'de> for ConsistentObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ObjectVisitor {
            repeats_values: true,
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

struct ObjectVisitor {
    /// Whether a member may stand more than once with the same value.
    repeats_values: bool,
}

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    expects_object!();

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = Vec::with_capacity(MEMBERS);
        while let Some((Name(name), value)) = map.next_entry::<Name, Value>()? {
            if name == NUMBER {
                return Err(no_object());
            }
            members.push((name, value));
        }
        let object = self.object(members);
        object.ok_or_else(|| de::Error::custom("duplicate member"))
    }
}

impl ObjectVisitor {
    /// The object of `members`, unless one stands twice that must not.
    fn object(&self, members: MemberList) -> Option<Object> {
        // All at once: an insertion in order takes time by the square of a number that the sender
        // chooses.
        let mut members = sorted(members);
        if self.repeats_values {
            members.dedup();
        }
        let is_repeated = members.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (!is_repeated).then_some(Object(members))
    }
}

fn sorted(mut members: MemberList) -> MemberList {
    members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    members
}

/// Name of a member.
struct Name(Cow<'static, str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(common(name)))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The name, allocated only if it is not one of the common ones.
fn common(name: impl AsRef<str> + Into<String>) -> Cow<'static, str> {
    match COMMON_NAMES.binary_search(&name.as_ref()) {
        Ok(position) => Cow::Borrowed(COMMON_NAMES[position]),
        Err(_) => Cow::Owned(name.into()),
    }
}

#[cfg(test)]
mod tests;
