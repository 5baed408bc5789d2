//! Common parts of the endpoints at which a client authenticates.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

use std::{fmt, sync::Arc};

use http::Method;
use url::Url;

use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    oauth2::{
        client::ClientRegistration,
        client_auth::{ClientAuth, default_method::default_client_auth, offered::check_offered},
        hook::{Hooks, Message},
        request::EndpointRequest,
        server::AuthorizationServer,
    },
    wire::{form::Form, secure_url::without_query},
};

/// Client at one endpoint of a server. It is made on demand from values that are cheap to clone.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// The name in the metadata of the server.
    name: &'static str,
    url: Arc<Url>,
    server: AuthorizationServer,
    client: ClientRegistration,
    pub(crate) clock: Clock,
    pub(crate) clock_offset: ClockOffset,
    pub(crate) auth: Option<Arc<dyn ClientAuth>>,
    pub(crate) method: Method,
    pub(crate) hooks: Hooks,
    /// Whether plain HTTP is permitted.
    pub(crate) allow_http: bool,
}

impl Endpoint {
    /// Makes `client` at the endpoint of this name in the metadata of `server`.
    pub(crate) fn new(
        name: &'static str,
        server: &AuthorizationServer,
        client: &ClientRegistration,
        allow_http: bool,
    ) -> Result<Self> {
        let url = server.required_endpoint(name, allow_http)?;
        Ok(Self::at(url, name, server, client, allow_http))
    }

    /// The same at one of the endpoint's URLs.
    pub(crate) fn at(
        url: Arc<Url>,
        name: &'static str,
        server: &AuthorizationServer,
        client: &ClientRegistration,
        allow_http: bool,
    ) -> Self {
        Self {
            name,
            url,
            server: server.clone(),
            client: client.clone(),
            clock: Clock::system(),
            clock_offset: ClockOffset::default(),
            auth: None,
            method: Method::POST,
            hooks: Hooks::default(),
            allow_http,
        }
    }

    /// Checks that the server offers the client authentication.
    pub(crate) fn check_offered(&self) -> Result<()> {
        let auth = match &self.auth {
            Some(auth) => auth.clone(),
            None => default_client_auth(&self.client, &self.server, self.name),
        };
        check_offered(&*auth, &self.client, &self.server, self.name)
            .map_err(|problem| Error::usage(format!("{}_auth_method {problem}", self.name)))
    }

    /// Makes a request without parameters.
    pub(crate) fn begin(&self) -> EndpointRequest {
        EndpointRequest::new(
            self.name,
            self.method.clone(),
            self.url.clone(),
            self.server.clone(),
            self.client.clone(),
            self.clock.clone(),
        )
        .with_clock_offset(self.clock_offset.clone())
    }

    /// Applies the hooks to the request and authenticates it.
    pub(crate) fn finish(
        &self,
        mut request: EndpointRequest,
        message: Message,
    ) -> Result<EndpointRequest> {
        self.hooks.on_request(message, &mut request)?;
        let auth = match &self.auth {
            Some(auth) => auth.clone(),
            None => default_client_auth(&self.client, &self.server, self.name),
        };
        auth.authenticate(&mut request)
            .map_err(|error| Error::refused_by("the client authentication", error))?;
        Ok(request)
    }

    /// Makes an authenticated request with `form`, after applying the hooks.
    pub(crate) fn request(&self, form: Form, message: Message) -> Result<EndpointRequest> {
        let mut request = self.begin();
        *request.form_mut() = form;
        self.finish(request, message)
    }
}

