//! The settings of an OAuth 2.0 client.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::Method;

use super::{
    Hook as UpdateHook, http,
    oauth2::OAuth2Client,
    session::Session,
    transport::{ConfigureHttp, Follow, Transport},
};
use crate::{
    clock::Clock,
    error::Result,
    oauth2::{
        ClientAuth, Grant, Hook, RefreshPolicy, Scope, Token, TokenPlacement,
        compliance::ComplianceFix,
    },
    secret::Secret,
};

paired! {
    /// The settings of a client. None of them fails; [`build`](Self::build) reports every bad one
    /// by its name.
    ///
    #[doc = by_mode!(
        r#"```
use std::time::Duration;
use oauth_twin::{OAuth2Client, Token, oauth2::{ClientSecretPost, RefreshPolicy}};

let client = OAuth2Client::builder("client-id")
    .client_secret("client-secret")
    .issuer("https://id.example.com")
    .token_endpoint("https://id.example.com/token")
    .token_endpoint_auth_method(ClientSecretPost)
    .scope(["reports:read", "reports:write"])
    .resource("https://api.example.com")
    .token(Token::new("kept").with_refresh_token("from the last run"))
    .leeway(Duration::from_secs(30))
    .refresh_policy(RefreshPolicy::Expiry)
    .timeout(Duration::from_secs(10))
    .close_timeout(Duration::from_secs(20))
    .configure_http(|builder| builder.user_agent("reports/1.0").no_proxy())
    .build()?;

let error = OAuth2Client::builder("").token_endpoint("/token").build().unwrap_err();
assert_eq!(
    error.to_string(),
    "bad settings: client_id is empty; \
     token_endpoint is not an absolute URL (relative URL without a base)",
);
# Ok::<(), oauth_twin::Error>(())
```"#,
        r#"```
use std::time::Duration;
use oauth_twin::{AsyncOAuth2Client, Token, oauth2::{ClientSecretPost, RefreshPolicy}};

let client = AsyncOAuth2Client::builder("client-id")
    .client_secret("client-secret")
    .issuer("https://id.example.com")
    .token_endpoint("https://id.example.com/token")
    .token_endpoint_auth_method(ClientSecretPost)
    .scope(["reports:read", "reports:write"])
    .resource("https://api.example.com")
    .token(Token::new("kept").with_refresh_token("from the last run"))
    .leeway(Duration::from_secs(30))
    .refresh_policy(RefreshPolicy::Expiry)
    .timeout(Duration::from_secs(10))
    .close_timeout(Duration::from_secs(20))
    .configure_http(|builder| builder.user_agent("reports/1.0").no_proxy())
    .build()?;

let error = AsyncOAuth2Client::builder("").token_endpoint("/token").build().unwrap_err();
assert_eq!(
    error.to_string(),
    "bad settings: client_id is empty; \
     token_endpoint is not an absolute URL (relative URL without a base)",
);
# Ok::<(), oauth_twin::Error>(())
```"#
    )]
    #[must_use = "a builder makes no client until it is built"]
    pub struct OAuth2ClientBuilder | AsyncOAuth2ClientBuilder {
        pub(super) client_id: String,
        pub(super) client_secret: Option<Secret>,
        pub(super) issuer: Option<String>,
        pub(super) iss_required: bool,
        pub(super) token_endpoint: Option<String>,
        pub(super) token_endpoint_method: Method,
        pub(super) auth: Option<Arc<dyn ClientAuth>>,
        pub(super) authorization_endpoint: Option<String>,
        pub(super) redirect_uri: Option<String>,
        pub(super) revocation_endpoint: Option<String>,
        pub(super) revocation_auth: Option<Arc<dyn ClientAuth>>,
        pub(super) introspection_endpoint: Option<String>,
        pub(super) introspection_auth: Option<Arc<dyn ClientAuth>>,
        pub(super) placement: TokenPlacement,
        pub(super) hooks: Vec<Hook>,
        pub(super) scope: Option<Scope>,
        pub(super) resource: Vec<String>,
        pub(super) grant: Option<Arc<dyn Grant>>,
        pub(super) token: Option<Token>,
        pub(super) leeway: Duration,
        pub(super) policy: RefreshPolicy,
        pub(super) timeout: Duration,
        pub(super) close_timeout: Duration,
        pub(super) configure_http: Option<ConfigureHttp>,
        pub(super) update: Option<UpdateHook>,
        pub(super) clock: Clock,
        pub(super) allow_http: bool,
    }
}

impl OAuth2ClientBuilder {
    pub(super) fn new(client_id: String) -> Self {
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
            placement: TokenPlacement::Header,
            hooks: Vec::new(),
            scope: None,
            resource: Vec::new(),
            grant: None,
            token: None,
            leeway: Duration::from_secs(60),
            policy: RefreshPolicy::default(),
            timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(60),
            configure_http: None,
            update: None,
            clock: Clock::system(),
            allow_http: false,
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

    /// Where the token stands in requests: in the header, unless told.
    ///
    /// [RFC 6750 section 2](https://www.rfc-editor.org/rfc/rfc6750#section-2)
    pub fn token_placement(mut self, placement: TokenPlacement) -> Self {
        self.placement = placement;
        self
    }

    /// Adds a change to a message, for a server that departs from the RFC. Hooks run in the order
    /// in which they are added.
    pub fn compliance_hook(mut self, hook: Hook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Adds the hooks that a provider is known to need.
    pub fn compliance_fix(mut self, fix: ComplianceFix) -> Self {
        self.hooks.extend(fix);
        self
    }

    /// How the client authenticates: [`ClientSecretBasic`](crate::oauth2::ClientSecretBasic) if
    /// it has a secret, else [`PublicClient`](crate::oauth2::PublicClient), unless told.
    ///
    /// [RFC 6749 section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)
    pub fn token_endpoint_auth_method(mut self, auth: impl ClientAuth + 'static) -> Self {
        self.auth = Some(Arc::new(auth));
        self
    }

    /// The scope of grants that name none: a string, or several.
    ///
    /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The resource that tokens are for; call it again for more than one.
    ///
    /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// What the first token is obtained with, at the first request, and later ones when there is
    /// no refresh token.
    pub fn grant(mut self, grant: impl Grant + 'static) -> Self {
        self.grant = Some(Arc::new(grant));
        self
    }

    /// A token to begin with, such as that of the last run.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// How long before it expires a token is renewed: 60 seconds unless told, and never more
    /// than half of its life.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// What makes the client renew its token: its expiry and a 401, unless told.
    pub fn refresh_policy(mut self, policy: RefreshPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The time within which a call of one of the server's endpoints ends, repetitions included:
    /// 30 seconds unless told. It does not hold for requests to an API: these wait up to 30
    /// seconds for each sign of life, and reqwest's own `timeout` limits them as a whole.
    ///
    /// A request that renews the token early waits no longer for it than this, or than its own
    /// timeout, and then goes on with the old token; the renewal goes on, too.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long `close` waits for a renewal that is under way, and then for `update_token`:
    /// 60 seconds each unless told.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Changes reqwest's own builder: proxies, private roots, client certificates, the pool.
    ///
    /// It is called for each of the inner clients: one for endpoints and one for API calls, and the
    /// same again for loopback where the environment names a proxy, as nothing goes to loopback
    /// through that one. Redirects, `Referer` and the timeouts of
    /// endpoints are set after it. With this, reqwest sets TLS up itself, and the platform's
    /// roots are loaded again for each client; under the feature `rustls`, *ring* is installed as
    /// the process's provider if there is none.
    pub fn configure_http(
        mut self,
        configure: impl Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure_http = Some(Arc::new(configure));
        self
    }

    /// The clock that expiry is judged by: the system's, unless told.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Permits plain HTTP everywhere.
    ///
    /// # Security
    ///
    /// Whoever sits on the way reads secrets and tokens and can change answers. Loopback needs
    /// no permission.
    pub fn dangerous_allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    pub(in super::super) fn hook(mut self, hook: UpdateHook) -> Self {
        self.update = Some(hook);
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
        let transport = Transport::new(
            self.configure_http.as_ref(),
            self.timeout,
            self.allow_http,
            Follow::Bearer(self.placement),
        )?;
        let session = Session::new(settings, transport, self.token, self.grant);
        Ok(OAuth2Client::new(session))
    }
}

/// Without the query of the endpoint, in which some servers want a key.
impl fmt::Debug for OAuth2ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.token_endpoint.as_ref();
        let endpoint = endpoint.map(|url| url.split(['?', '#']).next());
        f.debug_struct(by_mode!("OAuth2ClientBuilder", "AsyncOAuth2ClientBuilder"))
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("token_endpoint", &endpoint.flatten())
            .field("scope", &self.scope)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
