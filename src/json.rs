//! JSON objects as they come from outside.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The members of a JSON object, none of which may stand twice: which of two access tokens would
/// be meant?
pub(crate) struct Members(pub(crate) Map<String, Value>);

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
                        return Err(de::Error::custom("a member stands twice"));
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
        let read = |text: &str| serde_json::from_str::<Members>(text).ok();
        let members = read(r#"{"a":1,"b":{"a":2}}"#).expect("an object");
        assert_eq!(members.0["b"]["a"], 2);
        for text in ["", "[]", "null", "7", r#"{"a":1,"a":1}"#, "{} {}", "{"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