/// Omits the query of the URL, in which some servers require a key.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &without_query(&self.url))
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Constructor and settings of a type that wraps an [`Endpoint`].
macro_rules! authenticated_endpoint {
    ($name:ident at $member:literal $(with $rules:ty)?) => {
        impl $name {
            #[doc = concat!("Creates the endpoint with the `", $member, "` of the server's metadata.")]
            ///
            /// # Errors
            ///
            /// If the server's metadata lacks that URL, or it is not absolute, not HTTPS (loopback
            /// is exempt), or has a fragment, a user name or a password.
            pub fn new(
                server: &$crate::oauth2::server::AuthorizationServer,
                client: &$crate::oauth2::client::ClientRegistration,
            ) -> $crate::error::Result<Self> {
                Endpoint::new($member, server, client, false).map(Self::from)
            }

            /// Sets the clock. Defaults to the system clock.
            #[must_use]
            pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
                self.0.clock = clock;
                self
            }

            /// Sets the client authentication. Defaults to
            /// [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if it has a secret,
            /// [`PrivateKeyJwt`](crate::oauth2::PrivateKeyJwt) if it has an external key, else to
            /// [`PublicClient`](crate::oauth2::PublicClient).
            #[must_use]
            pub fn auth_method(
                mut self,
                auth: impl $crate::oauth2::client_auth::ClientAuth + 'static,
            ) -> Self {
                self.0.auth = Some(std::sync::Arc::new(auth));
                self
            }

            /// Sets the HTTP method of requests. Defaults to `POST`, as the RFC requires.
            ///
            /// # Security
            ///
            /// With `GET`, all secrets are in the URL, and so in logs.
            #[must_use]
            pub fn method(mut self, method: http::Method) -> Self {
                self.0.method = method;
                self
            }

            /// Sets the compliance hooks, in order.
            #[must_use]
            pub fn compliance_hooks(
                mut self,
                hooks: impl IntoIterator<Item = $crate::oauth2::hook::Hook>,
            ) -> Self {
                self.0.hooks = $crate::oauth2::hook::Hooks::new(hooks);
                self
            }
        }

        impl From<Endpoint> for $name {
            fn from(endpoint: Endpoint) -> Self {
                Self(endpoint $(, <$rules>::default())?)
            }
        }
    };
}
pub(crate) use authenticated_endpoint;

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, client: &ClientRegistration) -> Result<Endpoint> {
        let server = AuthorizationServer::default().with_token_endpoint(url);
        Endpoint::new("token_endpoint", &server, client, false)
    }

    #[test]
    fn debug_tells_no_secret() {
        let client = ClientRegistration::new("me").with_client_secret("hunter2");
        let endpoint = endpoint("https://id.example/token?secret=hunter2", &client);
        let endpoint = endpoint.expect("a URL");
        assert_eq!(
            format!("{endpoint:?}"),
            "Endpoint { url: \"https://id.example/token\", client: ClientRegistration { \
             client_id: \"me\", client_secret: Some([redacted]), redirect_uris: [], scope: None, \
             resource: [], external_key: None }, .. }"
        );
        let mut form = Form::new();
        form.push("password", "hunter2");
        let request = endpoint.request(form, Message::Access);
        assert_eq!(
            format!("{:?}", request.expect("a request")),
            "EndpointRequest { method: POST, url: \"https://id.example/token\", \
             headers: [\"accept\", \"authorization\"], form: {\"password\": [redacted]}, \
             client_id: \"me\", client_secret: Some([redacted]), .. }"
        );
    }

    #[test]
    fn a_get_has_its_form_in_the_query() {
        let client = ClientRegistration::new("me");
        let mut endpoint = endpoint("https://id.example/token?a=%20", &client).expect("a URL");
        endpoint.method = Method::GET;
        let request = endpoint.request(Form::new(), Message::Access);
        let (url, body) = request.expect("a request").url_and_body();
        assert_eq!(url.as_str(), "https://id.example/token?a=%20&client_id=me");
        assert_eq!(body, None);
    }

    #[test]
    fn an_endpoint_that_is_not_known_or_bad_is_named() {
        let client = ClientRegistration::new("me");
        let unknown = AuthorizationServer::new("https://id.example");
        let unknown = Endpoint::new("token_endpoint", &unknown, &client, false);
        for (endpoint, problem) in [
            (unknown, "the token_endpoint of the server is not known"),
            (
                endpoint("/token", &client),
                "token_endpoint is not an absolute URL",
            ),
            (
                endpoint("http://id.example", &client),
                "token_endpoint must be https",
            ),
        ] {
            let error = endpoint.expect_err(problem).to_string();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
