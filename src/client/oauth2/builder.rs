//! Builder of an OAuth 2.0 client.

use std::{fmt, sync::Arc};

use reqwest::Method;

use super::super::{
    documents::cache::{DocumentCache, DocumentFetch},
    http, maybe_async,
    oauth2::{
        client::OAuth2Client, config::TokenSource, profile::CheckProfile,
        protected_resource::ForResource,
    },
    oidc::id_tokens::SignedIdTokens,
    server::ByMetadata,
    session::Session,
    settings::{
        AuthorizationSettings, DiscoverySettings, HttpSettings, OpenIdSettings,
        RegistrationSettings, TokenSettings, http_settings, timeout_with_renewal, token_settings,
    },
    transport::Follow,
};
use crate::{
    error::Result,
    oauth2::{
        client::{ClientRegistration, RegisteredClient},
        client_auth::{ClientAuth, settings::Authentication},
        endpoint::introspection_jwt::IntrospectionRules,
        grant::Grant,
        server::{discovery::Discovery, metadata::AuthorizationServer},
    },
    oidc::{id_token_rules::IdTokenRules, key_set::KeySet, userinfo::UserInfoRules},
    secret::Secret,
};

paired! {
    /// Settings of an OAuth 2.0 client. Setters cannot fail; [`build`](Self::build) reports every
    /// invalid setting by name.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/oauth2_client_builder.md"),
        include_str!("../../../docs/examples/async/oauth2_client_builder.md")
    )]
    #[must_use = "a builder makes no client until it is built"]
    pub struct OAuth2ClientBuilder | AsyncOAuth2ClientBuilder {
        pub(in super::super::super) client: ClientRegistration,
        /// The metadata that the calling code sets.
        pub(in super::super) server: AuthorizationServer,
        pub(in super::super) discovery: Option<DiscoverySettings>,
        pub(in super::super) authentication: Authentication,
        pub(in super::super) token_endpoint_method: Method,
        pub(in super::super) grant: Option<Arc<dyn Grant>>,
        /// The client of whose token that of this one is made.
        pub(in super::super) source: Option<TokenSource>,
        /// The registration by which the client is known to the server.
        pub(in super::super) registered: Option<Box<RegisteredClient>>,
        pub(in super::super) registering: RegistrationSettings,
        pub(in super::super::super) tokens: TokenSettings,
        pub(in super::super) http: HttpSettings,
        pub(in super::super) key_set: Option<KeySet>,
        pub(in super::super::super) openid: OpenIdSettings,
        pub(in super::super) authorization: AuthorizationSettings,
        pub(in super::super) introspection: IntrospectionRules,
        /// Of a client that finds its server by the resource that it is for.
        pub(in super::super) resource: Option<Box<ForResource>>,
        pub(super) check_profile: Option<CheckProfile>,
        /// Settings of such a client that another one was given.
        pub(in super::super) misplaced: Vec<&'static str>,
    }
}

impl OAuth2ClientBuilder {
    pub(in super::super) fn new(client_id: String) -> Self {
        Self {
            client: ClientRegistration::new(client_id),
            ..Self::unregistered()
        }
    }

    pub(in super::super) fn unregistered() -> Self {
        Self {
            client: ClientRegistration::default(),
            server: AuthorizationServer::default(),
            discovery: None,
            authentication: Authentication::default(),
            token_endpoint_method: Method::POST,
            grant: None,
            source: None,
            registered: None,
            registering: RegistrationSettings::default(),
            tokens: TokenSettings::new(),
            http: HttpSettings::new(),
            key_set: None,
            openid: OpenIdSettings::default(),
            authorization: AuthorizationSettings::default(),
            introspection: IntrospectionRules::default(),
            resource: None,
            check_profile: None,
            misplaced: Vec::new(),
        }
    }

