//! The settings of an OAuth 2.0 client.

use std::{fmt, sync::Arc};

use reqwest::Method;

use super::super::{
    http,
    oauth2::client::OAuth2Client,
    session::Session,
    settings::{HttpSettings, TokenSettings, http_settings, token_settings},
    transport::Follow,
};
use crate::{
    error::Result,
    oauth2::{client_auth::ClientAuth, grant::Grant},
    secret::Secret,
};

paired! {
    /// The settings of a client. None of them fails; [`build`](Self::build) reports every bad one
    /// by its name.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth2_client_builder.md"),
        include_str!("../../../docs/examples/async/oauth2_client_builder.md")
    )]
    #[must_use = "a builder makes no client until it is built"]
    pub struct OAuth2ClientBuilder | AsyncOAuth2ClientBuilder {
        pub(in super::super) client_id: String,
        pub(in super::super) client_secret: Option<Secret>,
        pub(in super::super) issuer: Option<String>,
        pub(in super::super) iss_required: bool,
        pub(in super::super) token_endpoint: Option<String>,
        pub(in super::super) token_endpoint_method: Method,
        pub(in super::super) auth: Option<Arc<dyn ClientAuth>>,
        pub(in super::super) authorization_endpoint: Option<String>,
        pub(in super::super) redirect_uri: Option<String>,
        pub(in super::super) revocation_endpoint: Option<String>,
        pub(in super::super) revocation_auth: Option<Arc<dyn ClientAuth>>,
        pub(in super::super) introspection_endpoint: Option<String>,
        pub(in super::super) introspection_auth: Option<Arc<dyn ClientAuth>>,
        pub(in super::super) grant: Option<Arc<dyn Grant>>,
        pub(in super::super::super) tokens: TokenSettings,
        pub(in super::super) http: HttpSettings,
    }
}

impl OAuth2ClientBuilder {
    pub(in super::super) fn new(client_id: String) -> Self {
        Self {
            client_id,
            client_secret: None,
            issuer: None,
            iss_required: false,
            token_endpoint: None,
            token_endpoint_method: Method::POST,
            auth: None,
            authorization_endpoint: None,
            redirect_uri: None,
            revocation_endpoint: None,
            revocation_auth: None,
            introspection_endpoint: None,
            introspection_auth: None,
            grant: None,
            tokens: TokenSettings::new(),
            http: HttpSettings::new(),
        }
    }

    /// The client's secret. Without one the client is public.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// The server's issuer identifier: an HTTPS URL without query and fragment.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Whether the server puts `iss` into every callback, as its metadata says: one without is
    /// refused then. An `iss` that is there is compared with the issuer in any case.
    ///
    /// [RFC 9207 section 2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4)
    pub fn authorization_response_iss_parameter_supported(mut self, supported: bool) -> Self {
        self.iss_required = supported;
        self
    }

    /// The URL of the token endpoint. Without one, tokens can be used and not renewed.
    ///
    /// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
    pub fn token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.token_endpoint = Some(url.into());
        self
    }

    /// The method of token requests: `POST` unless told, as the RFC has it.
    ///
    /// # Security
    ///
    /// With `GET`, everything that is secret stands in the URL, and so in logs.
    pub fn token_endpoint_method(mut self, method: Method) -> Self {
        self.token_endpoint_method = method;
        self
    }

    /// The URL of the authorization endpoint, to which people are sent.
    ///
    /// [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.authorization_endpoint = Some(url.into());
        self
    }

    /// Where people are sent back to: an absolute URI without fragment, as registered.
    ///
    /// [RFC 6749 section 3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2)
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// The URL of the revocation endpoint.
    ///
    /// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
    pub fn revocation_endpoint(mut self, url: impl Into<String>) -> Self {
        self.revocation_endpoint = Some(url.into());
        self
    }

    /// The URL of the introspection endpoint.
    ///
    /// [RFC 7662 section 2](https://www.rfc-editor.org/rfc/rfc7662#section-2)
    pub fn introspection_endpoint(mut self, url: impl Into<String>) -> Self {
        self.introspection_endpoint = Some(url.into());
        self
    }

    /// How the client authenticates at the revocation endpoint: as at the token endpoint, unless
    /// told.
    pub fn revocation_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.revocation_auth = Some(Arc::new(auth));
        self
    }

    /// How the client authenticates at the introspection endpoint: as at the token endpoint,
    /// unless told.
    pub fn introspection_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.introspection_auth = Some(Arc::new(auth));
        self
    }

    /// How the client authenticates: [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if
    /// it has a secret, [`PrivateKeyJwt`](crate::oauth2::PrivateKeyJwt) if it has a
    /// [`signer`](Self::signer), else [`PublicClient`](crate::oauth2::PublicClient), unless told.
    ///
    /// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
    pub fn token_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.auth = Some(Arc::new(auth));
        self
    }

    /// What the first token is obtained with, at the first request, and later ones when there is
    /// no refresh token.
    pub fn grant(mut self, grant: impl Grant + 'static) -> Self {
        self.grant = Some(Arc::new(grant));
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Of [`ErrorKind::Usage`](crate::ErrorKind::Usage), with every bad setting by its name; or
    /// if TLS cannot be set up.
    pub fn build(self) -> Result<OAuth2Client> {
        let settings = self.settings()?;
        let transport = self.http.transport(Follow::Bearer(self.tokens.placement))?;
        let session = Session::new(settings, transport, self.tokens.token, self.grant);
        Ok(OAuth2Client::new(session))
    }
}

token_settings!(OAuth2ClientBuilder);
http_settings!(OAuth2ClientBuilder);

/// Without the query of the endpoint, in which some servers want a key.
impl fmt::Debug for OAuth2ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.token_endpoint.as_ref();
        let endpoint = endpoint.map(|url| url.split(['?', '#']).next());
        f.debug_struct(by_mode!("OAuth2ClientBuilder", "AsyncOAuth2ClientBuilder"))
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("token_endpoint", &endpoint.flatten())
            .field("scope", &self.tokens.scope)
            .field("token", &self.tokens.token)
            .finish_non_exhaustive()
    }
}
