//! Temporary and token credentials.
//!
//! [RFC 5849 section 1.1](https://www.rfc-editor.org/rfc/rfc5849#section-1.1)

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// Members of a credential response, by their names on the wire.
#[derive(Clone, PartialEq)]
struct CredentialMembers {
    token: Secret,
    token_secret: Secret,
    extra: Map<String, Value>,
}

impl CredentialMembers {
    /// Takes the members out of a response, or out of stored credentials; or returns what is wrong.
    fn take(mut members: Map<String, Value>) -> Result<Self, &'static str> {
        let mut take = |name: &str| match members.remove(name) {
            Some(Value::String(value)) => Some(Secret::new(value)),
            _ => None,
        };
        let token = take(OAUTH_TOKEN).filter(|token| !token.is_empty());
        let token_secret = take(OAUTH_TOKEN_SECRET);
        Ok(Self {
            token: token.ok_or("the response has no oauth_token")?,
            // It may be empty: the RSA methods do not use it.
            token_secret: token_secret.ok_or("the response has no oauth_token_secret")?,
            extra: members,
        })
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("token", &self.token)
            .field("token_secret", &self.token_secret)
            .field("other members", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }

    fn serialize<S: Serializer>(
        &self,
        session_handle: Option<&Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(OAUTH_TOKEN, self.token.expose_secret())?;
        map.serialize_entry(OAUTH_TOKEN_SECRET, self.token_secret.expose_secret())?;
        if let Some(handle) = session_handle {
            map.serialize_entry(SESSION_HANDLE, handle.expose_secret())?;
        }
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

const CONFIRMED: &str = "oauth_callback_confirmed";
pub(super) const OAUTH_TOKEN: &str = "oauth_token";
pub(super) const OAUTH_TOKEN_SECRET: &str = "oauth_token_secret";
pub(super) const SESSION_HANDLE: &str = "oauth_session_handle";

/// Temporary credentials of a login, which its callback is checked against.
///
/// They belong in the session of the user who was redirected, and nowhere else: taken from it, they
/// are consumed by the callback. They serialise to the names on the wire, including the secret.
///
/// ```
/// use oauth_twin::oauth1::TemporaryCredentials;
///
/// let temporary = TemporaryCredentials::new("hh5s93j4hdidpola", "hdhd0244k9j7ao03");
/// let url = temporary.authorization_url("https://photos.example.net/authorize")?;
/// assert_eq!(url.as_str(), "https://photos.example.net/authorize?oauth_token=hh5s93j4hdidpola");
/// let session = serde_json::to_string(&temporary).unwrap();
///
/// // The callback, perhaps in another process. The callback of another login is refused:
/// let temporary: TemporaryCredentials = serde_json::from_str(&session).unwrap();
/// let error = temporary
///     .authorization_response("https://app.example/ready?oauth_token=other&oauth_verifier=1")
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the `oauth_token` of the callback does not match this login; the user may have opened an \
///      old page",
/// );
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 5849 section 2.1](https://www.rfc-editor.org/rfc/rfc5849#section-2.1)
#[derive(PartialEq)]
pub struct TemporaryCredentials(CredentialMembers);

impl TemporaryCredentials {
    /// Restores credentials that were stored in a format of your own.
    pub fn new(token: impl Into<Secret>, token_secret: impl Into<Secret>) -> Self {
        Self(CredentialMembers {
            token: token.into(),
            token_secret: token_secret.into(),
            extra: Map::new(),
        })
    }

    /// `oauth_token`.
    pub fn token(&self) -> &Secret {
        &self.0.token
    }

    /// `oauth_token_secret`.
    pub fn token_secret(&self) -> &Secret {
        &self.0.token_secret
    }

    /// Any other member of the server's response.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.extra.get(member)
    }

    pub(super) fn from_answer(
        mut members: Map<String, Value>,
        allow_unconfirmed: bool,
    ) -> Result<Self, &'static str> {
        let confirmed = match members.get(CONFIRMED) {
            Some(Value::String(text)) => text == "true",
            Some(Value::Bool(confirmed)) => *confirmed,
            _ => false,
        };
        // "oauth_callback_confirmed: MUST be present and set to "true". The parameter is used to
        // differentiate from previous versions of the protocol", in which an attacker could have
        // another user grant access to the attacker's own login.
        if !confirmed && !allow_unconfirmed {
            return Err(
                "the response lacks oauth_callback_confirmed=true; the server may speak the \
                 insecure first version of OAuth 1.0, which dangerous_allow_unconfirmed_callback \
                 permits",
            );
        }
        if !confirmed {
            // Kept with them, as they are stored between the steps.
            members.insert(CONFIRMED.to_owned(), false.into());
        }
        CredentialMembers::take(members).map(Self)
    }

    /// Whether the server speaks the first version of OAuth 1.0, which has no verifier, and the
    /// caller has permitted that.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.get(CONFIRMED) == Some(&Value::Bool(false))
    }

    /// The same credentials once more.
    #[allow(dead_code, reason = "only the clients keep them")]
    pub(crate) fn duplicate(&self) -> Self {
        Self(CredentialMembers {
            token: self.0.token.clone(),
            token_secret: self.0.token_secret.clone(),
            extra: self.0.extra.clone(),
        })
    }

    /// The token and its secret.
    pub(super) fn into_parts(self) -> (Secret, Secret) {
        (self.0.token, self.0.token_secret)
    }
}

