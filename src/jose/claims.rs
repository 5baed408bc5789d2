//! Claims of a token.
//!
//! [RFC 7519 section 4](https://www.rfc-editor.org/rfc/rfc7519#section-4)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{
    clock::since_epoch,
    error::{Error, Result},
    jose::{Header, SigningKey, header::json, jws::signed},
    json::{ConsistentObject, Object, object_from_slice},
    secret::Secret,
};

/// Claims of a token: the registered ones by name, and any others.
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
pub struct Claims(Object);

impl Claims {
    /// An empty set of claims.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the claims from a payload that was verified.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has a member with two values, or a registered claim has the
    /// wrong type.
    pub fn from_slice(payload: &[u8]) -> Result<Self> {
        let Ok(ConsistentObject(members)) = object_from_slice(payload) else {
            return Err(Error::untrusted(
                "the payload is not a JSON object, or has a member with two values",
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
                return Err(Error::untrusted(format!(
                    "the claim {name} has the wrong type"
                )));
            }
        }
        Ok(Self(members))
    }

    /// Sets `iss`, the issuer of the token.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        self.registered("iss", issuer.into())
    }

    /// Sets `sub`, the subject.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        self.registered("sub", subject.into())
    }

    /// Sets `aud`, the audience, as a string.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        self.registered("aud", audience.into())
    }

    /// Sets `exp`, the expiry, in whole seconds.
    #[must_use]
    pub fn with_expires_at(self, expires_at: SystemTime) -> Self {
        self.registered("exp", since_epoch(expires_at).as_secs())
    }

    /// Sets `nbf`, the start of validity, in whole seconds.
    #[must_use]
    pub fn with_not_before(self, not_before: SystemTime) -> Self {
        self.registered("nbf", since_epoch(not_before).as_secs())
    }

    /// Sets `iat`, the time of issue, in whole seconds.
    #[must_use]
    pub fn with_issued_at(self, issued_at: SystemTime) -> Self {
        self.registered("iat", since_epoch(issued_at).as_secs())
    }

    /// Sets `jti`, the unique identifier of the token.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        self.registered("jti", id.into())
    }

    /// Sets any other claim.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    fn registered(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.insert(name, value.into());
        self
    }

    /// `iss`, the issuer of the token.
    pub fn issuer(&self) -> Option<&str> {
        self.get("iss")?.as_str()
    }

    /// `sub`, the subject.
    pub fn subject(&self) -> Option<&str> {
        self.get("sub")?.as_str()
    }

    /// `aud`, the audience: one or several.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let all = match self.get("aud") {
            Some(Value::Array(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        all.iter().filter_map(Value::as_str)
    }

    /// `exp`, the expiry.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// `nbf`, the start of validity.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.time("nbf")
    }

    /// `iat`, the time of issue.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    /// `jti`, the identifier of the token.
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

    /// Signs a token of the type `JWT` with these claims.
    ///
    /// # Errors
    ///
    /// As for [`SigningKey::sign`].
    pub fn sign(&self, key: &SigningKey) -> Result<Secret> {
        self.sign_with_header(&key.header().with_typ("JWT"), key)
    }

    /// Signs a token with these claims and a header of your own, which has to name the key's
    /// algorithm.
    ///
    /// # Errors
    ///
    /// As for [`SigningKey::sign`] and [`Header::signing_input`].
    pub fn sign_with_header(&self, header: &Header, key: &SigningKey) -> Result<Secret> {
        if header.algorithm() != key.algorithm() {
            return Err(Error::usage(format!(
                "the header names the algorithm {}, but the key signs by {}; use a key of that \
                 algorithm",
                header.algorithm(),
                key.algorithm()
            )));
        }
        signed(&header.encode()?, &json(&self.0), key)
    }

    /// All claims, where they are given to the caller as another type.
    pub(crate) fn into_object(self) -> Object {
        self.0
    }

    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        numeric_date(self.get(name)?)
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(self.seconds(name)?)
    }
}

/// The last second of the year 9999. Later times might overflow.
const LATEST: u64 = 253_402_300_799;

/// "A JSON numeric value representing the number of seconds from 1970-01-01T00:00:00Z UTC", which
/// may be a fraction.
pub(crate) fn numeric_date(value: &Value) -> Option<Duration> {
    let Value::Number(number) = value else {
        return None;
    };
    let latest = Duration::from_secs(LATEST);
    let date = match number.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        // A negative number is in the past, and one too large for a duration is in the far future.
        None => Duration::try_from_secs_f64(number.as_f64()?.max(0.0)).unwrap_or(latest),
    };
    Some(date.min(latest))
}

/// Shows only the names of the claims: values may be personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