    /// The secret of the client. A client without one is public.
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client = self.client.with_client_secret(secret);
        self
    }

    /// The metadata of the server, kept from an earlier run or made by hand. They replace all
    /// earlier settings of the server; later settings change them. Endpoints may have any address.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/server.md"),
        include_str!("../../../docs/examples/async/server.md")
    )]
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn server(mut self, server: AuthorizationServer) -> Self {
        self.server = server;
        self.discovery = None;
        self.openid.verified_by = Some(&SignedIdTokens);
        self
    }

    /// Discovers the server when it is needed first: by a token request, by
    /// `begin_authorization`, or by `fetch_server`. A service starts while its provider is down.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/discover_later.md"),
        include_str!("../../../docs/examples/async/discover_later.md")
    )]
    ///
    /// The metadata are fetched once for any number of callers, and again when the lifetime that
    /// HTTP gives them has ended: at least a minute, at most a day, an hour by default. If that
    /// fails, the old ones stay in use. Settings of single endpoints, before or after this one,
    /// replace what the metadata say.
    ///
    /// [OpenID Connect Discovery section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig),
    /// [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3)
    pub fn discover_later(mut self, issuer: impl Into<Discovery>) -> Self {
        self.discovery = Some(DiscoverySettings::new(issuer.into(), &ByMetadata));
        self.openid.verified_by = Some(&SignedIdTokens);
        self
    }

    /// The server's issuer identifier: an HTTPS URL without query and fragment.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.server = self.server.with_issuer(issuer);
        self
    }

    /// Whether the server adds `iss` to every callback, as its metadata says: a callback without
    /// it is then refused. An `iss` that is present is always compared with the issuer.
    ///
    /// [RFC 9207 section 2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4)
    pub fn authorization_response_iss_parameter_supported(mut self, supported: bool) -> Self {
        self.server = self
            .server
            .with_authorization_response_iss_parameter_supported(supported);
        self
    }

    /// The URL of the token endpoint. Without one, tokens can be used but not renewed.
    ///
    /// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)
    pub fn token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_token_endpoint(url);
        self
    }

    /// The HTTP method of token requests. Defaults to `POST`, as in the RFC.
    ///
    /// # Security
    ///
    /// With `GET`, all secrets are in the URL, and so in logs.
    pub fn token_endpoint_method(mut self, method: Method) -> Self {
        self.token_endpoint_method = method;
        self
    }

    /// The URL of the authorization endpoint, to which users are redirected.
    ///
    /// [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)
    pub fn authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_authorization_endpoint(url);
        self
    }

    /// The redirection URI, to which users return: absolute, without fragment, as registered.
    ///
    /// [RFC 6749 section 3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2)
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.client = self.client.with_redirect_uris([uri]);
        self
    }

    /// The URL of the revocation endpoint.
    ///
    /// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
    pub fn revocation_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_revocation_endpoint(url);
        self
    }

    /// The URL of the introspection endpoint.
    ///
    /// [RFC 7662 section 2](https://www.rfc-editor.org/rfc/rfc7662#section-2)
    pub fn introspection_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_introspection_endpoint(url);
        self
    }

    /// The URL of the device authorization endpoint.
    ///
    /// [RFC 8628 section 3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)
    pub fn device_authorization_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_device_authorization_endpoint(url);
        self
    }

    /// The client authentication at the revocation endpoint. Defaults to that at the token
    /// endpoint.
    pub fn revocation_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.authentication.revocation = Some(Arc::new(auth));
        self
    }

    /// The client authentication at the introspection endpoint. Defaults to that at the token
    /// endpoint.
    pub fn introspection_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.authentication.introspection = Some(Arc::new(auth));
        self
    }

    /// The client authentication at the token endpoint. Defaults to
    /// [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if the client has a secret (or post, if
    /// the server lists only that), to [`PrivateKeyJwt`](crate::oauth2::PrivateKeyJwt) if it has a
    /// [`signer`](Self::signer), else to [`PublicClient`](crate::oauth2::PublicClient).
    ///
    /// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
    pub fn token_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.authentication.token = Some(Arc::new(auth));
        self
    }

    /// The grant of the first token, which is obtained at the first request, and of later ones if
    /// there is no refresh token. It must be one that can be sent again; give others to
    /// `fetch_token`.
    pub fn grant(mut self, grant: impl Grant + 'static) -> Self {
        self.grant = Some(Arc::new(grant));
        self
    }

    /// The keys of the server as [`key_set`](OAuth2Client::key_set) of an earlier client returned
    /// them, so that they need not be fetched. They are not used for another `jwks_uri`.
    pub fn key_set(mut self, keys: KeySet) -> Self {
        self.key_set = Some(keys);
        self
    }

    /// The rules for ID tokens. Defaults to those of OpenID Connect Core, without exceptions.
    ///
    /// [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
    pub fn id_token(mut self, rules: IdTokenRules) -> Self {
        self.openid.id_token = rules;
        self.openid.verified_by = Some(&SignedIdTokens);
        self
    }

    /// The rules for the UserInfo endpoint. By default the token is in the header, and the response
    /// is JSON or signed.
    ///
    /// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
    pub fn userinfo(mut self, rules: UserInfoRules) -> Self {
        self.openid.userinfo = rules;
        self
    }

    /// The URL of the UserInfo endpoint.
    ///
    /// [OpenID Connect Core section 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)
    pub fn userinfo_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_userinfo_endpoint(url);
        self
    }

    /// The URL of the endpoint that logs the end-user out.
    ///
    /// [OpenID Connect RP-Initiated Logout section 2.1](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#OPMetadata)
    pub fn end_session_endpoint(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_end_session_endpoint(url);
        self
    }

    /// The URL of the server's keys, with which ID tokens are verified.
    ///
    /// [RFC 8414 section 2](https://www.rfc-editor.org/rfc/rfc8414#section-2)
    pub fn jwks_uri(mut self, url: impl Into<String>) -> Self {
        self.server = self.server.with_jwks_uri(url);
        self.openid.verified_by = Some(&SignedIdTokens);
        self
    }

    /// Creates the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), which names every invalid setting; or if TLS
    /// cannot be set up.
    pub fn build(mut self) -> Result<OAuth2Client> {
        if let Some(resource) = &self.resource {
            return (resource.build)(self);
        }
        let settings = self.settings()?;
        let guard = settings.guard();
        let transport = self.http.transport(self.tokens.follow(), guard)?;
        let session = Session::new(settings, transport, self.tokens.token, self.grant);
        if let Some(source) = self.source {
            source.session.add_dependent(&session);
        }
        Ok(OAuth2Client::new(session))
    }
}

