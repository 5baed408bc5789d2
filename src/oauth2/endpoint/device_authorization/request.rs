//! Device authorization requests.
//!
//! [RFC 8628 section 3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)

use std::borrow::Cow;

use super::response::DeviceAuthorization;
use crate::{
    error::{Error, ErrorCode, Result},
    oauth2::{
        authorization::pkce::{Pkce, random_text},
        endpoint::{
            authenticated::{Endpoint, authenticated_endpoint},
            token_response::answer,
            unscoped::with_scope_advice,
        },
        hook::Message,
        request::EndpointRequest,
        response::EndpointResponse,
        scope::Scope,
    },
    secret::Secret,
    wire::form::Form,
};

/// Device authorization request: of a device that has no browser, or whose user has none at hand.
///
/// ```
/// use oauth_twin::oauth2::DeviceAuthorizationRequest;
///
/// let request = DeviceAuthorizationRequest::new()
///     .scope("openid reports:read")
///     .param("audience", "https://api.example.com");
/// ```
///
/// [RFC 8628 section 3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)
#[derive(Clone, Debug, Default)]
pub struct DeviceAuthorizationRequest {
    scope: Option<Scope>,
    resource: Vec<String>,
    parameters: Form,
    has_pkce: bool,
}

impl DeviceAuthorizationRequest {
    /// Makes a request with the scope and resource of the client.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the scope, instead of the client's.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Adds a resource that the token is for, instead of the client's.
    ///
    /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// Adds a parameter, such as `audience`.
    #[must_use]
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// Sends a PKCE challenge, and the verifier with each poll. RFC 8628 has none; Keycloak demands
    /// it of a client with a PKCE policy.
    #[must_use]
    pub fn pkce(mut self) -> Self {
        self.has_pkce = true;
        self
    }
}

/// Client at a device authorization endpoint. It builds requests and reads responses, which you
/// send and receive with any HTTP library. The clients of this crate use it themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientRegistration, DeviceAuthorizationEndpoint,
///     DeviceAuthorizationRequest, EndpointResponse,
/// };
///
/// let server = AuthorizationServer::default()
///     .with_device_authorization_endpoint("https://id.example.com/device_authorization");
/// let endpoint = DeviceAuthorizationEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let request = endpoint.request(&DeviceAuthorizationRequest::new().scope("reports:read"))?;
/// assert_eq!(request.form().encode().expose_secret(), "scope=reports%3Aread&client_id=id");
/// // … send it, then:
/// let body = r#"{
///     "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
///     "user_code": "WDJB-MJHT",
///     "verification_uri": "https://example.com/device",
///     "expires_in": 1800
/// }"#;
/// let response = EndpointResponse::new(StatusCode::OK, HeaderMap::new(), body);
/// let device = endpoint.read_response(&request, response)?;
/// println!("Open {} and enter {}", device.verification_uri(), device.user_code());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 8628 section 3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)
#[derive(Clone, Debug)]
pub struct DeviceAuthorizationEndpoint(Endpoint);

authenticated_endpoint!(DeviceAuthorizationEndpoint at "device_authorization_endpoint");

/// Parameters that have a method of their own.
const RESERVED: [&str; 4] = [
    "client_id",
    "scope",
    "code_challenge",
    "code_challenge_method",
];

impl DeviceAuthorizationEndpoint {
    /// Builds an authenticated request.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be sent or is set by a method of its own, or if a hook or the client
    /// authentication fails.
    pub fn request(&self, asked: &DeviceAuthorizationRequest) -> Result<EndpointRequest> {
        let mut request = self.0.begin();
        let registration = request.registration().clone();
        let mut form = Form::new();
        // "REQUIRED if the client is not authenticating [...]", and Google looks for it in any case.
        if registration.has_client_id() {
            form.push("client_id", registration.client_id());
        }
        let scope = asked.scope.as_ref().or(registration.scope());
        if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
            scope.validate()?;
            form.push("scope", scope.as_str());
        }
        // What the polls repeat.
        let mut repeated = Form::new();
        if asked.has_pkce {
            let verifier = random_text()?;
            if let Some((method, challenge)) = Pkce::S256.challenge(&verifier) {
                form.push("code_challenge", challenge);
                form.push("code_challenge_method", method);
            }
            repeated.push("code_verifier", verifier);
        }
        let resource = match asked.resource.is_empty() {
            true => registration.resource().to_vec(),
            false => asked.resource.clone(),
        };
        for resource in &resource {
            form.push("resource", resource.as_str());
            repeated.push("resource", resource.as_str());
        }
        let mut names = asked.parameters.iter().map(|(name, _)| name);
        if let Some(name) = names.find(|name| RESERVED.contains(name)) {
            return Err(Error::usage(format!(
                "the parameter {name} of a device authorization request cannot be set by param; \
                 use its own method"
            )));
        }
        form.extend(&asked.parameters);
        *request.form_mut() = form;
        request.set_refresh_parameters(repeated);
        self.0.finish(request, Message::Device)
    }

    /// Reads the server's response to `request`.
    ///
    /// # Errors
    ///
    /// The server's own error, with any status, or an error about an invalid response.
    ///
    /// [RFC 8628 section 3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        mut response: EndpointResponse,
    ) -> Result<DeviceAuthorization> {
        self.0.hooks.on_response(Message::Device, &mut response)?;
        let members = answer(request, &response).map_err(|error| with_advice(error, request))?;
        let now = self.0.clock.unix();
        DeviceAuthorization::from_answer(&members, request, self.0.allow_http, now)
            .map_err(|problem| Error::answer(problem, response.status()))
    }
}

