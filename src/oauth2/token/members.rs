//! Members of a token's JSON object, read as leniently as servers require.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use super::{
    Token, date,
    dpop::DPOP_NONCE,
    refresh_expiry::note_expiry,
    value::{Rest, Seconds, TokenMembers, TokenType},
};
use crate::{
    clock::Clock,
    oauth2::provider::quirks::{EXPIRES_AT, ISSUED_AT},
    wire::form::Form,
};

/// The last second of the year 9999. Later times cannot be told from "never" and might overflow.
pub(crate) const LATEST: u64 = 253_402_300_799;
/// Member of a stored token: the thumbprint of the certificate that it is bound to.
const CERTIFICATE: &str = "certificate_thumbprint";

/// The member of a token that says to which server and registration it belongs.
pub(crate) const BOUND: &str = "oauth_twin_client";

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
        members.remove(CERTIFICATE);
        members.remove("login_scope");
        members.remove(BOUND);
        members.remove(DPOP_NONCE);
        note_expiry(&mut members, now);
        // The server's clock may differ from ours, so relative times take precedence.
        let expires_at = expires_in
            .map(|expires_in| expires_in.from(now))
            .or(expires_at);
        Self::from_members(members, Some(now), expires_at)
    }

    /// The token that was stored as `members`, perhaps by another library, or why they are invalid.
    pub(super) fn from_stored(mut members: Map<String, Value>) -> Result<Self, String> {
        let expires_in = ExpiresIn::take(&mut members);
        // A time that cannot be read means that the expiry is not known, never that it is some
        // time after each load.
        let is_dated = |name: &&&str| members.get(**name).is_some_and(|it| !it.is_null());
        let [dated, issued] =
            [&EXPIRES_AT[..], &ISSUED_AT].map(|names| names.iter().find(is_dated).copied());
        let expires_at = dated.and_then(|name| take_time(&mut members, name));
        let issued_at = issued.and_then(|name| time(&members[name]));
        members.remove(ISSUED_AT[0]);
        let refresh_parameters = take_text(&mut members, "refresh_parameters")?;
        let certificate = take_text(&mut members, CERTIFICATE)?;
        let expires_at = match (dated, issued, issued_at) {
            (Some(_), _, _) => expires_at,
            (None, Some(_), issued_at) => expires_in.zip(issued_at).map(|(it, at)| it.from(at)),
            // A response that was stored as received is treated as received now.
            (None, None, _) => expires_in.map(|it| it.from(Clock::system().unix().as_secs())),
        };
        let token = Self::from_members(members, issued_at, expires_at)?;
        let parameters = refresh_parameters.as_deref().unwrap_or_default();
        let token = token.with_refresh_parameters(Form::decode(parameters));
        Ok(match certificate {
            Some(thumbprint) => token.with_certificate_thumbprint(thumbprint),
            None => token,
        })
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
        // A token that was issued is not given up for the sake of what stands beside it.
        let refresh_token = take_text(&mut members, "refresh_token").unwrap_or_default();
        let id_token = take_text(&mut members, "id_token").unwrap_or_default();
        let scope = take_scope(&mut members).unwrap_or_default();
        let rest = Rest {
            id_token: id_token.map(Into::into),
            refresh_parameters: Form::new(),
            certificate: None,
            extra: members,
        };
        let token_type = token_type.map_or(TokenType::Bearer, TokenType::new);
        Ok(Self::from(TokenMembers {
            access_token: token_type.before(&access_token.into()),
            token_type,
            refresh_token: refresh_token.map(Into::into),
            scope: scope.map(Into::into),
            expires_at: expires_at.map(Seconds::new),
            issued_at: issued_at.map(Seconds::new),
            rest: rest.unless_empty(),
        }))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = &*self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", members.access_token.expose_secret())?;
        map.serialize_entry("token_type", self.token_type())?;
        for (name, value) in [
            ("refresh_token", self.refresh_token()),
            ("id_token", self.id_token()),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value.expose_secret())?;
            }
        }
        if let Some(scope) = &members.scope {
            map.serialize_entry("scope", scope)?;
        }
        for (name, value) in [
            ("expires_at", self.expires_at_unix()),
            ("issued_at", self.issued_at_unix()),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        if !self.refresh_parameters().is_empty() {
            let parameters = self.refresh_parameters().encode();
            map.serialize_entry("refresh_parameters", parameters.expose_secret())?;
        }
        if let Some(thumbprint) = self.certificate_thumbprint() {
            map.serialize_entry(CERTIFICATE, thumbprint)?;
        }
        for (name, value) in members.rest.iter().flat_map(|rest| &rest.extra) {
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

/// The members that stand beside the access token and cannot be read, so that they are left out.
pub(crate) fn unreadable(members: &Map<String, Value>) -> Vec<&'static str> {
    let is_unreadable = |name: &&str| match members.get(*name) {
        None | Some(Value::Null | Value::String(_)) => false,
        Some(Value::Array(list)) if *name == "scope" => !list.iter().all(Value::is_string),
        Some(_) => true,
    };
    let names = ["refresh_token", "id_token", "scope"];
    names.into_iter().filter(is_unreadable).collect()
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

/// The time that a value stands for: in seconds or milliseconds since 1970, or in RFC 3339.
pub(crate) fn time(value: &Value) -> Option<u64> {
    let Some(number) = number(value) else {
        return date::seconds(value.as_str()?);
    };
    // Casts of floats saturate: a negative number becomes 0, a large one the maximum.
    let time = number as u64;
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
mod tests;
