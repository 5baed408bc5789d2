//! Discovery of a server: where its metadata are, and what they have to say.
//!
//! [OpenID Connect Discovery section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig),
//! [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3)

use std::collections::VecDeque;

use url::Url;

use super::tenants::{ExpectedIssuer, Tenants};
use crate::wire::secure_url::check_endpoint;

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Server to be discovered: its issuer identifier, and the exceptions that it needs.
///
/// The discovery methods of clients also take the issuer identifier alone, as text.
///
/// ```
/// use oauth_twin::oauth2::Discovery;
///
/// let keycloak = Discovery::at("https://sso.example.com/realms/reports");
///
/// // Metadata in another place than the issuer identifier says.
/// let b2c = Discovery::at("https://t.b2clogin.com/t.onmicrosoft.com/b2c_1_in/v2.0")
///     .expect_issuer("https://t.b2clogin.com/11111111-2222-3333-4444-555555555555/v2.0/");
///
/// // Microsoft Entra ID with the accounts of two organizations.
/// let entra = Discovery::at("https://login.microsoftonline.com/organizations/v2.0")
///     .tenants(["11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"]);
/// ```
///
/// # Security
///
/// The `issuer` of the metadata has to be the expected one, character by character. A server that
/// the calling code names may be on a private address; if it is not, then neither may its
/// endpoints. Nothing is ever sent to link-local addresses, where clouds publish credentials. Where a
/// user or another server names the server, call [`public_only`](Self::public_only).
///
/// [OpenID Connect Discovery section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)
#[derive(Clone, Debug)]
pub struct Discovery {
    location: String,
    issuer: Option<String>,
    pub(crate) tenants: Tenants,
    pub(crate) assume_s256: bool,
    pub(crate) allow_private: bool,
    /// Whether the server is named by a stranger.
    pub(crate) public_only: bool,
    /// Whether a protected resource names the server.
    is_of_resource: bool,
}

