//! The members of a token's JSON object, read as leniently as servers need it.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use serde_json::{Map, Value};

/// The last second of the year 9999: later times cannot be told from "never" and might overflow.
pub(super) const LATEST: u64 = 253_402_300_799;

/// A text, or none if it is absent, null or empty.
pub(super) fn take_text(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<String>, String> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("the member {name} is not a string")),
    }
}

/// A number of seconds from 0 on. Facebook and others send `expires_in` as a string, PayPal did;
/// a float has been seen too. What cannot be read counts as not said: a token is not thrown away
/// for it.
pub(super) fn take_seconds(members: &mut Map<String, Value>, name: &str) -> Option<u64> {
    seconds(&members.remove(name)?)
}

/// The same of a value.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    let seconds = match value {
        Value::Number(number) => number.as_u64().map_or_else(|| number.as_f64(), exact),
        Value::String(text) => {
            let text = text.trim();
            text.parse().map_or_else(|_| text.parse().ok(), exact)
        }
        _ => None,
    }?;
    // Casts of floats saturate: negative is 0, absurdly large is the maximum, and NaN is no number.
    (!seconds.is_nan()).then_some((seconds as u64).min(LATEST))
}

/// The whole numbers up to [`LATEST`] are exact as floats.
fn exact(seconds: u64) -> Option<f64> {
    Some(seconds.min(LATEST) as f64)
}

/// Twitch sends an array in the place of words separated by spaces.
pub(super) fn take_scope(members: &mut Map<String, Value>) -> Result<Option<String>, String> {
    match members.remove("scope") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(scope)) => Ok(Some(scope)),
        Some(Value::Array(scopes)) => scopes
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()
            .map(|scopes| Some(scopes.join(" ")))
            .ok_or_else(|| "the member scope is not a list of strings".to_owned()),
        Some(_) => Err("the member scope is not a string".to_owned()),
    }
}
