//! Token introspection.
//!
//! [RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, header};
use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    oauth2::{
        client_auth::certificate::value::confirmed_thumbprint,
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            introspection_jwt::{IntrospectionResponse, IntrospectionRules, SIGNED, is_signed},
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
pub struct IntrospectionEndpoint(pub(super) Endpoint, pub(super) IntrospectionRules);

authenticated_endpoint!(
    IntrospectionEndpoint at "introspection_endpoint" with IntrospectionRules
);

impl IntrospectionEndpoint {
    /// Sets the rules for the response.
    #[must_use]
    pub fn rules(mut self, rules: IntrospectionRules) -> Self {
        self.1 = rules;
        self
    }

    /// Builds an authenticated request to introspect `token`.
    ///
    /// # Errors
    ///
    /// If a hook or the client authentication fails.
    ///
    /// [RFC 7662 section 2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)
    pub fn request(&self, token: &Secret, hint: Option<&TokenTypeHint>) -> Result<EndpointRequest> {
        let mut request = self.0.request(form(token, hint), Message::Introspection)?;
        if self.1.is_signed() {
            let signed = HeaderValue::from_static(SIGNED);
            request.headers_mut().insert(header::ACCEPT, signed);
        }
        Ok(request)
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// The server's own error, an error about an invalid response, or about one that is signed, for
    /// which there is [`read_signed_response`](Self::read_signed_response).
    ///
    /// [RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: EndpointResponse,
    ) -> Result<Introspection> {
        match self.read(request, &response)? {
            IntrospectionResponse::Plain(introspection) => Ok(introspection),
            IntrospectionResponse::Signed(_) => Err(Error::usage(
                "the introspection response is signed, and has to be verified; use \
                 read_signed_response",
            )),
        }
    }

    /// Reads the response as far as no key is needed for it.
    pub(crate) fn read(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<IntrospectionResponse> {
        if response.status().is_success() && is_signed(response) {
            let jwt = std::str::from_utf8(response.body()).unwrap_or_default();
            return Ok(IntrospectionResponse::Signed(jwt.trim_ascii().into()));
        }
        let members = answer(request, response)?;
        let of_call =
            |problem: String| Error::answer(problem, response.status()).of_call(&request.call());
        if self.1.is_signed() {
            return Err(of_call(
                "the response is not signed, although that was registered".to_owned(),
            ));
        }
        let introspection = Introspection::from_members(members).map_err(of_call)?;
        Ok(IntrospectionResponse::Plain(introspection))
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
    pub(super) fn from_members(members: Map<String, Value>) -> Result<Self, String> {
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
mod tests;
