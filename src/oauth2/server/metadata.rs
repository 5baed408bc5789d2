//! Authorization server metadata: issuer identifier, endpoints, supported features.
//!
//! [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Result},
    jose::JwkSet,
    json::Members,
    wire::{
        document::{Document, Freshness},
        secure_url::{check_endpoint_url, parse_endpoint, without_query},
    },
};

/// Metadata of an authorization server, with typed accessors and open to further members.
///
/// Cheap to clone. It serialises to the JSON object of RFC 8414, and keeps unknown members. URLs
/// are checked when it makes an endpoint, such as a
/// [`TokenEndpoint`](crate::oauth2::TokenEndpoint), and when a client is built.
///
/// ```
/// use oauth_twin::oauth2::AuthorizationServer;
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_token_endpoint("https://id.example.com/token")
///     .with_code_challenge_methods_supported(["S256"])
///     .with_member("tenant", "a");
/// assert_eq!(server.token_endpoint().unwrap().path(), "/token");
/// assert_eq!(server.get("tenant").unwrap(), "a");
///
/// let kept = serde_json::to_string(&server)?;
/// assert_eq!(serde_json::from_str::<AuthorizationServer>(&kept)?, server);
///
/// // Many servers document their endpoints, but no issuer identifier.
/// let server = AuthorizationServer::default()
///     .with_authorization_endpoint("https://github.com/login/oauth/authorize")
///     .with_token_endpoint("https://github.com/login/oauth/access_token");
/// assert_eq!(server.issuer(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
#[derive(Clone, Default)]
pub struct AuthorizationServer(Arc<Metadata>);

#[derive(Clone, Default)]
struct Metadata {
    members: Map<String, Value>,
    /// Members that are URLs, parsed once, by name: too few for a map of their own.
    urls: Vec<(String, Arc<Url>)>,
    /// Of metadata that were fetched.
    freshness: Option<Freshness>,
}

