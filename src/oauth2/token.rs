//! Access tokens, as they are answered, kept and stored.
//!
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use super::{
    Form,
    token_members::{LATEST, take_scope, take_seconds, take_text},
};
use crate::{
    clock::{Clock, since_epoch},
    secret::Secret,
};

/// An access token with all that the server said of it.
///
/// It serialises to the names of the wire, with the absolute times `expires_at` and `issued_at`
/// in seconds since 1970 in the place of `expires_in`, and reads that back; so it does what
/// Authlib has stored. Members that OAuth does not define are kept.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::Token;
///
/// let stored = r#"{
///     "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer",
///     "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA", "expires_at": 1700000000, "tenant": "a"
/// }"#;
/// let token: Token = serde_json::from_str(stored)?;
/// assert!(token.is_expired(Duration::ZERO));
/// assert_eq!(token.refresh_token().unwrap().expose_secret(), "tGzv3JOkF0XG5Qx2TlKWIA");
/// assert_eq!(token.get("tenant").unwrap(), "a");
/// assert_eq!(serde_json::to_value(&token)?["expires_at"], 1700000000);
///
/// let made = Token::new("2YotnFZFEjr1zCsicMWpAA").with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
/// assert!(!made.is_expired(Duration::ZERO));           // no expiry known: never by time
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)
#[derive(Clone, PartialEq)]
pub struct Token {
    access_token: Secret,
    token_type: String,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    scope: Option<String>,
    /// Seconds since 1970.
    expires_at: Option<u64>,
    /// Seconds since 1970.
    issued_at: Option<u64>,
    refresh_parameters: Form,
    extra: Map<String, Value>,
}

