//! Members of a token's JSON object, read as leniently as servers require.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use super::{
    Token,
    answer::{KnownMembers, TokenAnswer},
    date,
    refresh_expiry::note_expiry,
    value::{Rest, Seconds, TokenMembers, TokenType},
};
use crate::{
    clock::Clock,
    json::number::number,
    oauth2::provider::quirks::{EXPIRES_AT, ISSUED_AT},
    wire::form::Form,
};

/// The last second of the year 9999. Later times cannot be told from "never" and might overflow.
pub(crate) const LATEST: u64 = 253_402_300_799;
/// Member of a stored token: the thumbprint of the certificate that it is bound to.
pub(super) const CERTIFICATE: &str = "certificate_thumbprint";

/// The member of a token that says to which server and registration it belongs.
pub(crate) const BOUND: &str = "oauth_twin_client";

impl Token {
    /// The token in a response that arrived at `now`, or why there is none.
    pub(crate) fn from_answer<A: Into<TokenAnswer>>(
        members: A,
        now: Duration,
    ) -> Result<Self, String> {
        let (now, answer) = (now.as_secs(), members.into());
        let TokenAnswer { known, mut others } = answer;
        note_expiry(&mut others, now);
        // The server's clock may differ from ours, so relative times take precedence.
        let expires_at = match ExpiresIn::read(known.expires_in.as_ref()) {
            Some(expires_in) => Some(expires_in.from(now)),
            None => known.expires_at.as_ref().and_then(time),
        };
        Self::from_members(known, others, Some(now), expires_at)
    }

    /// The token that was stored as `members`, perhaps by another library, or why they are invalid.
    pub(super) fn from_stored(mut members: Map<String, Value>) -> Result<Self, String> {
        // A time that cannot be read means that the expiry is not known, never that it is some
        // time after each load.
        let is_dated = |name: &&&str| members.get(**name).is_some_and(|it| !it.is_null());
        let [dated, issued] =
            [&EXPIRES_AT[..], &ISSUED_AT].map(|names| names.iter().find(is_dated).copied());
        let expires_at = dated.and_then(|name| time(&members.remove(name)?));
        let issued_at = issued.and_then(|name| time(&members[name]));
        members.remove(ISSUED_AT[0]);
        let refresh_parameters = take_text(&mut members, "refresh_parameters")?;
        let certificate = take_text(&mut members, CERTIFICATE)?;
        let (known, others) = KnownMembers::of(members);
        let expires_in = ExpiresIn::read(known.expires_in.as_ref());
        let expires_at = match (dated, issued, issued_at) {
            (Some(_), _, _) => expires_at,
            (None, Some(_), issued_at) => expires_in.zip(issued_at).map(|(it, at)| it.from(at)),
            // A response that was stored as received is treated as received now.
            (None, None, _) => expires_in.map(|it| it.from(Clock::system().unix().as_secs())),
        };
        let token = Self::from_members(known, others, issued_at, expires_at)?;
        let parameters = refresh_parameters.as_deref().unwrap_or_default();
        let token = token.with_refresh_parameters(Form::decode(parameters));
        Ok(match certificate {
            Some(thumbprint) => token.with_certificate_thumbprint(thumbprint),
            None => token,
        })
    }

    fn from_members(
        known: KnownMembers,
        extra: Map<String, Value>,
        issued_at: Option<u64>,
        expires_at: Option<u64>,
    ) -> Result<Self, String> {
        let access_token =
            text(known.access_token, "access_token")?.ok_or("the response has no access_token")?;
        // RFC 6749 requires a token_type. Facebook, Slack and Stack Exchange send none.
        let token_type = text(known.token_type, "token_type")?;
        // A token that was issued is not given up for the sake of what stands beside it.
        let refresh_token = text(known.refresh_token, "refresh_token").unwrap_or_default();
        let id_token = text(known.id_token, "id_token").unwrap_or_default();
        let scope = scope(known.scope).unwrap_or_default();
        let rest = Rest {
            id_token: id_token.map(Into::into),
            refresh_parameters: Form::new(),
            certificate: None,
            extra,
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

/// Removes a string; none if it is absent, null or empty.
fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    text(members.remove(name), name)
}

/// A string; none if there is no value, or if it is null or empty.
fn text(value: Option<Value>, name: &str) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        _ => Err(format!("the member {name} is not a string")),
    }
}

/// Member `expires_in`.
enum ExpiresIn {
    Seconds(u64),
    /// A negative number: the token has expired.
    Over,
}

impl ExpiresIn {
    fn read(value: Option<&Value>) -> Option<Self> {
        let seconds = number(value?)?;
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

/// The time that a value stands for: in seconds or milliseconds since 1970, or in RFC 3339. Apigee and
/// others send milliseconds: a number that would be after the year 9999 in seconds is read as such.
pub(crate) fn time(value: &Value) -> Option<u64> {
    let Some(number) = number(value) else {
        return date::seconds(value.as_str()?);
    };
    // Casts of floats saturate: a negative number becomes 0, a large one the maximum.
    let time = number as u64;
    let seconds = if time > LATEST { time / 1000 } else { time };
    Some(seconds.min(LATEST))
}

/// A scope. Twitch sends an array instead of words separated by spaces.
fn scope(value: Option<Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(scope)) => Ok(Some(scope).filter(|scope| !scope.trim().is_empty())),
        Some(Value::Array(scopes)) => scopes
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .map(|scopes| Some(scopes.join(" ")).filter(|scope| !scope.is_empty()))
            .ok_or_else(|| "the member scope is not a list of strings".to_owned()),
        _ => Err("the member scope is not a string".to_owned()),
    }
}

#[cfg(test)]
mod tests;
