//! Endpoints of the authorization server: the requests to them, and their answers.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

use std::{fmt, sync::Arc};

use http::Method;
use url::Url;

use crate::{
    error::{Error, Result},
    oauth2::{
        client::ClientRegistration,
        client_auth::{ClientAuth, default_method::default_client_auth},
        hook::{Hooks, Message},
        request::EndpointRequest,
    },
    wire::{form::Form, secure_url::without_query},
};

/// A client's registration at one endpoint: what the token, revocation and introspection
/// endpoints have in common.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Arc<Url>,
    registration: Arc<ClientRegistration>,
    pub(crate) auth: Option<Arc<dyn ClientAuth>>,
    pub(crate) method: Method,
    pub(crate) hooks: Hooks,
}

impl Endpoint {
    pub(crate) fn new(url: Url, registration: impl Into<Arc<ClientRegistration>>) -> Self {
        Self {
            url: Arc::new(url),
            registration: registration.into(),
            auth: None,
            method: Method::POST,
            hooks: Hooks::default(),
        }
    }

    pub(crate) fn registration(&self) -> &ClientRegistration {
        &self.registration
    }

    pub(crate) fn registration_mut(&mut self) -> &mut ClientRegistration {
        Arc::make_mut(&mut self.registration)
    }

    /// A request without parameters.
    pub(crate) fn begin(&self) -> EndpointRequest {
        let registration = self.registration.clone();
        EndpointRequest::new(self.method.clone(), self.url.clone(), registration)
    }

    /// The request, changed by the hooks and authenticated.
    pub(crate) fn finish(
        &self,
        mut request: EndpointRequest,
        message: Message,
    ) -> Result<EndpointRequest> {
        self.hooks.on_request(message, &mut request)?;
        let auth = match &self.auth {
            Some(auth) => auth.clone(),
            None => default_client_auth(&self.registration),
        };
        auth.authenticate(&mut request)
            .map_err(|error| Error::refused_by("the client authentication", error))?;
        Ok(request)
    }

    /// The request with `form`, changed by the hooks and authenticated.
    pub(crate) fn request(&self, form: Form, message: Message) -> Result<EndpointRequest> {
        let mut request = self.begin();
        *request.form_mut() = form;
        self.finish(request, message)
    }
}

/// Without the query of the URL, in which some servers want a key.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &without_query(&self.url))
            .field("registration", &self.registration)
            .finish_non_exhaustive()
    }
}

/// The constructor and the settings of a type with a field `endpoint`, made from an [`Endpoint`].
macro_rules! registration {
    ($name:ident: $what:literal) => {
        impl $name {
            #[doc = concat!("The client `client_id` at the ", $what, " `url`.")]
            ///
            /// # Errors
            ///
            /// If the URL is not absolute, not HTTPS (loopback is exempt), or has a fragment, a
            /// user name or a password.
            pub fn new(url: &str, client_id: impl Into<String>) -> $crate::error::Result<Self> {
                let url =
                    $crate::wire::secure_url::check_endpoint(url, false).map_err(|problem| {
                        $crate::error::Error::usage(format!(concat!("the ", $what, " {}"), problem))
                    })?;
                let registration = $crate::oauth2::client::ClientRegistration::new(client_id);
                Ok(Self::from(
                    $crate::oauth2::endpoint::authenticated::Endpoint::new(url, registration),
                ))
            }

            /// The client's secret.
            #[must_use]
            pub fn client_secret(mut self, secret: impl Into<$crate::secret::Secret>) -> Self {
                self.endpoint.registration_mut().client_secret = Some(secret.into());
                self
            }

            /// The server's issuer identifier, where known: what client assertions are for.
            ///
            /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
            #[must_use]
            pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
                self.endpoint.registration_mut().issuer = Some(issuer.into());
                self
            }

            /// The key that signs for the client elsewhere; see
            /// [`EndpointRequest::unsigned`](crate::oauth2::EndpointRequest::unsigned).
            #[must_use]
            pub fn external_key(mut self, key: $crate::jose::ExternalKey) -> Self {
                self.endpoint.registration_mut().external_key = Some(key);
                self
            }

            /// The clock: the system's unless told.
            #[must_use]
            pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
                self.endpoint.registration_mut().clock = clock;
                self
            }

            /// How the client authenticates:
            /// [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if it has a secret,
            /// [`PrivateKeyJwt`](crate::oauth2::PrivateKeyJwt) if it has an external key, else
            /// [`PublicClient`](crate::oauth2::PublicClient), unless told.
            #[must_use]
            pub fn auth_method(
                mut self,
                auth: impl $crate::oauth2::client_auth::ClientAuth + 'static,
            ) -> Self {
                self.endpoint.auth = Some(std::sync::Arc::new(auth));
                self
            }

            /// The method of requests: `POST` unless told, as the RFC has it.
            ///
            /// # Security
            ///
            /// With `GET`, everything that is secret stands in the URL, and so in logs.
            #[must_use]
            pub fn method(mut self, method: http::Method) -> Self {
                self.endpoint.method = method;
                self
            }

            /// The compliance hooks, in order.
            #[must_use]
            pub fn compliance_hooks(
                mut self,
                hooks: impl IntoIterator<Item = $crate::oauth2::hook::Hook>,
            ) -> Self {
                self.endpoint.hooks = $crate::oauth2::hook::Hooks::new(hooks);
                self
            }
        }
    };
}
pub(crate) use registration;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let url = Url::parse("https://id.example/token?secret=hunter2").expect("a URL");
        let mut endpoint = Endpoint::new(url, ClientRegistration::new("me"));
        endpoint.registration_mut().client_secret = Some("hunter2".into());
        assert_eq!(
            format!("{endpoint:?}"),
            "Endpoint { url: \"https://id.example/token\", registration: ClientRegistration { \
             client_id: \"me\", client_secret: Some([redacted]), issuer: None, \
             token_endpoint: None, external_key: None, .. }, .. }"
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
        let url = Url::parse("https://id.example/token?a=%20").expect("a URL");
        let mut endpoint = Endpoint::new(url, ClientRegistration::new("me"));
        endpoint.method = Method::GET;
        let request = endpoint.request(Form::new(), Message::Access);
        let (url, body) = request.expect("a request").url_and_body();
        assert_eq!(url.as_str(), "https://id.example/token?a=%20&client_id=me");
        assert_eq!(body, None);
    }
}
