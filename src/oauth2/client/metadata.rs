//! Client metadata: what a client tells a server about itself.
//!
//! [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Result},
    jose::JwkSet,
    json::Members,
    wire::secure_url::is_loopback,
};

/// Members that only a server issues, or that are secret.
const ISSUED: [&str; 6] = [
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "registration_access_token",
    "registration_client_uri",
];

/// Members of a JWK that are private or secret.
const PRIVATE_KEY_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Redirection URIs of a native client that listens on any port of loopback. Some servers compare
/// the host letter by letter, so both spellings are registered.
const LOOPBACK_REDIRECT_URIS: [&str; 2] =
    ["http://127.0.0.1/callback", "http://localhost/callback"];

/// Metadata of a client: its name, its redirection URIs, how it authenticates. Typed accessors for
/// the members of RFC 7591 and OpenID Connect, and open to further ones.
///
/// A client that registers itself sends them to the server; a client that is identified by the URL
/// of a document publishes them as that [`document`](Self::document).
///
/// ```
/// use oauth_twin::oauth2::ClientMetadata;
///
/// // A command line or a desktop application, on any port of loopback.
/// let native = ClientMetadata::native("Reports");
/// assert_eq!(native.redirect_uris().unwrap()[0], "http://127.0.0.1/callback");
///
/// let web = ClientMetadata::web("Reports")
///     .with_redirect_uris(["https://app.example.com/callback"])
///     .with_localized("client_name", "de", "Berichte")
///     .with_scope("reports:read");
/// assert_eq!(web.get("client_name#de").unwrap(), "Berichte");
/// ```
///
/// A server fills in what is not set: with the client's method of authentication and its grant types
/// chosen from what that server supports.
///
/// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2),
/// [OpenID Connect Registration section 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct ClientMetadata(Map<String, Value>);

impl ClientMetadata {
    /// Makes the metadata of a native application with this name for end-users: a command line, a
    /// desktop or mobile application. Its redirection URIs are `/callback` on any port of loopback
    /// until others are set.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    pub fn native(name: impl Into<String>) -> Self {
        Self::default()
            .with_application_type("native")
            .with_client_name(name)
            .with_redirect_uris(LOOPBACK_REDIRECT_URIS)
    }

    /// Makes the metadata of a web application with this name for end-users. Set its redirection
    /// URIs.
    ///
    /// [OpenID Connect Registration section 2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)
    pub fn web(name: impl Into<String>) -> Self {
        Self::default()
            .with_application_type("web")
            .with_client_name(name)
    }

    /// Any member.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member)
    }

    /// Sets any member.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Sets a member for end-users in a language, by its tag: `client_name` in `de`.
    ///
    /// [RFC 7591 section 2.2](https://www.rfc-editor.org/rfc/rfc7591#section-2.2)
    #[must_use]
    pub fn with_localized(self, member: &str, language: &str, text: impl Into<String>) -> Self {
        self.with_member(format!("{member}#{language}"), text.into())
    }

    /// Sets the fixed port of the redirection URIs on loopback, for servers that compare it.
    ///
    /// ```
    /// use oauth_twin::oauth2::ClientMetadata;
    ///
    /// let metadata = ClientMetadata::native("Reports").with_loopback_port(8976);
    /// assert_eq!(
    ///     metadata.redirect_uris().unwrap(),
    ///     ["http://127.0.0.1:8976/callback", "http://localhost:8976/callback"],
    /// );
    /// ```
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    #[must_use]
    pub fn with_loopback_port(self, port: u16) -> Self {
        let uris = self.redirect_uris().unwrap_or_default().into_iter();
        let with_port = |uri: &str| match Url::parse(uri) {
            Ok(mut url) if url.scheme() == "http" && is_loopback(&url) => {
                // It fails only for a URL without a host.
                let _ = url.set_port(Some(port));
                url.into()
            }
            _ => uri.to_owned(),
        };
        let uris: Vec<String> = uris.map(with_port).collect();
        match uris.is_empty() {
            true => self,
            false => self.with_redirect_uris(uris),
        }
    }

    /// The public keys of the client in the metadata themselves.
    ///
    /// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
    pub fn jwks(&self) -> Option<JwkSet> {
        serde_json::from_value(self.get("jwks")?.clone()).ok()
    }

    /// Sets the public keys of the client.
    ///
    /// [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
    #[must_use]
    pub fn with_jwks(self, keys: &JwkSet) -> Self {
        // A set of keys always serialises.
        let keys = serde_json::to_value(keys).unwrap_or_default();
        self.with_member("jwks", keys)
    }

    /// Whether the client has keys of its own.
    pub(crate) fn has_keys(&self) -> bool {
        self.get("jwks").is_some() || self.jwks_uri().is_some()
    }

    pub(crate) fn is_native(&self) -> bool {
        self.application_type() == Some("native")
    }

    /// Adds a member unless there is one.
    pub(crate) fn or_member(self, name: &str, value: impl FnOnce() -> Value) -> Self {
        match self.get(name).is_some() {
            true => self,
            false => self.with_member(name, value()),
        }
    }

    /// The metadata of an answer: `null` and `""` are "not given".
    pub(crate) fn given(members: Map<String, Value>) -> Self {
        let is_given = |(_, value): &(String, Value)| !value.is_null() && *value != "";
        Self(members.into_iter().filter(is_given).collect())
    }

    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Removes a member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Checks that the client may describe itself in this way. With a grant that redirects the user
    /// it needs redirection URIs.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(name) = ISSUED.iter().find(|name| self.get(name).is_some()) {
            return Err(Error::usage(format!(
                "the client metadata have the member {name}, which the server issues; remove it"
            )));
        }
        if self.has_private_key() {
            return Err(Error::usage(
                "the jwks of the client metadata have a private key; register the public one, by \
                 public_jwk",
            ));
        }
        let redirects = self.grant_types().is_none_or(|grants| {
            grants
                .iter()
                .any(|grant| matches!(*grant, "authorization_code" | "implicit"))
        });
        let uris = self.redirect_uris().unwrap_or_default();
        if redirects && uris.is_empty() {
            return Err(Error::usage(
                "the client metadata have no redirect_uris; set them, or grant_types without \
                 authorization_code",
            ));
        }
        for uri in uris {
            let problem = match Url::parse(uri) {
                Err(error) => format!("is not an absolute URI ({error})"),
                Ok(url) if url.fragment().is_some() => "must not have a fragment".to_owned(),
                Ok(_) => continue,
            };
            return Err(Error::usage(format!(
                "a redirect_uri of the client metadata {problem}"
            )));
        }
        Ok(())
    }

    /// Whether a key has a private part, which must never be published.
    fn has_private_key(&self) -> bool {
        let keys = self.get("jwks").and_then(|jwks| jwks.get("keys"));
        let keys = keys.and_then(Value::as_array).into_iter().flatten();
        let is_private = |key: &Value| PRIVATE_KEY_MEMBERS.iter().any(|it| key.get(it).is_some());
        keys.into_iter().any(is_private)
    }
}

