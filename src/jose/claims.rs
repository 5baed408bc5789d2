//! The claims of a token.
//!
//! [RFC 7519 section 4](https://www.rfc-editor.org/rfc/rfc7519#section-4)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::{
    clock::since_epoch,
    error::{Error, Result},
    jose::{Header, SigningKey, header::json, jws::signed},
    json::Members,
    secret::Secret,
};

/// What a token says: the registered claims by name, and any others.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use oauth_twin::jose::Claims;
///
/// let claims = Claims::new()
///     .with_subject("me")
///     .with_expires_at(UNIX_EPOCH + Duration::from_secs(1300819380))
///     .with("http://example.com/is_root", true);
/// assert_eq!(
///     claims.to_json(),
///     r#"{"exp":1300819380,"http://example.com/is_root":true,"sub":"me"}"#,
/// );
/// assert_eq!(claims.subject(), Some("me"));
/// ```
///
/// [RFC 7519 section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)
#[derive(Clone, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// No claims.
    pub fn new() -> Self {
        Self::default()
    }

    /// The claims in a payload that was verified.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object whose members stand once each, or a registered claim is not of
    /// its type.
    pub fn from_slice(payload: &[u8]) -> Result<Self> {
        let Ok(Members(members)) = serde_json::from_slice(payload) else {
            return Err(Error::distrusted(
                "the payload is not a JSON object whose members stand once each",
            ));
        };
        let is_text = Value::is_string as fn(&Value) -> bool;
        let is_time = |value: &Value| numeric_date(value).is_some();
        let is_audience = |value: &Value| match value {
            Value::Array(all) => all.iter().all(Value::is_string),
            one => one.is_string(),
        };
        for (name, is_good) in [
            ("iss", is_text),
            ("sub", is_text),
            ("jti", is_text),
            ("aud", is_audience),
            ("exp", is_time),
            ("nbf", is_time),
            ("iat", is_time),
        ] {
            if members.get(name).is_some_and(|value| !is_good(value)) {
                return Err(Error::distrusted(format!(
                    "the claim {name} is not of its type"
                )));
            }
        }
        Ok(Self(members))
    }

    /// The same with this `iss`: who made the token.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        self.with("iss", issuer.into())
    }

    /// The same with this `sub`: whom it is about.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        self.with("sub", subject.into())
    }

    /// The same with this `aud`, as a string: whom it is for.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        self.with("aud", audience.into())
    }

    /// The same with this `exp`, in whole seconds: when it ends.
    #[must_use]
    pub fn with_expires_at(self, expires_at: SystemTime) -> Self {
        self.with("exp", since_epoch(expires_at).as_secs())
    }

    /// The same with this `nbf`, in whole seconds: when it begins.
    #[must_use]
    pub fn with_not_before(self, not_before: SystemTime) -> Self {
        self.with("nbf", since_epoch(not_before).as_secs())
    }

    /// The same with this `iat`, in whole seconds: when it was made.
    #[must_use]
    pub fn with_issued_at(self, issued_at: SystemTime) -> Self {
        self.with("iat", since_epoch(issued_at).as_secs())
    }

    /// The same with this `jti`: its name, which no other token has.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        self.with("jti", id.into())
    }

    /// The same with any other claim.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// `iss`: who made the token.
    pub fn issuer(&self) -> Option<&str> {
        self.get("iss")?.as_str()
    }

    /// `sub`: whom it is about.
    pub fn subject(&self) -> Option<&str> {
        self.get("sub")?.as_str()
    }

    /// `aud`: whom it is for, one or several.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let all = match self.get("aud") {
            Some(Value::Array(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        all.iter().filter_map(Value::as_str)
    }

    /// `exp`: when it ends.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// `nbf`: when it begins.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.time("nbf")
    }

    /// `iat`: when it was made.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    /// `jti`: its name.
    pub fn id(&self) -> Option<&str> {
        self.get("jti")?.as_str()
    }

    /// Any claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The claims as JSON.
    pub fn to_json(&self) -> String {
        String::from_utf8_lossy(&json(&self.0)).into_owned()
    }

    /// A token of these claims, of the type `JWT`.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::sign`].
    pub fn sign(&self, key: &SigningKey) -> Result<Secret> {
        self.sign_with_header(&key.header().with_typ("JWT"), key)
    }

    /// The same with a header of one's own, which has to be for the key's algorithm.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::sign`] and [`Header::signing_input`].
    pub fn sign_with_header(&self, header: &Header, key: &SigningKey) -> Result<Secret> {
        if header.algorithm() != key.algorithm() {
            return Err(Error::usage(format!(
                "the header is for {}, and the key for {}",
                header.algorithm(),
                key.algorithm()
            )));
        }
        signed(&header.encode()?, &json(&self.0), key)
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        numeric_date(self.get(name)?)
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(self.seconds(name)?)
    }
}

/// The last second of the year 9999: later times might overflow.
const LATEST: u64 = 253_402_300_799;

/// "A JSON numeric value representing the number of seconds from 1970-01-01T00:00:00Z UTC", which
/// may be a fraction.
fn numeric_date(value: &Value) -> Option<Duration> {
    let Value::Number(number) = value else {
        return None;
    };
    let latest = Duration::from_secs(LATEST);
    let date = match number.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        // What is negative is long ago, and what is too large for a duration is far ahead.
        None => Duration::try_from_secs_f64(number.as_f64()?.max(0.0)).unwrap_or(latest),
    };
    Some(date.min(latest))
}

/// The names of the claims: some of them are about people.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
