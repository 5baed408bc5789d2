//! Untrusted JSON objects.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::encoding::without_byte_order_mark;

/// Members of a JSON object, without duplicates, as with two access tokens the intended one is
/// unknown.
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl Members {
    /// Parses a body or a file, which may begin with a byte order mark.
    pub(crate) fn from_slice(json: &[u8]) -> serde_json::Result<Map<String, Value>> {
        serde_json::from_slice(without_byte_order_mark(json)).map(|Self(members)| members)
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

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom("duplicate member"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_once() {
        let read = |text: &str| Members::from_slice(text.as_bytes()).ok();
        for text in [r#"{"a":1,"b":{"a":2}}"#, "\u{feff} {\"b\":{\"a\":2}}"] {
            assert_eq!(read(text).expect("an object")["b"]["a"], 2);
        }
        for text in ["", "[]", "null", "7", r#"{"a":1,"a":1}"#, "{} {}", "{"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