impl<'de> Deserialize<'de> for ClientMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::given(Members::deserialize(deserializer)?.0))
    }
}

/// Shows the name and the redirection URIs, and only the names of other members.
impl fmt::Debug for ClientMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMetadata")
            .field("client_name", &self.client_name())
            .field("redirect_uris", &self.redirect_uris().unwrap_or_default())
            .field("members", &self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::{Algorithm, SigningKey};

    #[test]
    fn a_native_client_has_both_spellings_of_loopback_and_a_port_if_one_is_set() {
        let native = ClientMetadata::native("Reports");
        assert_eq!(native.application_type(), Some("native"));
        assert_eq!(
            native.redirect_uris(),
            Some(vec![
                "http://127.0.0.1/callback",
                "http://localhost/callback"
            ])
        );
        let mixed = native
            .with_redirect_uris(["http://[::1]/back?a=b", "com.example.app:/back"])
            .with_loopback_port(7);
        assert_eq!(
            mixed.redirect_uris(),
            Some(vec!["http://[::1]:7/back?a=b", "com.example.app:/back"])
        );
        let web = ClientMetadata::web("Reports").with_loopback_port(7);
        assert_eq!(web.redirect_uris(), None);
    }

    #[test]
    fn null_and_empty_texts_are_not_given() {
        let text = r#"{"client_name":"a","tos_uri":"","grant_types":null,"x":0,"y":[]}"#;
        let metadata: ClientMetadata = serde_json::from_str(text).expect("metadata");
        let kept: Vec<_> = metadata.members().keys().collect();
        assert_eq!(kept, ["client_name", "x", "y"]);
        for text in ["[]", "7", r#"{"a":1,"a":2}"#] {
            assert!(serde_json::from_str::<ClientMetadata>(text).is_err());
        }
    }

    #[test]
    fn what_must_not_be_sent_is_named() {
        let good = ClientMetadata::web("a").with_redirect_uris(["https://a.example/"]);
        assert!(good.check().is_ok());
        let pem = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
        let key = SigningKey::from_pem(Algorithm::ES256, pem).expect("a key");
        let public = JwkSet::new(key.public_jwk());
        assert!(good.clone().with_jwks(&public).check().is_ok());
        let private = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "", "d": "hunter2"}]});
        let secret = json!({"keys": [{"kty": "oct", "k": "hunter2"}]});
        for (metadata, word) in [
            (good.clone().with_member("client_id", "x"), "client_id"),
            (
                good.clone().with_member("client_secret", "hunter2"),
                "client_secret",
            ),
            (
                good.clone().with_member("registration_access_token", "t"),
                "registration_access_token",
            ),
            (good.clone().with_member("jwks", private), "private key"),
            (good.clone().with_member("jwks", secret), "private key"),
            (ClientMetadata::web("a"), "no redirect_uris"),
            (
                ClientMetadata::web("a").with_grant_types(["authorization_code"]),
                "no redirect_uris",
            ),
            (
                good.clone().with_redirect_uris(["/callback"]),
                "not an absolute",
            ),
            (
                good.with_redirect_uris(["https://a.example/#x"]),
                "a fragment",
            ),
        ] {
            let error = metadata.check().expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("hunter2"));
        }
        let service = ClientMetadata::default().with_grant_types(["client_credentials"]);
        assert!(service.check().is_ok());
    }

    #[test]
    fn debug_tells_names_only() {
        let metadata = ClientMetadata::web("a").with_software_statement("hunter2");
        assert_eq!(
            format!("{metadata:?}"),
            "ClientMetadata { client_name: Some(\"a\"), redirect_uris: [], members: \
             [\"application_type\", \"client_name\", \"software_statement\"] }"
        );
    }
}
