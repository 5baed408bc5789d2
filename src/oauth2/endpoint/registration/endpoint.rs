//! The registration endpoint: its requests and responses.
//!
//! [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3)

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use url::Url;
use zeroize::Zeroizing;

use super::request::RegistrationRequest;
use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth2::{
        client::{ClientMetadata, ClientRegistration, RegisteredClient},
        endpoint::token_response::answer,
        request::EndpointRequest,
        response::EndpointResponse,
        server::AuthorizationServer,
    },
    secret::Secret,
};

/// Registration endpoint of a server. It builds requests and reads responses, which you send and
/// receive with any HTTP library. The clients of this crate use it themselves.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use oauth_twin::oauth2::{
///     AuthorizationServer, ClientMetadata, EndpointResponse, RegistrationEndpoint,
/// };
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_registration_endpoint("https://id.example.com/register");
/// let endpoint = RegistrationEndpoint::new(&server)?;
/// let request = endpoint.request(&ClientMetadata::native("Reports").into())?;
/// // … send it, then:
/// let body = r#"{"client_id":"s6BhdRkqt3","token_endpoint_auth_method":"none"}"#;
/// let response = EndpointResponse::new(StatusCode::CREATED, HeaderMap::new(), body);
/// let client = endpoint.read_response(&request, &response)?;
/// assert_eq!(client.client_id(), "s6BhdRkqt3");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3)
#[derive(Clone, Debug)]
pub struct RegistrationEndpoint {
    url: Arc<Url>,
    server: AuthorizationServer,
    clock: Clock,
}

impl RegistrationEndpoint {
    /// Creates the endpoint with the `registration_endpoint` of the server's metadata.
    ///
    /// # Errors
    ///
    /// If the server's metadata lacks that URL, or it is not absolute, not HTTPS (loopback is
    /// exempt), or has a fragment, a user name or a password; or if they have no issuer, to which
    /// registrations belong.
    pub fn new(server: &AuthorizationServer) -> Result<Self> {
        Self::with_http(server, false)
    }

    pub(crate) fn with_http(server: &AuthorizationServer, allow_http: bool) -> Result<Self> {
        if server.issuer().is_none() {
            return Err(Error::usage(
                "a client is registered at an issuer, which is not known; set issuer",
            ));
        }
        Ok(Self {
            url: server.required_endpoint("registration_endpoint", allow_http)?,
            server: server.clone(),
            clock: Clock::system(),
        })
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds a registration request.
    ///
    /// # Errors
    ///
    /// If the metadata have no redirection URIs although a grant needs them, or what must not be
    /// sent: a private key, members that the server issues.
    ///
    /// [RFC 7591 section 3.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.1)
    pub fn request(&self, request: &RegistrationRequest) -> Result<EndpointRequest> {
        let metadata = request.metadata_for(&self.server);
        metadata.check()?;
        let mut sent = EndpointRequest::new(
            "registration_endpoint",
            Method::POST,
            self.url.clone(),
            self.server.clone(),
            ClientRegistration::default(),
            self.clock.clone(),
        );
        sent.set_json(json(&metadata));
        if let Some(token) = &request.initial_access_token {
            authorize(&mut sent, token, "initial access token")?;
        }
        Ok(sent)
    }

    /// Reads the response to a request.
    ///
    /// # Errors
    ///
    /// The server's own error, or an error about an invalid response.
    ///
    /// [RFC 7591 section 3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<RegisteredClient> {
        let members = answer(request, response)?;
        let issuer = self.server.issuer().unwrap_or_default();
        let registered = RegisteredClient::from_answer(issuer, members, self.clock.unix());
        let registered = registered.map_err(|problem| {
            let problem = format!("the response {problem}");
            Error::answer(problem, response.status()).of_call(&request.call())
        })?;
        Ok(registered.or_redirect_uris(&asked(request)))
    }
}

/// The metadata in a request.
fn asked(request: &EndpointRequest) -> ClientMetadata {
    let json = request.json().map(Secret::expose_secret);
    let metadata = json.and_then(|json| serde_json::from_str(json).ok());
    metadata.unwrap_or_default()
}

/// Metadata as a body.
pub(super) fn json(metadata: &ClientMetadata) -> Secret {
    // Metadata always serialise.
    Secret::new(serde_json::to_string(metadata).unwrap_or_default())
}