/// Omits the values of other members.
impl fmt::Debug for TemporaryCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt("TemporaryCredentials", f)
    }
}

impl Serialize for TemporaryCredentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(None, serializer)
    }
}

impl<'de> Deserialize<'de> for TemporaryCredentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = CredentialMembers::take(Map::deserialize(deserializer)?);
        members.map(Self).map_err(de::Error::custom)
    }
}

/// Token credentials, which sign requests on behalf of the resource owner.
///
/// They serialise to the names on the wire, with every other member of the server's response, and
/// deserialise from the same; what Authlib has stored can be read, too.
///
/// ```
/// use oauth_twin::oauth1::{Signer, TokenCredentials};
///
/// let stored = r#"{
///     "oauth_token": "nnch734d00sl2jdk", "oauth_token_secret": "pfkkdhi9sl3r4s00",
///     "user_id": "6253282", "screen_name": "twitterapi"
/// }"#;
/// let credentials: TokenCredentials = serde_json::from_str(stored)?;
/// assert_eq!(credentials.get("screen_name").unwrap(), "twitterapi");
/// let signer = Signer::new("consumer-key").credentials(&credentials);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 5849 section 2.3](https://www.rfc-editor.org/rfc/rfc5849#section-2.3)
#[derive(Clone, PartialEq)]
pub struct TokenCredentials {
    members: CredentialMembers,
    session_handle: Option<Secret>,
}

impl TokenCredentials {
    /// Restores credentials that were stored in a format of your own, or created on the provider's
    /// website.
    pub fn new(token: impl Into<Secret>, token_secret: impl Into<Secret>) -> Self {
        Self {
            members: CredentialMembers {
                token: token.into(),
                token_secret: token_secret.into(),
                extra: Map::new(),
            },
            session_handle: None,
        }
    }

    /// Sets the session handle.
    #[must_use]
    pub fn with_session_handle(mut self, session_handle: impl Into<Secret>) -> Self {
        self.session_handle = Some(session_handle.into());
        self
    }

    /// `oauth_token`.
    pub fn token(&self) -> &Secret {
        &self.members.token
    }

    /// `oauth_token_secret`; it may be empty.
    pub fn token_secret(&self) -> &Secret {
        &self.members.token_secret
    }

    /// `oauth_session_handle`, with which some servers renew the credentials.
    ///
    /// [OAuth Session Extension](https://oauth.googlecode.com/svn/spec/ext/session/1.0/drafts/1/spec.html)
    pub fn session_handle(&self) -> Option<&Secret> {
        self.session_handle.as_ref()
    }

    /// Any other member of the server's response, such as `user_id`.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.members.extra.get(member)
    }

    pub(super) fn from_answer(members: Map<String, Value>) -> Result<Self, &'static str> {
        let mut members = CredentialMembers::take(members)?;
        let session_handle = match members.extra.remove(SESSION_HANDLE) {
            Some(Value::String(handle)) if !handle.is_empty() => Some(handle.into()),
            _ => None,
        };
        Ok(Self {
            members,
            session_handle,
        })
    }
}

/// Omits the values of other members: some servers put tokens there.
impl fmt::Debug for TokenCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.members.fmt("TokenCredentials", f)
    }
}

impl Serialize for TokenCredentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members
            .serialize(self.session_handle.as_ref(), serializer)
    }
}

impl<'de> Deserialize<'de> for TokenCredentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_answer(Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = r#"{"oauth_token":"t","oauth_token_secret":"hunter2","oauth_session_handle":"hunter3","user_id":"1"}"#;

    #[test]
    fn debug_tells_no_secret() {
        let token: TokenCredentials = serde_json::from_str(STORED).expect("credentials");
        assert_eq!(
            format!("{token:?}"),
            "TokenCredentials { token: [redacted], token_secret: [redacted], \
             other members: [\"user_id\"] }"
        );
        let temporary = TemporaryCredentials::new("t", "hunter2");
        assert_eq!(
            format!("{temporary:?}"),
            "TemporaryCredentials { token: [redacted], token_secret: [redacted], \
             other members: [] }"
        );
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let token: TokenCredentials = serde_json::from_str(STORED).expect("credentials");
        assert_eq!(token.session_handle(), Some(&"hunter3".into()));
        assert_eq!(serde_json::to_string(&token).expect("JSON"), STORED);
        let temporary: TemporaryCredentials = serde_json::from_str(STORED).expect("credentials");
        assert_eq!(
            serde_json::to_value(&temporary).expect("JSON"),
            serde_json::from_str::<Value>(STORED).expect("JSON")
        );
        // As Authlib has it.
        let authlib = r#"{"oauth_token":"t","oauth_token_secret":"","oauth_verifier":null}"#;
        let token: TokenCredentials = serde_json::from_str(authlib).expect("credentials");
        assert!(token.token_secret().is_empty());
    }

    #[test]
    fn a_missing_member_is_named() {
        for (stored, name) in [
            ("{}", "oauth_token"),
            (
                r#"{"oauth_token":"","oauth_token_secret":"s"}"#,
                "oauth_token",
            ),
            (
                r#"{"oauth_token":1,"oauth_token_secret":"s"}"#,
                "oauth_token",
            ),
            (r#"{"oauth_token":"t"}"#, "oauth_token_secret"),
        ] {
            let error = serde_json::from_str::<TokenCredentials>(stored).expect_err(stored);
            assert!(error.to_string().ends_with(name), "{error}");
        }
    }
}
