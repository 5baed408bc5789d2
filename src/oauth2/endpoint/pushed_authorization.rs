//! Pushed authorization requests.
//!
//! [RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::{endpoint::AuthorizationUrl, prepared::PreparedAuthorization},
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            token_response::answer,
            unscoped::with_scope_advice,
        },
        hook::Message,
        request::EndpointRequest,
        response::EndpointResponse,
        server::AuthorizationServer,
    },
    secret::Secret,
};

/// Name of the endpoint in the metadata.
const ENDPOINT: &str = "pushed_authorization_request_endpoint";

/// Whether a client pushes its authorization requests to the server, so that the URL has a reference
/// to the request only.
///
/// ```
/// # #[cfg(feature = "blocking")] {
/// use oauth_twin::{OAuth2Client, oauth2::Push};
///
/// let builder = OAuth2Client::builder("id").pushed_authorization_requests(Push::WhenOffered);
/// # }
/// ```
///
/// [RFC 9126 section 5](https://www.rfc-editor.org/rfc/rfc9126#section-5)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "PAR")]
pub enum Push {
    /// If the metadata of the server demand it, or those of the client's registration.
    #[default]
    WhenRequired,
    /// If the server has the endpoint.
    WhenOffered,
    /// Always. It is an error if the server has no such endpoint.
    Always,
    /// Never, also if the server demands it.
    Never,
}

impl Push {
    /// Whether requests to `server` are pushed. `is_demanded` says that they have to be, whatever the
    /// metadata of the server say.
    pub(crate) fn applies_to(self, server: &AuthorizationServer, is_demanded: bool) -> bool {
        let is_required = is_demanded || server.require_pushed_authorization_requests();
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::WhenRequired => is_required,
            Self::WhenOffered => {
                let is_offered = server.get(ENDPOINT).is_some_and(|it| !it.is_null());
                is_required || is_offered
            }
        }
    }
}

/// Pushed authorization request endpoint of a server, for one client. It builds requests and reads
/// responses, which you send and receive with any HTTP library. The clients of this crate use it
/// themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration,
///     EndpointResponse, PushedAuthorizationEndpoint,
/// };
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_authorization_endpoint("https://id.example.com/authorize")
///     .with_pushed_authorization_request_endpoint("https://id.example.com/par");
/// let client = ClientRegistration::new("id").with_client_secret("secret");
/// let prepared = AuthorizationEndpoint::new(&server, &client)?
///     .prepare(AuthorizationRequest::new())?;
/// let endpoint = PushedAuthorizationEndpoint::new(&server, &client)?;
/// let request = endpoint.request(&prepared)?;
/// // … send it, then:
/// let body = r#"{"request_uri":"urn:example:bwc4JK-ESC0w8acc191e-Y1LTC2","expires_in":90}"#;
/// let response = EndpointResponse::new(StatusCode::CREATED, HeaderMap::new(), body);
/// let created = prepared.pushed(endpoint.read_response(&request, response)?);
/// assert_eq!(
///     created.url.as_str(),
///     "https://id.example.com/authorize?client_id=id\
///      &request_uri=urn%3Aexample%3Abwc4JK-ESC0w8acc191e-Y1LTC2",
/// );
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 9126 section 2](https://www.rfc-editor.org/rfc/rfc9126#section-2)
#[derive(Clone, Debug)]
pub struct PushedAuthorizationEndpoint(Endpoint);

authenticated_endpoint!(PushedAuthorizationEndpoint at "pushed_authorization_request_endpoint");

impl PushedAuthorizationEndpoint {
    /// Builds an authenticated request with the parameters of an authorization request, or with a
    /// new request object, which an external key signs by
    /// [`EndpointRequest::sign`]; one that has been signed by [`PreparedAuthorization::sign`] is
    /// used as it is.
    ///
    /// # Errors
    ///
    /// If a hook, the key of the request object or the client authentication fails.
    ///
    /// [RFC 9126 section 2.1](https://www.rfc-editor.org/rfc/rfc9126#section-2.1)
    pub fn request(&self, prepared: &PreparedAuthorization) -> Result<EndpointRequest> {
        let mut request = self.0.begin();
        let now = request.signing_time();
        let (form, unsigned) =
            prepared.pushed_form(request.registration(), request.server(), now)?;
        *request.form_mut() = form;
        if let Some(input) = unsigned {
            request.sign_externally("request", input);
        }
        let mut request = self.0.finish(request, Message::PushedAuthorization)?;
        request.bind(prepared.binding());
        Ok(request)
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// The server's own error, or an error about an invalid response.
    ///
    /// [RFC 9126 section 2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        mut response: EndpointResponse,
    ) -> Result<PushedAuthorization> {
        self.0
            .hooks
            .on_response(Message::PushedAuthorization, &mut response)?;
        let members = answer(request, &response);
        let members = members.map_err(|error| with_scope_advice(error, request))?;
        PushedAuthorization::from_members(&members, request.clock().unix())
            .map_err(|problem| Error::answer(problem, response.status()).of_call(&request.call()))
    }
}

/// Response to a pushed authorization request: a reference to it, which is used once.
///
/// [RFC 9126 section 2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2)
#[must_use = "it belongs into the URL that the user is redirected to"]
pub struct PushedAuthorization {
    request_uri: Secret,
    expires_at: Option<Duration>,
}

impl PushedAuthorization {
    fn from_members(members: &Map<String, Value>, now: Duration) -> Result<Self, &'static str> {
        let request_uri = members.get("request_uri").and_then(Value::as_str);
        let Some(request_uri) = request_uri.filter(|uri| !uri.is_empty()) else {
            return Err("the response has no request_uri");
        };
        // "expires_in: A JSON number that represents the lifetime of the request URI in seconds as
        // a positive integer."
        let expires_in = match members.get("expires_in") {
            None => None,
            Some(value) => match value.as_u64() {
                Some(seconds) if seconds > 0 => Some(Duration::from_secs(seconds)),
                _ => return Err("the member expires_in is not a positive whole number"),
            },
        };
        Ok(Self {
            request_uri: request_uri.into(),
            expires_at: expires_in.map(|expires_in| now.saturating_add(expires_in)),
        })
    }

    /// The reference to the request.
    pub fn request_uri(&self) -> &Secret {
        &self.request_uri
    }

    /// The time until which the user has to be redirected.
    pub fn expires_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(self.expires_at?)
    }
}

impl PreparedAuthorization {
    /// The URL with the reference to the request that was pushed.
    ///
    /// [RFC 9126 section 4](https://www.rfc-editor.org/rfc/rfc9126#section-4)
    pub fn pushed(self, pushed: PushedAuthorization) -> AuthorizationUrl {
        self.with_request_uri(pushed.request_uri, pushed.expires_at)
    }
}

impl fmt::Debug for PushedAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushedAuthorization")
            .field("request_uri", &self.request_uri)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

#[cfg(test)]
mod tests;
