//! Members of a token response.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    dpop::DPOP_NONCE,
    members::{BOUND, CERTIFICATE},
};
use crate::json::{self, NUMBER, expects_object, no_object};

/// Members that the clients themselves store with a token, and which a server must not set.
const CLIENTS_OWN: [&str; 6] = [
    "issued_at",
    "refresh_parameters",
    CERTIFICATE,
    "login_scope",
    BOUND,
    DPOP_NONCE,
];

/// Members of a token response, without those that a server must not set.
pub(crate) struct TokenAnswer {
    pub(super) known: KnownMembers,
    pub(super) others: Map<String, Value>,
}

impl TokenAnswer {
    /// The members of a body that is plainly a token: it has an access token and no `error`, and each
    /// member once. No map of all members is made, as most tokens have no other than the known ones.
    pub(crate) fn plain(body: &[u8]) -> Option<Self> {
        let answer: Self = json::from_slice(body).ok()?;
        let has_token = matches!(answer.known.access_token, Some(Value::String(_)));
        (has_token && !answer.others.contains_key("error")).then_some(answer)
    }

    /// The value of a member that a token has no place for.
    pub(crate) fn other(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }

    /// The members that stand beside the access token and cannot be read, so that they are left out.
    pub(crate) fn unreadable(&self) -> Vec<&'static str> {
        let is_text = |value: &Value| matches!(value, Value::Null | Value::String(_));
        let is_readable = |name, value: &Value| match (name, value) {
            ("scope", Value::Array(list)) => list.iter().all(Value::is_string),
            _ => is_text(value),
        };
        let KnownMembers {
            id_token,
            refresh_token,
            scope,
            ..
        } = &self.known;
        [
            ("id_token", id_token),
            ("refresh_token", refresh_token),
            ("scope", scope),
        ]
        .into_iter()
        .filter(|(name, value)| value.as_ref().is_some_and(|it| !is_readable(*name, it)))
        .map(|(name, _)| name)
        .collect()
    }
}

impl From<Map<String, Value>> for TokenAnswer {
    fn from(members: Map<String, Value>) -> Self {
        let (known, mut others) = KnownMembers::of(members);
        others.retain(|name, _| !CLIENTS_OWN.contains(&name.as_str()));
        Self { known, others }
    }
}

/// Members that a token has a place for.
#[derive(Default)]
pub(super) struct KnownMembers {
    pub(super) access_token: Option<Value>,
    pub(super) token_type: Option<Value>,
    pub(super) refresh_token: Option<Value>,
    pub(super) id_token: Option<Value>,
    pub(super) scope: Option<Value>,
    pub(super) expires_in: Option<Value>,
    pub(super) expires_at: Option<Value>,
}

impl KnownMembers {
    /// The known members and the others. One pass costs less than to look each of them up.
    pub(super) fn of(members: Map<String, Value>) -> (Self, Map<String, Value>) {
        let (mut known, mut others) = (Self::default(), Map::new());
        for (name, value) in members {
            match known.place(&name) {
                Some(place) => *place = Some(value),
                None => drop(others.insert(name, value)),
            }
        }
        (known, others)
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<Value>> {
        Some(match name {
            "access_token" => &mut self.access_token,
            "token_type" => &mut self.token_type,
            "refresh_token" => &mut self.refresh_token,
            "id_token" => &mut self.id_token,
            "scope" => &mut self.scope,
            "expires_in" => &mut self.expires_in,
            "expires_at" => &mut self.expires_at,
            _ => return None,
        })
    }
}

/// Leaves out members that a server must not set, and refuses those that stand twice.
impl<'de> Deserialize<'de> for TokenAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnswerVisitor;

        impl<'de> Visitor<'de> for AnswerVisitor {
            type Value = TokenAnswer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            expects_object!();

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenAnswer, A::Error> {
                let (mut known, mut others) = (KnownMembers::default(), Map::new());
                let mut left_out: [Option<Value>; CLIENTS_OWN.len()] = Default::default();
                while let Some(place) = map.next_key_seed(MemberName(&mut known))? {
                    let replaced = match place {
                        MemberPlace::Known(place) => place.replace(map.next_value()?),
                        MemberPlace::ClientsOwn(n) => left_out[n].replace(map.next_value()?),
                        MemberPlace::Other(name) => others.insert(name, map.next_value()?),
                    };
                    if replaced.is_some() {
                        return Err(de::Error::custom("duplicate member"));
                    }
                }
                Ok(TokenAnswer { known, others })
            }
        }

