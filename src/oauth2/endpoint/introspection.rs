//! Token introspection.
//!
//! [RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    oauth2::{
        client_auth::certificate::value::confirmed_thumbprint,
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            revocation::form,
            token_response::answer,
        },
        hook::Message,
        request::EndpointRequest,
        response::EndpointResponse,
        token::members::time,
    },
    secret::Secret,
};

/// Introspection endpoint of a server, for one client. It builds requests and reads responses, which you send and
/// receive with any HTTP library. The clients of this crate use it themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientRegistration, EndpointResponse, IntrospectionEndpoint,
/// };
///
/// let server = AuthorizationServer::default()
///     .with_introspection_endpoint("https://id.example.com/introspect");
/// let client = ClientRegistration::new("id").with_client_secret("secret");
/// let endpoint = IntrospectionEndpoint::new(&server, &client)?;
/// let request = endpoint.request(&"mF_9.B5f-4.1JqM".into(), None)?;
/// // … send it, then:
/// let body = r#"{"active":true,"username":"jdoe"}"#;
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
/// assert_eq!(endpoint.read_response(&request, response)?.username(), Some("jdoe"));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7662 section 2](https://www.rfc-editor.org/rfc/rfc7662#section-2)
#[derive(Clone, Debug)]
pub struct IntrospectionEndpoint(Endpoint);

authenticated_endpoint!(IntrospectionEndpoint at "introspection_endpoint");

impl IntrospectionEndpoint {
    /// Builds an authenticated request to introspect `token`.
    ///
    /// # Errors
    ///
    /// If a hook or the client authentication fails.
    ///
    /// [RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)
    pub fn request(&self, token: &Secret, hint: Option<&TokenTypeHint>) -> Result<EndpointRequest> {
        self.0.request(form(token, hint), Message::Introspection)
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// The server's own error, or an error about an invalid response.
    ///
    /// [RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: EndpointResponse,
    ) -> Result<Introspection> {
        let members = answer(request, &response)?;
        Introspection::from_members(members)
            .map_err(|problem| Error::answer(problem, response.status()).of_call(&request.call()))
    }
}

/// Introspection response: the server's information about a token.
///
/// ```
/// # fn show(introspection: &oauth_twin::oauth2::Introspection) {
/// if introspection.is_active() {
///     println!("{:?} until {:?}", introspection.username(), introspection.expires_at());
/// }
/// # }
/// ```
///
/// [RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)
#[derive(Clone, PartialEq)]
pub struct Introspection {
    active: bool,
    members: Map<String, Value>,
}

impl Introspection {
    /// The response with these members, or why they are invalid.
    fn from_members(members: Map<String, Value>) -> Result<Self, String> {
        match members.get("active") {
            Some(Value::Bool(active)) => Ok(Self {
                active: *active,
                members,
            }),
            Some(_) => Err("the member active is not a boolean".to_owned()),
            None => Err("the response has no member active".to_owned()),
        }
    }

    /// Whether the token is valid now.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// The scope of the token.
    pub fn scope(&self) -> Option<&str> {
        self.text("scope")
    }

    /// The client that the token was issued to.
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// The human-readable name of the resource owner.
    pub fn username(&self) -> Option<&str> {
        self.text("username")
    }

    /// The token type.
    pub fn token_type(&self) -> Option<&str> {
        self.text("token_type")
    }

    /// The subject of the token, usually the resource owner.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// The identifier of the token.
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The audience: one or several.
    pub fn audience(&self) -> Vec<&str> {
        match self.members.get("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(audience)) => audience.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The expiry, to the second.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// The time of issue, to the second.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    /// The start of validity, to the second.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.time("nbf")
    }

    /// The thumbprint of the client certificate that the token is bound to, if it is:
    /// [`certificate_thumbprint`](crate::oauth2::certificate_thumbprint) makes one to compare.
    ///
    /// [RFC 8705 section 3.2](https://www.rfc-editor.org/rfc/rfc8705#section-3.2)
    pub fn certificate_thumbprint(&self) -> Option<&str> {
        confirmed_thumbprint(self.members.get("cnf")?)
    }

    /// Any member of the response.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.members.get(member)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        let seconds = time(self.members.get(name)?)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }
}

/// Shows standard members, and only the names of the others.
impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("active", &self.active)
            .field("scope", &self.scope())
            .field("client_id", &self.client_id())
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Type of a token, as a hint that speeds up the server's lookup.
///
/// ```
/// use oauth_twin::oauth2::TokenTypeHint;
///
/// assert_eq!(TokenTypeHint::RefreshToken.as_str(), "refresh_token");
/// ```
///
/// [RFC 7009 section 2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// A token type of an extension.
    Other(String),
}