impl Token {
    /// A bearer token of which nothing else is known.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self {
            access_token: access_token.into(),
            token_type: "Bearer".to_owned(),
            refresh_token: None,
            id_token: None,
            scope: None,
            expires_at: None,
            issued_at: None,
            refresh_parameters: Form::new(),
            extra: Map::new(),
        }
    }

    /// The same with this refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<Secret>) -> Self {
        self.refresh_token = Some(refresh_token.into());
        self
    }

    /// The same with this expiry, to the second.
    #[must_use]
    pub fn with_expires_at(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(since_epoch(expires_at).as_secs().min(LATEST));
        self
    }

    /// The same with this time of issue, to the second.
    #[must_use]
    pub fn with_issued_at(mut self, issued_at: SystemTime) -> Self {
        self.issued_at = Some(since_epoch(issued_at).as_secs().min(LATEST));
        self
    }

    /// The same with this scope.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The same with this type, as the server spells it.
    #[must_use]
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }

    /// The same with these parameters for a refresh. A client sets them itself for the tokens
    /// that it obtains.
    #[must_use]
    pub fn with_refresh_parameters(mut self, parameters: Form) -> Self {
        self.refresh_parameters = parameters;
        self
    }

    /// The access token.
    pub fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// Its type as the server spells it; `Bearer` if the server did not say.
    ///
    /// [RFC 6749 section 7.1](https://www.rfc-editor.org/rfc/rfc6749#section-7.1)
    pub fn token_type(&self) -> &str {
        &self.token_type
    }

    /// The refresh token, if there is one.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// The ID token as it came. It is not validated here.
    pub fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    /// The scope that was granted, if the server told.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// When it expires, to the second, if the server told.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at.map(at)
    }

    /// When it was issued, to the second, if known.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at.map(at)
    }

    /// What a refresh repeats of the request for this token, such as `resource` and `audience`.
    ///
    /// They are stored with the token, form-encoded as its member `refresh_parameters`, so that a
    /// token which was loaded again is refreshed as the one that was saved.
    ///
    /// ```
    /// use oauth_twin::{Token, oauth2::Form};
    ///
    /// let mut parameters = Form::new();
    /// parameters.push("resource", "https://api.example");
    /// let token = Token::new("t").with_refresh_parameters(parameters);
    /// let stored = serde_json::to_value(&token)?;
    /// assert_eq!(stored["refresh_parameters"], "resource=https%3A%2F%2Fapi.example");
    /// assert_eq!(serde_json::from_value::<Token>(stored)?, token);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn refresh_parameters(&self) -> &Form {
        &self.refresh_parameters
    }

    /// Whether it has expired, or will within `leeway`, by the system's clock. A token whose
    /// expiry is not known never has.
    pub fn is_expired(&self, leeway: Duration) -> bool {
        let now = Clock::system().unix();
        self.expires_at
            .is_some_and(|at| Duration::from_secs(at).saturating_sub(leeway) <= now)
    }

    /// Any other member of the server's answer.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.extra.get(member)
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(super) fn expires_at_unix(&self) -> Option<u64> {
        self.expires_at
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(super) fn issued_at_unix(&self) -> Option<u64> {
        self.issued_at
    }

    /// The token that an answer which came at `now` holds, or in what it is none.
    pub(super) fn from_answer(
        mut members: Map<String, Value>,
        now: Duration,
    ) -> Result<Self, String> {
        let now = now.as_secs();
        let expires_in = take_seconds(&mut members, "expires_in");
        let expires_at = take_seconds(&mut members, "expires_at");
        // Not for the server to say.
        members.remove("issued_at");
        members.remove("refresh_parameters");
        // The server's clock may differ from ours: what it says relative to now goes first.
        let expires_at = expires_in
            .map(|expires_in| now.saturating_add(expires_in).min(LATEST))
            .or(expires_at);
        Self::from_members(members, Some(now), expires_at)
    }

    /// The token that was stored as `members`.
    fn from_stored(mut members: Map<String, Value>) -> Result<Self, String> {
        let expires_in = take_seconds(&mut members, "expires_in");
        let expires_at = take_seconds(&mut members, "expires_at");
        let issued_at = take_seconds(&mut members, "issued_at");
        let refresh_parameters = take_text(&mut members, "refresh_parameters")?;
        // An answer that was stored as it came is taken to have come now.
        let expires_at = expires_at.or_else(|| {
            let issued_at = issued_at.unwrap_or_else(|| Clock::system().unix().as_secs());
            Some(issued_at.saturating_add(expires_in?).min(LATEST))
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
            take_text(&mut members, "access_token")?.ok_or("the answer has no access_token")?;
        // RFC 6749 requires a token_type. Facebook, Slack and Stack Exchange send none.
        let token_type = take_text(&mut members, "token_type")?;
        let refresh_token = take_text(&mut members, "refresh_token")?;
        let id_token = take_text(&mut members, "id_token")?;
        Ok(Self {
            access_token: access_token.into(),
            token_type: token_type.unwrap_or_else(|| "Bearer".to_owned()),
            refresh_token: refresh_token.map(Into::into),
            id_token: id_token.map(Into::into),
            scope: take_scope(&mut members)?,
            expires_at,
            issued_at,
            refresh_parameters: Form::new(),
            extra: members,
        })
    }

    /// What a renewal leaves out stays as it was.
    ///
    /// "The authorization server MAY issue a new refresh token"; if it does not, the old one goes
    /// on. A `scope` that is left out is the same as before.
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn inheriting(mut self, old: &Self) -> Self {
        self.refresh_token = self.refresh_token.or_else(|| old.refresh_token.clone());
        self.id_token = self.id_token.or_else(|| old.id_token.clone());
        self.scope = self.scope.or_else(|| old.scope.clone());
        self
    }

    pub(super) fn keep_refresh_token(&mut self, refresh_token: &Secret) {
        self.refresh_token
            .get_or_insert_with(|| refresh_token.clone());
    }
}

/// The values of other members are left out: some servers put tokens there.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("refresh_token", &self.refresh_token)
            .field("id_token", &self.id_token)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .field("issued_at", &self.issued_at)
            .field("refresh_parameters", &self.refresh_parameters)
            .field("other members", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", self.access_token.expose_secret())?;
        map.serialize_entry("token_type", &self.token_type)?;
        for (name, value) in [
            ("refresh_token", &self.refresh_token),
            ("id_token", &self.id_token),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value.expose_secret())?;
            }
        }
        if let Some(scope) = &self.scope {
            map.serialize_entry("scope", scope)?;
        }
        for (name, value) in [
            ("expires_at", self.expires_at),
            ("issued_at", self.issued_at),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, &value)?;
            }
        }
        if !self.refresh_parameters.is_empty() {
            let parameters = self.refresh_parameters.encode();
            map.serialize_entry("refresh_parameters", parameters.expose_secret())?;
        }
        for (name, value) in &self.extra {
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

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
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
            (json!(-5), Some(1000)),
            (json!("-5"), Some(1000)),
            (json!(u64::MAX), Some(LATEST)),
            (json!(1e300), Some(LATEST)),
            (json!("99999999999999999999999999"), Some(LATEST)),
            (json!(null), None),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!([60]), None),
        ] {
            let token = answer(json!({ "expires_in": expires_in }));
            assert_eq!(token.expires_at, expires_at, "{expires_in}");
            assert_eq!(token.issued_at, Some(1000));
        }
    }

    #[test]
    fn relative_expiry_goes_before_the_server_s_clock() {
        assert_eq!(
            answer(json!({"expires_in": 5, "expires_at": 9})).expires_at,
            Some(1005)
        );
        assert_eq!(answer(json!({"expires_at": 9})).expires_at, Some(9));
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
        assert_eq!(token.expires_at, Some(1_700_000_000));
        assert_eq!(token.issued_at, None);
        let float: Token =
            serde_json::from_value(json!({"access_token": "t", "expires_at": 1_700_000_000.25}))
                .expect("a token");
        assert_eq!(float.expires_at, Some(1_700_000_000));
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