/// Adds a token for registrations.
pub(super) fn authorize(request: &mut EndpointRequest, token: &Secret, what: &str) -> Result<()> {
    let value = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    let mut value = HeaderValue::try_from(value.as_str()).map_err(|_invalid| {
        Error::usage(format!(
            "the {what} contains characters that a header cannot carry"
        ))
    })?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::error::{ErrorCode, ErrorKind};

    fn endpoint() -> RegistrationEndpoint {
        let server = AuthorizationServer::new("https://id.example")
            .with_registration_endpoint("https://id.example/register");
        RegistrationEndpoint::new(&server).expect("an endpoint")
    }

    fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<RegisteredClient> {
        let request = RegistrationRequest::new(ClientMetadata::native("a"));
        let request = endpoint().request(&request.initial_access_token("hunter2"));
        let status = StatusCode::from_u16(status).expect("a status");
        let response = EndpointResponse::new(status, HeaderMap::new(), body);
        endpoint().read_response(&request.expect("a request"), &response)
    }

    #[test]
    fn the_request_has_the_metadata_as_json_and_the_initial_access_token() {
        let metadata = ClientMetadata::native("a").with_member("x", json!({"y": [1, {"z": null}]}));
        let request = RegistrationRequest::new(metadata).initial_access_token("t");
        let request = endpoint().request(&request).expect("a request");
        let sent = request.to_http().expect("a request");
        assert_eq!(sent.method(), "POST");
        assert_eq!(sent.headers()["content-type"], "application/json");
        assert_eq!(sent.headers()["authorization"], "Bearer t");
        assert!(sent.headers()["authorization"].is_sensitive());
        let body: Value = serde_json::from_slice(sent.body()).expect("JSON");
        assert_eq!(body["x"], json!({"y": [1, {"z": null}]}));
        assert_eq!(body["token_endpoint_auth_method"], "none");
        let plain = endpoint().request(&ClientMetadata::native("a").into());
        let plain = plain.expect("a request").headers();
        assert!(!plain.contains_key("authorization"));
    }

    #[test]
    fn what_cannot_be_registered_is_refused() {
        let no_issuer =
            AuthorizationServer::default().with_registration_endpoint("https://id.example/r");
        assert!(RegistrationEndpoint::new(&no_issuer).is_err());
        let insecure = AuthorizationServer::new("https://id.example")
            .with_registration_endpoint("http://id.example/register");
        assert!(RegistrationEndpoint::new(&insecure).is_err());
        assert!(
            endpoint()
                .request(&ClientMetadata::web("a").into())
                .is_err()
        );
        let request = RegistrationRequest::new(ClientMetadata::native("a"));
        let error = endpoint().request(&request.initial_access_token("hunter\n2"));
        assert!(!format!("{:?}", error.expect_err("a line")).contains("hunter"));
    }

    #[test]
    fn an_answer_is_a_client_or_the_error_of_the_server() {
        for status in [201, 200] {
            let client = read(status, r#"{"client_id":"c"}"#).expect("a client");
            assert_eq!(client.issuer(), "https://id.example");
            assert!(client.registered_at().is_some());
            let uris = client.metadata().redirect_uris();
            assert_eq!(uris.expect("those that were asked for").len(), 2);
        }
        let body = r#"{"error":"invalid_redirect_uri","error_description":"no hunter2 here"}"#;
        let error = read(400, body).expect_err("an error");
        assert_eq!(error.code(), Some(&ErrorCode::InvalidRedirectUri));
        assert_eq!(
            error.to_string(),
            "the registration endpoint id.example/register refused the registration: 400 \
             invalid_redirect_uri: no [redacted] here"
        );
        assert!(!error.needs_login());
        for body in ["", "[]", "<html>", "{}", r#"{"client_id":""}"#] {
            let error = read(201, body).expect_err("no client");
            assert_eq!(error.kind(), ErrorKind::Answer, "{body}");
        }
        let error = read(401, "").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(read(302, "").is_err());
    }

    proptest! {
        #[test]
        fn no_answer_panics(body: Vec<u8>, status in 100_u16..600) {
            let _ = read(status, body);
        }
    }
}