#[maybe_async]
impl OAuth2ClientBuilder {
    /// Discovers the server now: its OpenID Connect Discovery document, or its RFC 8414 metadata.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/discover.md"),
        include_str!("../../../docs/examples/async/discover.md")
    )]
    ///
    /// It uses the HTTP settings made before it; `configure_http`, `timeout` and `clock` after it
    /// are an error of `build`. Everything else is as for [`discover_later`](Self::discover_later).
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport;
    /// [`ErrorKind::Answer`](crate::ErrorKind::Answer) if the metadata are those of another issuer,
    /// or name endpoints that no request may be sent to.
    ///
    /// [OpenID Connect Discovery section 4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig),
    /// [RFC 8414 section 3](https://www.rfc-editor.org/rfc/rfc8414#section-3)
    pub async fn discover(self, issuer: impl Into<Discovery>) -> Result<Self> {
        let mut builder = self.discover_later(issuer);
        let Some(found) = &mut builder.discovery else {
            return Ok(builder);
        };
        let http = &mut builder.http;
        let transport = http.transport(Follow::Nothing, Some(found.guard.clone()))?;
        let fetch = DocumentFetch {
            // Settings of single endpoints come in when the client is built, as others may follow.
            source: found.source(
                AuthorizationServer::default(),
                http.allow_http,
                http.clock.clone(),
                // It is checked when the client is built, as it may follow.
                None,
            ),
            transport: Arc::new(transport),
            clock: http.clock.clone(),
        };
        http.is_used = true;
        let limit = http.timeout;
        let cache = DocumentCache::new(None);
        let metadata = cache.obtain(fetch, |_| true, |_| true, limit).await?;
        found.metadata = Some(metadata);
        Ok(builder)
    }
}

token_settings!(OAuth2ClientBuilder);
http_settings!(
    OAuth2ClientBuilder,
    timeout: timeout_with_renewal!(),
    clock: "The clock for every expiry, including that of a pending login, and for timestamps.",
);

/// Without the query of the endpoint, in which some servers expect a key.
impl fmt::Debug for OAuth2ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(by_mode!("OAuth2ClientBuilder", "AsyncOAuth2ClientBuilder"));
        debug
            .field("client", &self.client)
            .field("server", &self.server);
        if let Some(found) = &self.discovery {
            debug.field("discovery", &found.discovery);
        }
        debug
            .field("token", &self.tokens.token)
            .finish_non_exhaustive()
    }
}
