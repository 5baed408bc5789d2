//! Protected resource metadata.
//!
//! [RFC 9728 section 2](https://www.rfc-editor.org/rfc/rfc9728#section-2)

use std::{fmt, sync::Arc};

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use super::identifier::{ResourceMatch, well_known_urls};
use crate::{
    error::{Error, Result, one_line},
    json::Members,
    wire::{
        document::{Document, Freshness},
        response::EndpointResponse,
    },
};

/// Limit of the authorization servers and of the scopes that are read: a list of a stranger's.
const MAX_VALUES: usize = 128;

/// Metadata of a protected resource: its identifier, its authorization servers, its scopes.
///
/// Cheap to clone. It serialises to the JSON object of RFC 9728, and keeps unknown members. The
/// clients read it by themselves; for another HTTP library:
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::{
///     oauth2::{EndpointResponse, ProtectedResource, ResourceMatch},
///     url::Url,
/// };
///
/// let url = Url::parse("https://mcp.example.com/mcp")?;
/// let places = ProtectedResource::well_known_urls(&url);
/// assert_eq!(places[0].path(), "/.well-known/oauth-protected-resource/mcp");
///
/// let body = r#"{
///     "resource": "https://mcp.example.com/mcp",
///     "authorization_servers": ["https://id.example.com"]
/// }"#;
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
/// let resource = ProtectedResource::read_response(&response, &url, ResourceMatch::Identical)?;
/// assert_eq!(resource.authorization_servers(), ["https://id.example.com"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RFC 9728 section 2](https://www.rfc-editor.org/rfc/rfc9728#section-2)
#[derive(Clone, Default)]
pub struct ProtectedResource {
    members: Arc<Map<String, Value>>,
    freshness: Freshness,
}

impl ProtectedResource {
    /// Makes the metadata of a resource with this identifier.
    pub fn new(resource: impl Into<String>) -> Self {
        Self::default().with_member("resource", resource.into())
    }

    /// Any member of the metadata.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.members.get(member)
    }

    /// Sets any member.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.members).insert(name.into(), value.into());
        self
    }

    /// The identifier of the resource, which is sent to the authorization server as it is.
    pub fn resource(&self) -> Option<&str> {
        self.text("resource")
    }

    /// The issuer identifiers of the authorization servers, of which the client chooses one. Those
    /// after the 128th are ignored.
    pub fn authorization_servers(&self) -> Vec<&str> {
        self.list("authorization_servers").unwrap_or_default()
    }

    /// The scopes that are used at the resource. Those after the 128th are ignored.
    pub fn scopes_supported(&self) -> Option<Vec<&str>> {
        self.list("scopes_supported")
    }

    /// The ways to send a bearer token: `header`, `body`, `query`.
    pub fn bearer_methods_supported(&self) -> Option<Vec<&str>> {
        self.list("bearer_methods_supported")
    }

    /// The name of the resource for display.
    pub fn resource_name(&self) -> Option<&str> {
        self.text("resource_name")
    }

    /// Whether the resource requires tokens that are bound to a key of the client.
    ///
    /// [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)
    pub fn dpop_bound_access_tokens_required(&self) -> bool {
        self.flag("dpop_bound_access_tokens_required")
    }

    /// Whether the resource requires tokens that are bound to a certificate of the client.
    ///
    /// [RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)
    pub fn tls_client_certificate_bound_access_tokens(&self) -> bool {
        self.flag("tls_client_certificate_bound_access_tokens")
    }

    /// The places where the metadata of the resource at `url` may be, if its challenge does not say
    /// so: for its path, then for its origin.
    ///
    /// [RFC 9728 section 3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1)
    pub fn well_known_urls(url: &Url) -> Vec<Url> {
        well_known_urls(url)
    }

    /// Reads the response to a `GET` request for the metadata of the resource at `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) for a status of 500 and above;
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) for any other response that is not metadata,
    /// or is the metadata of another resource.
    ///
    /// [RFC 9728 section 3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3)
    pub fn read_response(
        response: &EndpointResponse,
        url: &Url,
        rule: ResourceMatch,
    ) -> Result<Self> {
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(response.answer().failure("the metadata of the resource"));
        }
        if status != StatusCode::OK {
            return Err(Error::answer(
                "there are no metadata of the resource",
                status,
            ));
        }
        let Ok(members) = Members::from_slice(response.body()) else {
            let problem = "it is not a JSON object, or has a duplicate member";
            return Err(Error::answer(problem, status));
        };
        let Some(Value::String(resource)) = members.get("resource") else {
            return Err(Error::answer("the metadata name no resource", status));
        };
        if !rule.permits(resource, url) {
            let mut asked = url.clone();
            asked.set_query(None);
            return Err(Error::untrusted(format!(
                "the metadata are those of the resource {:?}, and {:?} was asked for them",
                one_line(resource),
                asked.as_str(),
            )));
        }
        Ok(Self {
            members: Arc::new(members),
            freshness: Freshness::default(),
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn list(&self, name: &str) -> Option<Vec<&str>> {
        let values = self.get(name)?.as_array()?;
        let values = values.iter().filter_map(Value::as_str);
        Some(values.take(MAX_VALUES).collect())
    }

    /// A flag that makes the client stricter, as text too.
    fn flag(&self, name: &str) -> bool {
        let text = self.text(name).unwrap_or_default();
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
            || text.eq_ignore_ascii_case("true")
    }
}

impl Document for ProtectedResource {
    fn freshness_mut(&mut self) -> &mut Freshness {
        &mut self.freshness
    }
}

/// Compares the members.
impl PartialEq for ProtectedResource {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Serialize for ProtectedResource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProtectedResource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            members: Arc::new(Members::deserialize(deserializer)?.0),
            freshness: Freshness::default(),
        })
    }
}