impl AuthorizationServer {
    /// Makes the metadata of a server with this issuer identifier. Begin with
    /// [`default`](Self::default) if it is not known.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self::default().with_issuer(issuer)
    }

    /// Any member of the metadata.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.members.get(member)
    }

    /// Sets any member.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name.into(), value.into());
        self
    }

    // Compiled once for all types of values.
    fn set(&mut self, name: String, value: Value) {
        Arc::make_mut(&mut self.0).insert(name, value);
    }

    /// Endpoints for clients that authenticate by TLS certificate.
    ///
    /// [RFC 8705 section 5](https://www.rfc-editor.org/rfc/rfc8705#section-5)
    pub fn mtls_endpoint_aliases(&self) -> Option<&Map<String, Value>> {
        self.get("mtls_endpoint_aliases")?.as_object()
    }

    /// The keys in the metadata themselves.
    ///
    /// [OpenID Federation section 5.2.1](https://openid.net/specs/openid-federation-1_0.html#section-5.2.1)
    pub fn jwks(&self) -> Option<JwkSet> {
        serde_json::from_value(self.get("jwks")?.clone()).ok()
    }

    /// The time at which the metadata were fetched, if they were. Metadata that were kept do not
    /// know it.
    pub fn fetched_at(&self) -> Option<SystemTime> {
        let freshness = self.0.freshness?;
        Some(UNIX_EPOCH + freshness.fetched_at())
    }

    /// The time at which metadata that were fetched have to be fetched again: after the lifetime
    /// that HTTP gives them, at least a minute and at most a day.
    pub fn fresh_until(&self) -> Option<SystemTime> {
        let freshness = self.0.freshness?;
        Some(UNIX_EPOCH + freshness.expires_at())
    }

    /// The metadata as they were fetched.
    pub(crate) fn fetched(members: Map<String, Value>, freshness: Freshness) -> Self {
        let mut metadata = Metadata {
            freshness: Some(freshness),
            ..Metadata::default()
        };
        for (name, value) in members {
            metadata.add(name, value);
        }
        Self(Arc::new(metadata))
    }

    /// The metadata with the members of `other` instead of its own.
    pub(crate) fn overridden_by(mut self, other: &Self) -> Self {
        for (name, value) in &other.0.members {
            self.set(name.clone(), value.clone());
        }
        self
    }

    /// Whether the metadata need not be fetched: they are fresh, or could not be fetched a moment ago.
    pub(crate) fn is_current(&self, now: SystemTime) -> bool {
        let freshness = self.0.freshness;
        freshness.is_none_or(|it| it.is_fresh(now) || it.is_cooling_down(now))
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.members.keys().map(String::as_str)
    }

    /// The members that are endpoints, with their URLs.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&str, &Url)> {
        self.0.urls.iter().map(|(name, url)| (&**name, &**url))
    }

    /// Whether the server offers `value`, as the list `name` of its metadata says. It narrows
    /// nothing if it is absent, or has no value that is `known`.
    pub(crate) fn offers(&self, name: &str, value: &str, known: &[&str]) -> bool {
        let list = self.list(name).unwrap_or_default();
        !list.iter().any(|one| known.contains(one)) || list.contains(&value)
    }

    /// The checked URL of an endpoint, if there is one; or what is wrong with it.
    pub(crate) fn endpoint(
        &self,
        name: &str,
        allow_http: bool,
    ) -> Result<Option<Arc<Url>>, String> {
        if let Some(url) = self.0.url(name) {
            return check_endpoint_url(url, allow_http).map(|()| Some(url.clone()));
        }
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                parse_endpoint(value.as_str().unwrap_or_default()).map(|url| Some(Arc::new(url)))
            }
        }
    }

    /// The checked URL of an endpoint for clients with a TLS certificate, if there is one; or what is
    /// wrong with it.
    ///
    /// "When present, an OAuth client intending to do mutual TLS [...] MUST use the alias URL of the
    /// endpoint within the "mtls_endpoint_aliases", when present, in preference to the endpoint URL
    /// of the same name at the top level of metadata."
    pub(crate) fn alias(&self, name: &str, allow_http: bool) -> Result<Option<Arc<Url>>, String> {
        match self.mtls_endpoint_aliases().and_then(|it| it.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let url = parse_endpoint(value.as_str().unwrap_or_default())?;
                check_endpoint_url(&url, allow_http).map(|()| Some(Arc::new(url)))
            }
        }
    }

    /// The names and URLs of all endpoints for clients with a TLS certificate.
    pub(crate) fn alias_urls(&self) -> impl Iterator<Item = (&str, Url)> {
        let aliases = self.mtls_endpoint_aliases().into_iter().flatten();
        aliases.filter_map(|(name, value)| Some((&**name, Url::parse(value.as_str()?).ok()?)))
    }

    /// The checked URL of an endpoint that a request is sent to: its alias for clients with a TLS
    /// certificate, if that is wanted and there is one.
    pub(crate) fn required_endpoint_or_alias(
        &self,
        name: &str,
        allow_http: bool,
        wants_alias: bool,
    ) -> Result<Arc<Url>> {
        if wants_alias {
            let alias = self.alias(name, allow_http).map_err(|problem| {
                Error::usage(format!("mtls_endpoint_aliases.{name} {problem}"))
            })?;
            if let Some(alias) = alias {
                return Ok(alias);
            }
        }
        self.required_endpoint(name, allow_http)
    }

    /// The checked URL of an endpoint that a request is sent to.
    pub(crate) fn required_endpoint(&self, name: &str, allow_http: bool) -> Result<Arc<Url>> {
        match self.endpoint(name, allow_http) {
            Ok(Some(url)) => Ok(url),
            Ok(None) => Err(Error::usage(format!(
                "the {name} of the server is not known; set it"
            ))),
            Err(problem) => Err(Error::usage(format!("{name} {problem}"))),
        }
    }

    pub(super) fn url(&self, name: &str) -> Option<&Url> {
        self.0.url(name).map(|url| &**url)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let values = self.get(name)?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A flag that makes the client stricter. Some servers send it as text (WSO2 Identity Server).
    pub(super) fn strict_flag(&self, name: &str) -> bool {
        let text = self.text(name).unwrap_or_default();
        self.flag(name) || text.eq_ignore_ascii_case("true")
    }
}

impl Document for AuthorizationServer {
    fn freshness_mut(&mut self) -> &mut Freshness {
        Arc::make_mut(&mut self.0).freshness.get_or_insert_default()
    }
}

/// Compares the members.
impl PartialEq for AuthorizationServer {
    fn eq(&self, other: &Self) -> bool {
        self.0.members == other.0.members
    }
}

impl Metadata {
    fn url(&self, name: &str) -> Option<&Arc<Url>> {
        let (_, url) = self.urls.iter().find(|(known, _)| known == name)?;
        Some(url)
    }

    fn insert(&mut self, name: String, value: Value) {
        self.urls.retain(|(known, _)| *known != name);
        self.add(name, value);
    }

    /// Adds a member that is not there yet: a document may have very many.
    fn add(&mut self, name: String, value: Value) {
        let is_url =
            name.ends_with("_endpoint") || name.ends_with("_uri") || name == "check_session_iframe";
        let text = value.as_str().filter(|_| is_url);
        if let Some(url) = text.and_then(|text| Url::parse(text).ok()) {
            self.urls.push((name.clone(), Arc::new(url)));
        }
        self.members.insert(name, value);
    }
}

impl Serialize for AuthorizationServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.members.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AuthorizationServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut metadata = Metadata::default();
        for (name, value) in Members::deserialize(deserializer)?.0 {
            metadata.add(name, value);
        }
        Ok(Self(Arc::new(metadata)))
    }
}

/// Omits the query of the URL, in which some servers require a key, and the values of other
/// members.
impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer")
            .field("issuer", &self.issuer())
            .field("token_endpoint", &self.token_endpoint().map(without_query))
            .field("members", &self.0.members.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests;
