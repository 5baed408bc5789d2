//! The settings that builders share, each with its methods.

use std::time::Duration;

use reqwest::Url;

use super::{
    Sign, Store, UpdateHook,
    transport::{ConfigureHttp, Follow, Transport},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::ExternalKey,
    oauth2::{
        endpoint::{authenticated::Endpoint, token::TokenEndpoint},
        hook::Hook,
        scope::Scope,
        token::{Token, bearer::TokenPlacement, refresh::RefreshPolicy},
    },
    wire::secure_url::check_endpoint,
};

/// What all clients have.
pub(in super::super::super) struct HttpSettings {
    pub(in super::super) timeout: Duration,
    pub(in super::super) configure: Option<ConfigureHttp>,
    pub(in super::super) clock: Clock,
    pub(in super::super) allow_http: bool,
}

impl HttpSettings {
    pub(in super::super) fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            configure: None,
            clock: Clock::system(),
            allow_http: false,
        }
    }

    pub(in super::super) fn transport(&self, follow: Follow) -> Result<Transport> {
        Transport::new(
            self.configure.as_ref(),
            self.timeout,
            self.allow_http,
            follow,
        )
    }

    pub(in super::super) fn check(&self, problems: &mut Problems) {
        problems.note_if_zero("timeout", self.timeout);
    }

    /// The URL of an endpoint, if there is one and it is good.
    pub(in super::super) fn url(
        &self,
        name: &str,
        url: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Url> {
        match check_endpoint(url?, self.allow_http) {
            Ok(url) => Some(url),
            Err(problem) => {
                problems.add(name, &problem);
                None
            }
        }
    }
}

/// What clients have whose tokens are renewed.
pub(in super::super::super) struct TokenSettings {
    pub(in super::super) placement: TokenPlacement,
    pub(in super::super) hooks: Vec<Hook>,
    pub(in super::super) scope: Option<Scope>,
    pub(in super::super) resource: Vec<String>,
    pub(in super::super) token: Option<Token>,
    pub(in super::super) leeway: Duration,
    pub(in super::super) policy: RefreshPolicy,
    pub(in super::super) close_timeout: Duration,
    pub(in super::super::super) update: Option<UpdateHook>,
    pub(in super::super::super) signer: Option<(ExternalKey, Sign)>,
    pub(in super::super::super) store: Option<Store>,
}

impl TokenSettings {
    pub(in super::super) fn new() -> Self {
        Self {
            placement: TokenPlacement::Header,
            hooks: Vec::new(),
            scope: None,
            resource: Vec::new(),
            token: None,
            leeway: Duration::from_secs(60),
            policy: RefreshPolicy::default(),
            close_timeout: Duration::from_secs(60),
            update: None,
            signer: None,
            store: None,
        }
    }

    pub(in super::super) fn check(&self, problems: &mut Problems) {
        problems.note_if_zero("close_timeout", self.close_timeout);
        if self.token.is_some() && self.store.is_some() {
            problems.add(
                "token",
                "is that of token_store; leave it out, or give it to set_token to replace that one",
            );
        }
        if let Some(Err(error)) = self.scope.as_ref().map(Scope::validate) {
            problems.add("scope", &format!("cannot be sent: {error}"));
        }
        for resource in &self.resource {
            problems.note_bad_uri("resource", resource);
        }
    }

    /// What is asked for unless a grant says otherwise.
    pub(in super::super) fn token_endpoint(&self, endpoint: Endpoint) -> TokenEndpoint {
        let mut endpoint = TokenEndpoint::from(endpoint);
        if let Some(scope) = &self.scope {
            endpoint = endpoint.scope(scope.clone());
        }
        let resources = self.resource.iter();
        resources.fold(endpoint, |endpoint, resource| endpoint.resource(resource))
    }

    pub(in super::super) fn external_key(&self) -> Option<ExternalKey> {
        self.signer.as_ref().map(|(key, _)| key.clone())
    }

    pub(in super::super) fn sign(&self) -> Option<Sign> {
        self.signer.as_ref().map(|(_, sign)| sign.clone())
    }
}

/// What is wrong, each with the name of the setting.
#[derive(Default)]
pub(in super::super) struct Problems(Vec<String>);

impl Problems {
    pub(in super::super) fn add(&mut self, setting: &str, problem: &str) {
        self.0.push(format!("{setting} {problem}"));
    }