        deserializer.deserialize_any(AnswerVisitor)
    }
}

/// Place of a member by its name, which is not allocated if it is known.
enum MemberPlace<'a> {
    Known(&'a mut Option<Value>),
    /// By the position in `CLIENTS_OWN`.
    ClientsOwn(usize),
    Other(String),
}

struct MemberName<'a>(&'a mut KnownMembers);

impl<'de, 'a> DeserializeSeed<'de> for MemberName<'a> {
    type Value = MemberPlace<'a>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<MemberPlace<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for MemberName<'a> {
    type Value = MemberPlace<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<MemberPlace<'a>, E> {
        if let Some(place) = self.0.place(name) {
            return Ok(MemberPlace::Known(place));
        }
        match CLIENTS_OWN.iter().position(|own| *own == name) {
            Some(position) => Ok(MemberPlace::ClientsOwn(position)),
            None if name == NUMBER => Err(no_object()),
            None => Ok(MemberPlace::Other(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{json::Members, oauth2::token::Token};

    #[test]
    fn what_is_no_plain_token_is_read_as_a_whole() {
        for body in [
            "",
            "[]",
            "null",
            r#"{"access_token":"a""#,
            r#"{"access_token":"a"} x"#,
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":null}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a","error":null}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"access_token":"a","scope":null,"scope":"s"}"#,
            r#"{"access_token":"a","x":1,"\u0078":2}"#,
            r#"{"access_token":"a","issued_at":1,"issued_at":2}"#,
            r#"{"access_token":"a","$serde_json::private::Number":"7"}"#,
        ] {
            assert!(TokenAnswer::plain(body.as_bytes()).is_none(), "{body}");
        }
        for body in [
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","issued_at":1,"login_scope":"s"}"#,
            "\u{feff} {\"\\u0061ccess_token\":\"a\",\"scope\":null}",
        ] {
            assert!(TokenAnswer::plain(body.as_bytes()).is_some(), "{body}");
        }
    }

    #[test]
    fn members_of_another_kind_are_unreadable() {
        for (members, unreadable) in [
            (json!({"scope": null, "id_token": "i", "x": 7}), &[][..]),
            (json!({"scope": ["a", "b"], "expires_in": []}), &[]),
            (json!({"scope": ["a", 7]}), &["scope"]),
            (
                json!({"scope": 7, "refresh_token": ["r"], "id_token": {}, "token_type": 7}),
                &["id_token", "refresh_token", "scope"],
            ),
        ] {
            let Value::Object(members) = members else {
                panic!("an object")
            };
            assert_eq!(TokenAnswer::from(members.clone()).unreadable(), unreadable);
            let mut whole = members;
            whole.insert("access_token".to_owned(), "a".into());
            let body = serde_json::to_vec(&whole).expect("JSON");
            let plain = TokenAnswer::plain(&body).expect("a token");
            assert_eq!(plain.unreadable(), unreadable);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!(["a", "b"])),
            Just(json!({"a": 1})),
        ]
    }

    proptest! {
        #[test]
        fn a_plain_token_is_that_of_all_members(
            members in prop::collection::vec(
                (prop::sample::select(&[
                    "access_token", "token_type", "refresh_token", "id_token", "scope", "expires_in",
                    "expires_at", "error", "issued_at", "login_scope", "refresh_expires_in", "user", "user",
                    "$serde_json::private::Number",
                ][..]), value()),
                0..8,
            ),
        ) {
            let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
            let body = format!("{{\"access_token\":\"a\",{}}}", members.collect::<Vec<_>>().join(","));
            let whole = Members::from_slice(body.as_bytes());
            if let Some(plain) = TokenAnswer::plain(body.as_bytes()) {
                let whole = TokenAnswer::from(whole.expect("an object"));
                prop_assert_eq!(plain.unreadable(), whole.unreadable());
                let read = |answer| Token::from_answer::<TokenAnswer>(answer, Default::default());
                prop_assert_eq!(read(plain), read(whole));
            }
        }
    }
}
