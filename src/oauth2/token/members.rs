//! Members of a token's JSON object, read as leniently as servers require.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use super::{
    Token,
    bearer::as_bearer,
    refresh_expiry::note_expiry,
    value::{BEARER, TokenMembers, spelled},
};
use crate::{clock::Clock, wire::form::Form};

/// The last second of the year 9999. Later times cannot be told from "never" and might overflow.
pub(crate) const LATEST: u64 = 253_402_300_799;

impl Token {
    /// The token in a response that arrived at `now`, or why there is none.
    pub(crate) fn from_answer(
        mut members: Map<String, Value>,
        now: Duration,
    ) -> Result<Self, String> {
        let now = now.as_secs();
        let expires_in = ExpiresIn::take(&mut members);
        let expires_at = take_time(&mut members, "expires_at");
        // The server must not set these members.
        members.remove("issued_at");
        members.remove("refresh_parameters");
        note_expiry(&mut members, now);
        // The server's clock may differ from ours, so relative times take precedence.
        let expires_at = expires_in
            .map(|expires_in| expires_in.from(now))
            .or(expires_at);
        Self::from_members(members, Some(now), expires_at)
    }

    /// The token that was stored as `members`, or why they are invalid.
    pub(super) fn from_stored(mut members: Map<String, Value>) -> Result<Self, String> {
        let expires_in = ExpiresIn::take(&mut members);
        let expires_at = take_time(&mut members, "expires_at");
        let issued_at = take_time(&mut members, "issued_at");
        let refresh_parameters = take_text(&mut members, "refresh_parameters")?;
        // A response that was stored as received is treated as received now.
        let expires_at = expires_at.or_else(|| {
            let issued_at = issued_at.unwrap_or_else(|| Clock::system().unix().as_secs());
            Some(expires_in?.from(issued_at))
        });
        let token = Self::from_members(members, issued_at, expires_at)?;
        let parameters = refresh_parameters.as_deref().unwrap_or_default();
        Ok(token.with_refresh_parameters(Form::decode(parameters)))
    }

    fn from_members(
        mut members: Map<String, Value>,
        issued_at: Option<u64>,
        expires_at: Option<u64>,
    ) -> Result<Self, String> {
        let access_token =
            take_text(&mut members, "access_token")?.ok_or("the response has no access_token")?;
        // RFC 6749 requires a token_type. Facebook, Slack and Stack Exchange send none.
        let token_type = take_text(&mut members, "token_type")?;
        let refresh_token = take_text(&mut members, "refresh_token")?;
        let id_token = take_text(&mut members, "id_token")?;
        Ok(Self::from(TokenMembers {
            access_token: as_bearer(&access_token.into()),
            token_type: token_type.map_or(BEARER.into(), spelled),
            refresh_token: refresh_token.map(Into::into),
            id_token: id_token.map(Into::into),
            scope: take_scope(&mut members)?,
            expires_at,
            issued_at,
            refresh_parameters: Form::new(),
            extra: members,
        }))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = &*self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", members.access_token.expose_secret())?;
        map.serialize_entry("token_type", &members.token_type)?;
        for (name, value) in [
            ("refresh_token", &members.refresh_token),
            ("id_token", &members.id_token),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value.expose_secret())?;
            }
        }
        if let Some(scope) = &members.scope {
            map.serialize_entry("scope", scope)?;
        }
        for (name, value) in [
            ("expires_at", members.expires_at),
            ("issued_at", members.issued_at),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        if !members.refresh_parameters.is_empty() {
            let parameters = members.refresh_parameters.encode();
            map.serialize_entry("refresh_parameters", parameters.expose_secret())?;
        }
        for (name, value) in &members.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_stored(Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Removes a string; none if it is absent, null or empty.
pub(crate) fn take_text(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<String>, String> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("the member {name} is not a string")),
    }
}

/// Member `expires_in`.
enum ExpiresIn {
    Seconds(u64),
    /// A negative number: the token has expired.
    Over,
}

impl ExpiresIn {
    fn take(members: &mut Map<String, Value>) -> Option<Self> {
        let seconds = number(&members.remove("expires_in")?)?;
        Some(match seconds < 0.0 {
            true => Self::Over,
            false => Self::Seconds(seconds as u64),
        })
    }

    /// The expiry of a token that was issued at `issued_at`.
    fn from(self, issued_at: u64) -> u64 {
        match self {
            Self::Seconds(seconds) => issued_at.saturating_add(seconds).min(LATEST),
            Self::Over => issued_at.saturating_sub(1),
        }
    }
}

/// Removes a time in seconds since 1970. Apigee and others send milliseconds: a number that would be
/// after the year 9999 in seconds is read as such.
fn take_time(members: &mut Map<String, Value>, name: &str) -> Option<u64> {
    time(&members.remove(name)?)
}

/// The time that a value stands for.
pub(crate) fn time(value: &Value) -> Option<u64> {
    // Casts of floats saturate: a negative number becomes 0, a large one the maximum.
    let time = number(value)? as u64;
    let seconds = if time > LATEST { time / 1000 } else { time };
    Some(seconds.min(LATEST))
}

/// The number that a value stands for. Facebook and others send `expires_in` as a string, PayPal did;
/// floats occur, too. An unreadable value counts as absent: the token is still usable.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number: f64 = match value {
        // Whole numbers up to 2^53 are exact as floats, and later times are all the same.
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}

