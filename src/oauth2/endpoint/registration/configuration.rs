//! The endpoint of one registration, where it can be read, updated and deleted.
//!
//! [RFC 7592 section 2](https://www.rfc-editor.org/rfc/rfc7592#section-2)

use std::sync::Arc;

use http::Method;
use url::Url;

use super::endpoint::{authorize, json};
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    oauth2::{
        client::{ClientMetadata, ClientRegistration, RegisteredClient},
        endpoint::token_response::answer,
        request::EndpointRequest,
        response::EndpointResponse,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::secure_url::check_endpoint,
};

/// Endpoint at which one registration can be read, updated and deleted. It builds requests and reads
/// responses, which you send and receive with any HTTP library. The clients of this crate use it
/// themselves.
///
/// ```
/// # fn demo(registered: &oauth_twin::oauth2::RegisteredClient) -> oauth_twin::Result<()> {
/// use oauth_twin::oauth2::ClientConfigurationEndpoint;
///
/// let endpoint = ClientConfigurationEndpoint::new(registered)?;
/// let renamed = registered.metadata().clone().with_client_name("Reports 2");
/// let request = endpoint.update(renamed)?;
/// assert_eq!(request.method(), "PUT");
/// # Ok(()) }
/// ```
///
/// [RFC 7592 section 2](https://www.rfc-editor.org/rfc/rfc7592#section-2)
#[derive(Clone, Debug)]
pub struct ClientConfigurationEndpoint {
    url: Arc<Url>,
    registered: RegisteredClient,
    clock: Clock,
}

impl ClientConfigurationEndpoint {
    /// Creates the endpoint with the `registration_client_uri` of the registration.
    ///
    /// # Errors
    ///
    /// If the server has sent no such URL, or no token for it; or if the URL is not absolute, not
    /// HTTPS (loopback is exempt), or has a fragment, a user name or a password.
    pub fn new(registered: &RegisteredClient) -> Result<Self> {
        Self::with_http(registered, false)
    }