/// Omits the values of members other than the identifiers.
impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResource")
            .field("resource", &self.resource())
            .field("authorization_servers", &self.authorization_servers())
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    const URL: &str = "https://mcp.example/mcp";

    fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<ProtectedResource> {
        let status = StatusCode::from_u16(status).expect("a status");
        let response = EndpointResponse::new(status, HeaderMap::new(), body);
        let url = Url::parse(URL).expect("a URL");
        ProtectedResource::read_response(&response, &url, ResourceMatch::Prefix)
    }

    #[test]
    fn members_are_read_and_unknown_ones_kept() {
        let document = json!({
            "resource": URL, "authorization_servers": ["https://a", 7, "https://b"],
            "scopes_supported": ["x", "y"], "bearer_methods_supported": ["header"],
            "resource_name": "MCP", "dpop_bound_access_tokens_required": "TRUE", "own": 1,
        });
        let resource = read(200, document.to_string()).expect("metadata");
        assert_eq!(resource.resource(), Some(URL));
        assert_eq!(resource.authorization_servers(), ["https://a", "https://b"]);
        assert_eq!(resource.scopes_supported(), Some(vec!["x", "y"]));
        assert_eq!(resource.bearer_methods_supported(), Some(vec!["header"]));
        assert_eq!(resource.resource_name(), Some("MCP"));
        assert!(resource.dpop_bound_access_tokens_required());
        assert!(!resource.tls_client_certificate_bound_access_tokens());
        assert_eq!(serde_json::to_value(&resource).expect("JSON"), document);
        let again: ProtectedResource = serde_json::from_value(document).expect("metadata");
        assert_eq!(again, resource);
    }

    #[test]
    fn what_is_no_metadata_of_the_resource_is_refused() {
        for (status, body, kind) in [
            (404, "{}", ErrorKind::Answer),
            (302, "{}", ErrorKind::Answer),
            (204, "", ErrorKind::Answer),
            (500, "{}", ErrorKind::Server),
            (429, "{}", ErrorKind::Server),
            (200, "<html>", ErrorKind::Answer),
            (200, "[]", ErrorKind::Answer),
            (200, "{}", ErrorKind::Answer),
            (200, r#"{"resource": 7}"#, ErrorKind::Answer),
            (
                200,
                r#"{"resource": "https://mcp.example", "resource": "https://mcp.example"}"#,
                ErrorKind::Answer,
            ),
            (
                200,
                r#"{"resource": "https://evil.example/mcp"}"#,
                ErrorKind::Answer,
            ),
            (
                200,
                r#"{"resource": "https://mcp.example/mcp2"}"#,
                ErrorKind::Answer,
            ),
        ] {
            let error = read(status, body).expect_err(body);
            assert_eq!(error.kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let many = vec!["x"; 10_000];
        let document = json!({"resource": URL, "scopes_supported": many});
        let resource = read(200, document.to_string()).expect("metadata");
        assert_eq!(
            resource.scopes_supported().map(|it| it.len()),
            Some(MAX_VALUES)
        );
        let wrong = json!({"resource": URL, "scopes_supported": "x"});
        let resource = read(200, wrong.to_string()).expect("metadata");
        assert_eq!(resource.scopes_supported(), None);
        assert!(resource.authorization_servers().is_empty());
    }

    #[test]
    fn debug_shows_identifiers_alone() {
        let resource = ProtectedResource::new(URL).with_member("own", "hunter2");
        assert_eq!(
            format!("{resource:?}"),
            "ProtectedResource { resource: Some(\"https://mcp.example/mcp\"), \
             authorization_servers: [], members: [\"own\", \"resource\"] }"
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200), value in "\\PC*") {
            let _ = read(200, body);
            let document = json!({"resource": value, "authorization_servers": [value], "scopes_supported": value});
            if let Ok(resource) = read(200, document.to_string()) {
                prop_assert!(resource.resource().is_some());
            }
        }
    }
}