/// Removes the scope. Twitch sends an array instead of words separated by spaces.
pub(crate) fn take_scope(members: &mut Map<String, Value>) -> Result<Option<String>, String> {
    match members.remove("scope") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(scope)) => Ok(Some(scope).filter(|scope| !scope.trim().is_empty())),
        Some(Value::Array(scopes)) => scopes
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .map(|scopes| Some(scopes.join(" ")).filter(|scope| !scope.is_empty()))
            .ok_or_else(|| "the member scope is not a list of strings".to_owned()),
        Some(_) => Err("the member scope is not a string".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(mut members: Value) -> Token {
        let members = members.as_object_mut().expect("an object");
        members.entry("access_token").or_insert("t".into());
        Token::from_answer(members.clone(), Duration::from_secs(1000)).expect("a token")
    }

    #[test]
    fn expires_in_as_number_string_or_float() {
        for (expires_in, expires_at) in [
            (json!(60), Some(1060)),
            (json!("60"), Some(1060)),
            (json!(" 60 "), Some(1060)),
            (json!("60.9"), Some(1060)),
            (json!(60.9), Some(1060)),
            (json!(0), Some(1000)),
            (json!(-5), Some(999)),
            (json!("-5"), Some(999)),
            (json!(-0.5), Some(999)),
            (json!(u64::MAX), Some(LATEST)),
            (json!(1e300), Some(LATEST)),
            (json!("99999999999999999999999999"), Some(LATEST)),
            (json!(null), None),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!([60]), None),
        ] {
            let token = answer(json!({ "expires_in": expires_in }));
            assert_eq!(token.expires_at_unix(), expires_at, "{expires_in}");
            assert_eq!(token.issued_at_unix(), Some(1000));
        }
    }

    #[test]
    fn milliseconds_are_recognised() {
        for (stored, expires_at) in [
            (
                json!({"expires_at": 1_420_262_924_658_u64}),
                Some(1_420_262_924),
            ),
            (json!({"expires_at": "1420262924658"}), Some(1_420_262_924)),
            (
                json!({"expires_in": "1799", "issued_at": "1420262924658"}),
                Some(1_420_264_723),
            ),
            (json!({"expires_at": LATEST}), Some(LATEST)),
            (json!({"expires_at": LATEST + 1}), Some(LATEST / 1000)),
            (json!({"expires_at": u64::MAX}), Some(LATEST)),
        ] {
            let mut stored = stored;
            stored["access_token"] = "t".into();
            let token: Token = serde_json::from_value(stored.clone()).expect("a token");
            assert_eq!(token.expires_at_unix(), expires_at, "{stored}");
        }
    }

    #[test]
    fn an_empty_scope_is_none() {
        for scope in [json!(""), json!(" "), json!([]), json!(null)] {
            assert_eq!(answer(json!({ "scope": scope })).scope(), None, "{scope}");
        }
    }

    #[test]
    fn relative_expiry_goes_before_the_server_s_clock() {
        assert_eq!(
            answer(json!({"expires_in": 5, "expires_at": 9})).expires_at_unix(),
            Some(1005)
        );
        assert_eq!(answer(json!({"expires_at": 9})).expires_at_unix(), Some(9));
    }

    #[test]
    fn lenient_members() {
        let token = answer(json!({"scope": ["a", "b"], "refresh_token": "", "id_token": null}));
        assert_eq!(token.scope(), Some("a b"));
        assert_eq!(token.token_type(), "Bearer");
        assert_eq!((token.refresh_token(), token.id_token()), (None, None));
    }

    #[test]
    fn what_is_no_token_is_refused_without_quoting_it() {
        for (members, word) in [
            (json!({}), "access_token"),
            (json!({"access_token": ""}), "access_token"),
            (json!({"access_token": null}), "access_token"),
            (json!({"access_token": 7_777_777}), "access_token"),
            (
                json!({"access_token": "t", "token_type": 7_777_777}),
                "token_type",
            ),
            (
                json!({"access_token": "t", "refresh_token": ["7777777"]}),
                "refresh_token",
            ),
            (json!({"access_token": "t", "scope": 7_777_777}), "scope"),
        ] {
            let text = members.to_string();
            let error = serde_json::from_value::<Token>(members)
                .expect_err(&text)
                .to_string();
            assert!(
                error.contains(word) && !error.contains("7777777"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn stored_tokens_read_back() {
        let token = answer(json!({"expires_in": 60, "refresh_token": "r", "scope": "a",
            "id_token": "i", "token_type": "bearer", "user": {"id": 1}}));
        let stored = serde_json::to_string(&token).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Token>(&stored).expect("a token"),
            token
        );
    }

    #[test]
    fn reads_what_authlib_stored() {
        let token: Token = serde_json::from_value(json!({
            "access_token": "t", "token_type": "Bearer", "expires_in": 864_000,
            "expires_at": 1_700_000_000, "refresh_token": "r",
        }))
        .expect("a token");
        assert_eq!(token.expires_at_unix(), Some(1_700_000_000));
        assert_eq!(token.issued_at_unix(), None);
        let float: Token =
            serde_json::from_value(json!({"access_token": "t", "expires_at": 1_700_000_000.25}))
                .expect("a token");
        assert_eq!(float.expires_at_unix(), Some(1_700_000_000));
    }

    #[test]
    fn debug_tells_no_secret() {
        let token = answer(
            json!({"access_token": "hunter2", "refresh_token": "hunter2",
            "id_token": "hunter2", "expires_in": 1, "nested_token": "hunter2"}),
        );
        assert_eq!(
            format!("{token:?}"),
            "Token { access_token: [redacted], token_type: \"Bearer\", \
             refresh_token: Some([redacted]), id_token: Some([redacted]), scope: None, \
             expires_at: Some(1001), issued_at: Some(1000), refresh_parameters: {}, other members: [\"nested_token\"] }"
        );
    }
}