    pub(in super::super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// An error with all of them, if there are any.
    pub(in super::super) fn result(self) -> Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(self.into_error()),
        }
    }

    pub(in super::super) fn into_error(self) -> Error {
        Error::configuration(self.0)
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in super::super) fn note_if_zero(&mut self, setting: &str, time: Duration) {
        if time == Duration::ZERO {
            self.add(setting, "must be longer than zero");
        }
    }

    /// RFC 8707: "Its value MUST be an absolute URI [...]. The URI MUST NOT include a fragment".
    /// RFC 6749 section 3.1.2 says the same of redirection URIs.
    pub(in super::super) fn note_bad_uri(&mut self, setting: &str, uri: &str) {
        match Url::parse(uri) {
            Err(error) => self.add(setting, &format!("is not an absolute URI ({error})")),
            Ok(uri) if uri.fragment().is_some() => self.add(setting, "must not have a fragment"),
            Ok(_) => {}
        }
    }
}

/// The methods of a builder with a field `http`.
macro_rules! http_settings {
    ($builder:ident) => {
        impl $builder {
            /// The time within which a call of one of the server's endpoints ends, repetitions
            /// included: 30 seconds unless told. It does not hold for requests to an API: these
            /// wait up to 30 seconds for each sign of life, and reqwest's own `timeout` limits
            /// them as a whole.
            ///
            /// A request that renews the token early waits no longer for it than this, or than
            /// its own timeout, and then goes on with the old token; the renewal goes on, too.
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.http.timeout = timeout;
                self
            }

            /// Changes reqwest's own builder: proxies, private roots, client certificates, the
            /// pool.
            ///
            /// It is called for each of the inner clients: one for endpoints and one for API
            /// calls, and the same again for loopback where the environment names a proxy, as
            /// nothing goes to loopback through that one. Redirects, `Referer` and the timeouts
            /// of endpoints are set after it. With this, reqwest sets TLS up itself, and the
            /// platform's roots are loaded again for each client; under the feature `rustls`,
            /// *ring* is installed as the process's provider if there is none.
            pub fn configure_http(
                mut self,
                configure: impl Fn(http::ClientBuilder) -> http::ClientBuilder + Send + Sync + 'static,
            ) -> Self {
                self.http.configure = Some(std::sync::Arc::new(configure));
                self
            }

            /// The clock that expiry is judged by and timestamps are taken from: the system's,
            /// unless told.
            pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
                self.http.clock = clock;
                self
            }

            /// Permits plain HTTP everywhere.
            ///
            /// # Security
            ///
            /// Whoever sits on the way reads secrets and tokens and can change answers. Loopback
            /// needs no permission.
            pub fn dangerous_allow_http(mut self) -> Self {
                self.http.allow_http = true;
                self
            }
        }
    };
}

/// The methods of a builder with a field `tokens`.
macro_rules! token_settings {
    ($builder:ident) => {
        impl $builder {
            /// Where the token stands in requests: in the header, unless told.
            ///
            /// [RFC 6750 section 2](https://www.rfc-editor.org/rfc/rfc6750#section-2)
            pub fn token_placement(mut self, placement: $crate::oauth2::TokenPlacement) -> Self {
                self.tokens.placement = placement;
                self
            }

            /// Adds a change to a message, for a server that departs from the RFC. Hooks run in
            /// the order in which they are added.
            pub fn compliance_hook(mut self, hook: $crate::oauth2::Hook) -> Self {
                self.tokens.hooks.push(hook);
                self
            }

            /// Adds the hooks that a provider is known to need.
            pub fn compliance_fix(
                mut self,
                fix: $crate::oauth2::compliance::ComplianceFix,
            ) -> Self {
                self.tokens.hooks.extend(fix);
                self
            }

            /// The scope of grants that name none: a string, or several.
            ///
            /// [RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)
            pub fn scope(mut self, scope: impl Into<$crate::oauth2::Scope>) -> Self {
                self.tokens.scope = Some(scope.into());
                self
            }

            /// The resource that tokens are for; call it again for more than one.
            ///
            /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
            pub fn resource(mut self, resource: impl Into<String>) -> Self {
                self.tokens.resource.push(resource.into());
                self
            }

            /// A token to begin with, such as that of the last run.
            pub fn token(mut self, token: $crate::oauth2::Token) -> Self {
                self.tokens.token = Some(token);
                self
            }

            /// How long before it expires a token is renewed: 60 seconds unless told, and never
            /// more than half of its life.
            pub fn leeway(mut self, leeway: std::time::Duration) -> Self {
                self.tokens.leeway = leeway;
                self
            }

            /// What makes the client renew its token: its expiry and a 401, unless told.
            pub fn refresh_policy(mut self, policy: $crate::oauth2::RefreshPolicy) -> Self {
                self.tokens.policy = policy;
                self
            }

            /// How long `close` waits for a renewal that is under way, and then for
            /// `token_store` and `update_token`: 60 seconds each unless told.
            pub fn close_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.tokens.close_timeout = timeout;
                self
            }
        }
    };
}
pub(in super::super) use {http_settings, token_settings};