/// Names the setting that a server asks for in its own words.
fn with_advice(error: Error, request: &EndpointRequest) -> Error {
    const ADVICE: &str = "this server wants PKCE in the device flow: \
                          DeviceAuthorizationRequest::pkce";
    match error.response() {
        Some(response)
            if request.form().value("code_challenge").is_none()
                && response.code() == Some(&ErrorCode::InvalidRequest)
                && response
                    .description()
                    .is_some_and(|text| text.contains("code_challenge")) =>
        {
            Error::refused(response.clone().with_hint(Some(ADVICE)))
        }
        _ => with_scope_advice(error, request),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::oauth2::{AuthorizationServer, ClientRegistration};

    fn endpoint(client: &ClientRegistration) -> DeviceAuthorizationEndpoint {
        let server = AuthorizationServer::new("https://id.example")
            .with_device_authorization_endpoint("https://id.example/device");
        DeviceAuthorizationEndpoint::new(&server, client).expect("a URL")
    }

    fn form(client: &ClientRegistration, asked: &DeviceAuthorizationRequest) -> String {
        let request = endpoint(client).request(asked).expect("a request");
        request.form().encode().expose_secret().to_owned()
    }

    #[test]
    fn the_client_s_scope_and_resources_are_the_default() {
        let client = ClientRegistration::new("id")
            .with_scope("all")
            .with_resource("urn:r");
        let asked = DeviceAuthorizationRequest::new();
        assert_eq!(
            form(&client, &asked),
            "scope=all&resource=urn%3Ar&client_id=id"
        );
        let asked = asked.scope("a b").resource("urn:x").param("audience", "z");
        assert_eq!(
            form(&client, &asked),
            "scope=a+b&resource=urn%3Ax&audience=z&client_id=id"
        );
        // A client that authenticates otherwise names itself all the same.
        let client = ClientRegistration::new("id").with_client_secret("s");
        assert_eq!(
            form(&client, &DeviceAuthorizationRequest::new()),
            "client_id=id"
        );
    }

    #[test]
    fn pkce_is_a_challenge_here_and_a_verifier_with_the_polls() {
        let client = ClientRegistration::new("id");
        let asked = DeviceAuthorizationRequest::new().pkce();
        let request = endpoint(&client).request(&asked).expect("a request");
        let verifier = request.refresh_parameters().value("code_verifier");
        let verifier = verifier.expect("a verifier");
        let (method, challenge) = Pkce::S256.challenge(verifier).expect("a challenge");
        let value = |name: &str| request.form().value(name).map(Secret::expose_secret);
        assert_eq!(value("code_challenge"), Some(&*challenge));
        assert_eq!(value("code_challenge_method"), Some(method));
        assert_eq!(value("code_verifier"), None);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let client = ClientRegistration::new("id");
        for (word, asked) in [
            ("scope", DeviceAuthorizationRequest::new().scope("\"")),
            (
                "client_id",
                DeviceAuthorizationRequest::new().param("client_id", "x"),
            ),
            (
                "code_challenge",
                DeviceAuthorizationRequest::new().param("code_challenge", "x"),
            ),
        ] {
            let error = endpoint(&client).request(&asked).expect_err(word);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_server_that_wants_pkce_is_met_with_the_name_of_the_setting() {
        let client = ClientRegistration::new("id");
        let answered = |asked: &DeviceAuthorizationRequest, description: &str| {
            let endpoint = endpoint(&client);
            let request = endpoint.request(asked).expect("a request");
            let body =
                format!(r#"{{"error":"invalid_request","error_description":"{description}"}}"#);
            let response = EndpointResponse::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body);
            let error = endpoint.read_response(&request, response);
            error.expect_err("an error").to_string()
        };
        let keycloak = "Missing parameter: code_challenge_method";
        let plain = DeviceAuthorizationRequest::new();
        assert!(answered(&plain, keycloak).contains("DeviceAuthorizationRequest::pkce"));
        assert!(!answered(&plain, "Missing parameter: x").contains("pkce"));
        assert!(!answered(&plain.clone().pkce(), keycloak).contains("::pkce"));
    }

    #[test]
    fn a_refusal_without_a_scope_names_the_setting() {
        let refused = |client: &ClientRegistration, code: &str| {
            let endpoint = endpoint(client);
            let request = endpoint.request(&DeviceAuthorizationRequest::new());
            let request = request.expect("a request");
            let body = format!(r#"{{"error":"{code}"}}"#);
            let response = EndpointResponse::new(StatusCode::BAD_REQUEST, HeaderMap::new(), body);
            let error = endpoint.read_response(&request, response);
            error.expect_err("an error")
        };
        let unscoped = ClientRegistration::new("id");
        let scoped = ClientRegistration::new("id").with_scope("all");
        for code in ["access_denied", "invalid_scope"] {
            let error = refused(&unscoped, code);
            assert!(
                error.to_string().contains("no scope was asked for"),
                "{error}"
            );
            let hint = error.response().and_then(|response| response.hint());
            assert!(hint.is_some_and(|hint| hint.contains("scope of the builder")));
            assert!(
                !refused(&scoped, code).to_string().contains("asked for"),
                "{code}"
            );
        }
        for code in ["invalid_request", "invalid_client", "server_error"] {
            assert!(
                !refused(&unscoped, code).to_string().contains("asked for"),
                "{code}"
            );
        }
    }
}