impl TokenTypeHint {
    /// The hint as on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
            Self::Other(hint) => hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(members: Value) -> Result<Introspection, String> {
        Introspection::from_members(members.as_object().expect("an object").clone())
    }

    #[test]
    fn the_example_of_section_2_2() {
        let introspection = read(json!({
            "active": true, "client_id": "l238j323ds-23ij4", "username": "jdoe",
            "scope": "read write dolphin", "sub": "Z5O3upPC88QrAjx00dis",
            "aud": "https://protected.example.net/resource",
            "iss": "https://server.example.com/", "exp": 1_419_356_238, "iat": 1_419_350_238,
            "extension_field": "twenty-seven"
        }))
        .expect("an introspection");
        assert!(introspection.is_active());
        assert_eq!(introspection.client_id(), Some("l238j323ds-23ij4"));
        assert_eq!(introspection.username(), Some("jdoe"));
        assert_eq!(
            introspection.audience(),
            ["https://protected.example.net/resource"]
        );
        let expires_at = UNIX_EPOCH + Duration::from_secs(1_419_356_238);
        assert_eq!(introspection.expires_at(), Some(expires_at));
        assert_eq!(introspection.not_before(), None);
        assert_eq!(
            introspection.get("extension_field"),
            Some(&json!("twenty-seven"))
        );
    }

    #[test]
    fn the_example_of_rfc_8705_section_3_2() {
        let bound = read(json!({
            "active": true, "iss": "https://server.example.com", "sub": "ty.webb@example.com",
            "exp": 1_493_726_400, "nbf": 1_493_722_800,
            "cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
        }));
        let thumbprint = bound.expect("an introspection");
        let thumbprint = thumbprint.certificate_thumbprint();
        assert_eq!(
            thumbprint,
            Some("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2")
        );
        for unbound in [
            json!({"active": true}),
            json!({"active": true, "cnf": null}),
            json!({"active": true, "cnf": "x5t#S256"}),
            json!({"active": true, "cnf": {"jkt": "a"}}),
            json!({"active": true, "cnf": {"x5t#S256": 7}}),
        ] {
            let unbound = read(unbound).expect("an introspection");
            assert_eq!(unbound.certificate_thumbprint(), None);
        }
    }

    #[test]
    fn odd_answers() {
        assert!(
            !read(json!({"active": false}))
                .expect("an introspection")
                .is_active()
        );
        for bad in [json!({}), json!({"active": "true"}), json!({"active": 1})] {
            assert!(read(bad).is_err());
        }
        let odd = read(json!({"active": true, "exp": "?", "aud": ["a", 1], "scope": 7}));
        let odd = odd.expect("an introspection");
        assert_eq!(
            (odd.expires_at(), odd.audience(), odd.scope()),
            (None, vec!["a"], None)
        );
        for (exp, seconds) in [
            (json!(1_419_356_238.5), 1_419_356_238),
            (json!("1419356238"), 1_419_356_238),
            (json!(u64::MAX), 253_402_300_799),
        ] {
            let introspection = read(json!({"active": true, "exp": exp}));
            assert_eq!(
                introspection.expect("an introspection").expires_at(),
                Some(UNIX_EPOCH + Duration::from_secs(seconds))
            );
        }
    }

    #[test]
    fn debug_tells_no_values_of_other_members() {
        let introspection = read(json!({"active": true, "secret": "hunter2"}));
        assert_eq!(
            format!("{:?}", introspection.expect("an introspection")),
            "Introspection { active: true, scope: None, client_id: None, \
             members: [\"active\", \"secret\"] }"
        );
    }
}