    pub(crate) fn with_http(registered: &RegisteredClient, allow_http: bool) -> Result<Self> {
        let Some(uri) = registered.registration_client_uri() else {
            return Err(Error::usage(
                "the server has sent no registration_client_uri for the client",
            ));
        };
        // "The location of the client configuration endpoint is communicated to the client through
        // the registration_client_uri member [...] fully qualified". It is not completed: to which
        // server its token goes would be a guess.
        let url = check_endpoint(uri, allow_http).map_err(|problem| {
            Error::usage(format!(
                "the registration_client_uri of the server {problem}"
            ))
        })?;
        Ok(Self {
            url: url.into(),
            registered: registered.clone(),
            clock: Clock::system(),
        })
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds a request to read the registration.
    ///
    /// # Errors
    ///
    /// If there is no `registration_access_token`.
    ///
    /// [RFC 7592 section 2.1](https://www.rfc-editor.org/rfc/rfc7592#section-2.1)
    pub fn read(&self) -> Result<EndpointRequest> {
        self.begin(Method::GET)
    }

    /// Builds a request to replace all metadata by `metadata`: "omitted fields MUST be treated as a
    /// request to delete them".
    ///
    /// # Errors
    ///
    /// If there is no `registration_access_token`, or the metadata cannot be registered.
    ///
    /// [RFC 7592 section 2.2](https://www.rfc-editor.org/rfc/rfc7592#section-2.2)
    pub fn update(&self, metadata: ClientMetadata) -> Result<EndpointRequest> {
        metadata.check()?;
        let mut request = self.begin(Method::PUT)?;
        let mut metadata = metadata.with_member("client_id", self.registered.client_id());
        if let Some(secret) = self.registered.client_secret() {
            metadata = metadata.with_member("client_secret", secret.expose_secret());
        }
        request.set_json(json(&metadata));
        Ok(request)
    }

    /// Builds a request to delete the registration.
    ///
    /// # Errors
    ///
    /// If there is no `registration_access_token`.
    ///
    /// [RFC 7592 section 2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)
    pub fn delete(&self) -> Result<EndpointRequest> {
        self.begin(Method::DELETE)
    }

    /// Reads the response to [`read`](Self::read) or [`update`](Self::update). The server may have
    /// issued another secret or another token: store the result before it is used.
    ///
    /// # Errors
    ///
    /// The server's own error, or an error about an invalid response, such as another client's.
    ///
    /// [RFC 7592 section 3](https://www.rfc-editor.org/rfc/rfc7592#section-3)
    pub fn read_response(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<RegisteredClient> {
        let members = answer(request, response)?;
        let invalid =
            |problem: &str| Error::answer(problem, response.status()).of_call(&request.call());
        let issuer = self.registered.issuer();
        let registered = RegisteredClient::from_answer(issuer, members, self.clock.unix())
            .map_err(|problem| invalid(&format!("the response {problem}")))?;
        if registered.client_id() != self.registered.client_id() {
            return Err(invalid("the response is about another client"));
        }
        Ok(registered.following(&self.registered))
    }

    /// Reads the response to [`delete`](Self::delete).
    ///
    /// # Errors
    ///
    /// The server's own error.
    ///
    /// [RFC 7592 section 2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)
    pub fn read_deletion(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
    ) -> Result<()> {
        match answer(request, response) {
            Err(error) if error.kind() == ErrorKind::Server => Err(error),
            // "a server responds with an HTTP 204 No Content message".
            _ if response.status().is_success() => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(
                Error::answer("the response is not final", response.status())
                    .of_call(&request.call()),
            ),
        }
    }

    fn begin(&self, method: Method) -> Result<EndpointRequest> {
        let token: &Secret = self.registered.registration_access_token().ok_or_else(|| {
            Error::usage("the server has sent no registration_access_token for the client")
        })?;
        let mut request = EndpointRequest::new(
            "client_configuration_endpoint",
            method,
            self.url.clone(),
            AuthorizationServer::new(self.registered.issuer()),
            ClientRegistration::new(self.registered.client_id()),
            self.clock.clone(),
        );
        authorize(&mut request, token, "registration_access_token")?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    use super::*;

    fn registered(uri: &str) -> RegisteredClient {
        serde_json::from_value(json!({
            "issuer": "https://id.example", "client_id": "c", "client_secret": "s",
            "client_secret_expires_at": 9, "client_id_issued_at": 3,
            "registration_client_uri": uri, "registration_access_token": "hunter2",
            "client_name": "a", "redirect_uris": ["https://a.example/"], "x": {"y": 1},
        }))
        .expect("a registration")
    }

    fn endpoint() -> ClientConfigurationEndpoint {
        let registered = registered("https://id.example/clients/c");
        ClientConfigurationEndpoint::new(&registered).expect("an endpoint")
    }

    fn response(status: u16, body: &str) -> EndpointResponse {
        let status = StatusCode::from_u16(status).expect("a status");
        EndpointResponse::new(status, HeaderMap::new(), body)
    }

    #[test]
    fn a_url_that_is_not_fully_qualified_is_named_and_not_completed() {
        for uri in [
            "/register/c",
            "register/c",
            "//evil.example/c",
            "http://id.example/c",
        ] {
            let error = ClientConfigurationEndpoint::new(&registered(uri)).expect_err(uri);
            assert!(
                error.to_string().contains("registration_client_uri"),
                "{error}"
            );
        }
        let none = ClientConfigurationEndpoint::new(&registered(""));
        assert!(none.is_err());
    }

    #[test]
    fn an_update_sends_all_metadata_but_what_belongs_to_the_registration() {
        let metadata = registered("").metadata().clone().with_client_name("b");
        let request = endpoint().update(metadata).expect("a request");
        let sent = request.to_http().expect("a request");
        assert_eq!(sent.method(), "PUT");
        assert_eq!(sent.headers()["authorization"], "Bearer hunter2");
        let body: Value = serde_json::from_slice(sent.body()).expect("JSON");
        assert_eq!(
            body,
            json!({
                "client_id": "c", "client_secret": "s", "client_name": "b",
                "redirect_uris": ["https://a.example/"], "x": {"y": 1},
            })
        );
        for (request, method) in [(endpoint().read(), "GET"), (endpoint().delete(), "DELETE")] {
            let sent = request.and_then(|request| request.to_http());
            let sent = sent.expect("a request");
            assert_eq!(sent.method(), method);
            assert!(sent.body().is_empty());
        }
    }

    #[test]
    fn an_answer_may_rotate_secret_and_token_and_is_about_this_client() {
        let request = endpoint().read().expect("a request");
        let read = |body: &str| endpoint().read_response(&request, &response(200, body));
        let body = r#"{"client_id":"c","client_secret":"s2","registration_access_token":"t2"}"#;
        let client = read(body).expect("a client");
        assert_eq!(client.client_secret(), Some(&"s2".into()));
        assert_eq!(client.registration_access_token(), Some(&"t2".into()));
        assert_eq!(
            client.registration_client_uri(),
            Some("https://id.example/clients/c")
        );
        for body in [r#"{"client_id":"d"}"#, "{}", "[]", ""] {
            assert!(read(body).is_err(), "{body}");
        }
        let refused = response(
            401,
            r#"{"error":"invalid_token","error_description":"hunter2"}"#,
        );
        let error = endpoint().read_response(&request, &refused);
        let error = error.expect_err("refused").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_deletion_has_no_body() {
        let request = endpoint().delete().expect("a request");
        let read = |status, body| endpoint().read_deletion(&request, &response(status, body));
        assert!(read(204, "").is_ok());
        assert!(read(200, "{}").is_ok());
        for (status, body) in [
            (401, ""),
            (403, ""),
            (405, "<html>"),
            (302, ""),
            (200, r#"{"error":"invalid_token"}"#),
        ] {
            assert!(read(status, body).is_err(), "{status}");
        }
    }
}