impl Discovery {
    /// Discovers the server with this issuer identifier, or the one whose metadata are at this URL,
    /// with `/.well-known/` in it.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            location: url.into(),
            issuer: None,
            tenants: Tenants::None,
            assume_s256: false,
            allow_private: false,
            public_only: false,
            is_of_resource: false,
        }
    }

    /// The server that a protected resource names by its issuer identifier, and by no other URL.
    pub(crate) fn of_resource(issuer: &str) -> Self {
        Self {
            issuer: Some(issuer.to_owned()),
            is_of_resource: true,
            ..Self::at(issuer)
        }
    }

    /// Expects this `issuer` in the metadata, for a server whose identifier is not the URL that
    /// leads to them.
    ///
    /// [RFC 8414 section 3.3](https://www.rfc-editor.org/rfc/rfc8414#section-3.3)
    #[must_use]
    pub fn expect_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts the tokens of these tenants, for an `issuer` with `{tenantid}` (Microsoft Entra ID).
    /// Each is the GUID of an organization.
    #[must_use]
    pub fn tenants(mut self, tenants: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.tenants = Tenants::These(tenants.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts the tokens of any tenant, for an `issuer` with `{tenantid}`.
    ///
    /// # Security
    ///
    /// Every organization in the world can then issue accounts. Tell them apart by issuer and
    /// subject together, never by an e-mail address.
    #[must_use]
    pub fn any_tenant(mut self) -> Self {
        self.tenants = Tenants::Any;
        self
    }

    /// Assumes that the server supports PKCE with S256, whatever its metadata say.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    #[must_use]
    pub fn assume_s256(mut self) -> Self {
        self.assume_s256 = true;
        self
    }

    /// Permits private addresses of endpoints, whatever address the server itself has. Link-local
    /// addresses stay refused.
    ///
    /// # Security
    ///
    /// Whoever controls the metadata can have requests sent into the network of the client.
    #[must_use]
    pub fn dangerous_allow_private_addresses(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Refuses private addresses of the server itself, too, and plain HTTP, also on loopback: for an
    /// issuer that a stranger names, such as the user who logs in. A host one of whose addresses is not
    /// public is refused, whatever the others are. Hosts of endpoints that the calling code sets may
    /// be private.
    ///
    /// ```
    /// use oauth_twin::oauth2::Discovery;
    ///
    /// # let issuer = "https://pds.example.com";
    /// let server = Discovery::at(issuer).public_only(); // the issuer is the one that the user's server names
    /// ```
    ///
    /// # Security
    ///
    /// The addresses are checked when a connection is made. A proxy resolves names itself, and has to
    /// check them itself. Requests to APIs are not checked.
    ///
    /// [RFC 9728 section 7.7](https://www.rfc-editor.org/rfc/rfc9728#section-7.7)
    #[must_use]
    pub fn public_only(mut self) -> Self {
        self.public_only = true;
        self
    }

    /// Whether another issuer is expected than the URL says.
    pub(crate) fn has_exception(&self) -> bool {
        self.issuer.is_some()
    }

    /// Whether the issuer stands for many tenants.
    pub(crate) fn has_tenants(&self) -> bool {
        self.tenants != Tenants::None
    }

    /// The issuer that the metadata have to name.
    pub(crate) fn expected_issuer(&self) -> ExpectedIssuer {
        let issuer = self.issuer.clone();
        ExpectedIssuer {
            issuer: issuer.unwrap_or_else(|| issuer_of(&self.location)),
            tenants: self.tenants.clone(),
            is_of_resource: self.is_of_resource,
        }
    }

    /// The checked URL that was given, or what is wrong with it.
    pub(crate) fn url(&self, allow_http: bool) -> Result<Url, String> {
        let url = check_endpoint(&self.location, allow_http)?;
        if self.public_only && url.scheme() != "https" {
            return Err("must be an https URL, as public_only is set".to_owned());
        }
        if self.public_only && self.allow_private {
            return Err(
                "cannot be public_only and have private addresses (dangerous_allow_private_addresses)"
                    .to_owned(),
            );
        }
        if url.query().is_some() && !self.is_document(&url) {
            return Err("must not have a query".to_owned());
        }
        Ok(url)
    }

    /// Places where the metadata may be, in this order: OpenID Connect's comes first, as that
    /// document has more members at some providers (Okta). For the server of a protected resource,
    /// the order is that of MCP: each document is at a place that the issuer's path is a part of.
    pub(crate) fn candidates(&self, url: Url) -> VecDeque<Url> {
        if self.is_document(&url) {
            return [url].into();
        }
        // "If the Issuer value contains a path component, any terminating / MUST be removed before
        // appending /.well-known/openid-configuration."
        let path = url
            .path()
            .strip_suffix('/')
            .unwrap_or(url.path())
            .to_owned();
        let with_path = |path: String| {
            let mut url = url.clone();
            url.set_path(&path);
            url
        };
        let appended = with_path(format!("{path}{OPENID}"));
        let inserted = with_path(format!("{OAUTH}{path}"));
        match (self.is_of_resource, path.is_empty()) {
            (false, _) => [appended, inserted].into(),
            (true, true) => [inserted, appended].into(),
            (true, false) => [inserted, with_path(format!("{OPENID}{path}")), appended].into(),
        }
    }

    /// Whether the URL is that of the metadata themselves. A protected resource names no such URL.
    fn is_document(&self, url: &Url) -> bool {
        !self.is_of_resource && url.path().contains("/.well-known/")
    }
}

/// The server with this issuer identifier.
impl From<&str> for Discovery {
    fn from(issuer: &str) -> Self {
        Self::at(issuer)
    }
}

/// The server with this issuer identifier.
impl From<String> for Discovery {
    fn from(issuer: String) -> Self {
        Self::at(issuer)
    }
}

/// The server with this issuer identifier.
impl From<&String> for Discovery {
    fn from(issuer: &String) -> Self {
        Self::at(issuer)
    }
}

/// The issuer of the metadata at `location`: without what makes it a well-known URL.
fn issuer_of(location: &str) -> String {
    let without_query = location.split(['?', '#']).next().unwrap_or_default();
    for known in [OPENID, OAUTH] {
        if let Some((before, after)) = without_query.split_once(known) {
            return format!("{before}{after}");
        }
    }
    location.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(url: &str) -> Vec<String> {
        places(&Discovery::at(url))
    }

    fn places(discovery: &Discovery) -> Vec<String> {
        let url = discovery.url(false).expect("a URL");
        let places = discovery.candidates(url);
        places.into_iter().map(Url::into).collect()
    }

    #[test]
    fn the_server_of_a_resource_has_its_path_in_each_place() {
        let of = |issuer| places(&Discovery::of_resource(issuer));
        for issuer in ["https://id.example/a/b", "https://id.example/a/b/"] {
            assert_eq!(
                of(issuer),
                [
                    "https://id.example/.well-known/oauth-authorization-server/a/b",
                    "https://id.example/.well-known/openid-configuration/a/b",
                    "https://id.example/a/b/.well-known/openid-configuration",
                ]
            );
        }
        for issuer in ["https://id.example", "https://id.example/"] {
            assert_eq!(
                of(issuer),
                [
                    "https://id.example/.well-known/oauth-authorization-server",
                    "https://id.example/.well-known/openid-configuration",
                ]
            );
        }
        // Nor can it name a document.
        let document = "https://id.example/.well-known/openid-configuration";
        assert!(!of(document).contains(&document.to_owned()));
        let named = Discovery::of_resource(document);
        assert_eq!(named.expected_issuer().issuer, document);
        assert!(
            Discovery::of_resource("https://id.example/a?b")
                .url(false)
                .is_err()
        );
    }

    #[test]
    fn openid_connect_s_place_comes_first() {
        for issuer in ["https://id.example", "https://id.example/"] {
            assert_eq!(
                candidates(issuer),
                [
                    "https://id.example/.well-known/openid-configuration",
                    "https://id.example/.well-known/oauth-authorization-server",
                ]
            );
        }
        for issuer in ["https://id.example/a/b", "https://id.example/a/b/"] {
            assert_eq!(
                candidates(issuer),
                [
                    "https://id.example/a/b/.well-known/openid-configuration",
                    "https://id.example/.well-known/oauth-authorization-server/a/b",
                ]
            );
        }
        // One terminating slash is removed, no more.
        assert_eq!(
            candidates("https://id.example/a//")[0],
            "https://id.example/a//.well-known/openid-configuration"
        );
        let document = "https://id.example/.well-known/openid-configuration?p=b2c_1_in";
        assert_eq!(candidates(document), [document]);
    }

    #[test]
    fn the_issuer_is_kept_as_it_was_given() {
        for (location, issuer) in [
            ("https://ID.example:443/a/", "https://ID.example:443/a/"),
            ("https://id.example", "https://id.example"),
            (
                "https://id.example/a/.well-known/openid-configuration?p=1",
                "https://id.example/a",
            ),
            (
                "https://id.example/.well-known/oauth-authorization-server/a",
                "https://id.example/a",
            ),
            (
                "https://id.example/.well-known/other",
                "https://id.example/.well-known/other",
            ),
        ] {
            assert_eq!(Discovery::at(location).expected_issuer().issuer, issuer);
        }
        let named = Discovery::at("https://a").expect_issuer("https://b");
        assert_eq!(named.expected_issuer().issuer, "https://b");
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "ftp://id.example",
            "https://id.example?a=b",
            "https://id.example#a",
            "https://a:b@id.example",
            "file:///etc/passwd",
        ] {
            assert!(Discovery::at(bad).url(false).is_err(), "{bad}");
        }
        assert!(Discovery::at("http://id.example").url(true).is_ok());
        assert!(Discovery::at("http://127.0.0.1:1").url(false).is_ok());
    }

    #[test]
    fn a_stranger_names_https_alone() {
        let of = |url: &str| Discovery::at(url).public_only();
        for bad in [
            "http://id.example",
            "http://127.0.0.1:1",
            "http://localhost",
        ] {
            for allow_http in [false, true] {
                assert!(of(bad).url(allow_http).is_err(), "{bad}");
            }
        }
        assert!(of("https://id.example").url(false).is_ok());
        let contradictory = of("https://id.example").dangerous_allow_private_addresses();
        let problem = contradictory.url(false).expect_err("a contradiction");
        assert!(problem.contains("public_only"), "{problem}");
    }
}
