//! Authorization requests.
//!
//! [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)

use std::{borrow::Cow, time::Duration};

use crate::{
    oauth2::{
        authorization::{pkce::Pkce, response_type::ResponseType},
        dpop::key::DpopKey,
        scope::Scope,
    },
    secret::Secret,
    wire::form::Form,
};

/// Authorization request to the resource owner. The defaults are secure: `state` and PKCE are
/// included, and with the scope `openid` a `nonce`.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::oauth2::AuthorizationRequest;
///
/// let request = AuthorizationRequest::new()
///     .scope("openid email")
///     .resource("https://calendar.example.com")
///     .resource("https://contacts.example.com")
///     .prompt("consent")
///     .expires_in(Duration::from_secs(600));
/// ```
///
/// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    pub(crate) response_type: ResponseType,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) resource: Vec<String>,
    pub(crate) state: Option<Secret>,
    pub(crate) code_verifier: Option<Secret>,
    pub(crate) pkce: Pkce,
    pub(crate) nonce: Option<Secret>,
    /// Whether one of the `acr_values` is required.
    pub(crate) require_acr: bool,
    /// Whether one of the `acr_values` is required of the ID token, if there is one.
    pub(crate) acr_is_challenged: bool,
    /// The parameters that have a method of their own, in order of their calls.
    pub(crate) own: Form,
    pub(crate) parameters: Form,
    pub(crate) expires_in: Duration,
    /// The thumbprint of the DPoP key that the code is to be bound to.
    pub(crate) dpop_thumbprint: Option<String>,
}

impl Default for AuthorizationRequest {
    fn default() -> Self {
        Self {
            response_type: ResponseType::Code,
            redirect_uri: None,
            scope: None,
            resource: Vec::new(),
            state: None,
            code_verifier: None,
            pkce: Pkce::S256,
            nonce: None,
            require_acr: false,
            acr_is_challenged: false,
            own: Form::new(),
            parameters: Form::new(),
            expires_in: Duration::from_secs(3600),
            dpop_thumbprint: None,
        }
    }
}

impl AuthorizationRequest {
    /// Requests a code, with the scope, resource and redirection URI of the client.
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
    /// [RFC 8707 section 2.1](https://www.rfc-editor.org/rfc/rfc8707#section-2.1)
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// Sets the redirection URI, instead of the client's.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// Adds a parameter, such as one of the provider's own. A name may occur more than once.
    #[must_use]
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// Sets the response type. Defaults to a code.
    #[must_use]
    pub fn response_type(mut self, response_type: ResponseType) -> Self {
        self.response_type = response_type;
        self
    }

    /// Sets the `state`, of at least 22 unpredictable characters. Defaults to a new random one.
    #[must_use]
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Sets the `code_verifier`, of 43 to 128 characters. Defaults to a new random one.
    ///
    /// [RFC 7636 section 4.1](https://www.rfc-editor.org/rfc/rfc7636#section-4.1)
    #[must_use]
    pub fn code_verifier(mut self, code_verifier: impl Into<Secret>) -> Self {
        self.code_verifier = Some(code_verifier.into());
        self
    }

    /// Sets the PKCE method. Defaults to [`Pkce::S256`].
    #[must_use]
    pub fn pkce(mut self, pkce: Pkce) -> Self {
        self.pkce = pkce;
        self
    }

    /// Binds the code to a DPoP key of this login, by the parameter `dpop_jkt`, instead of to that of
    /// the client. The client that completes the login has to know the key; see `add_dpop_key`.
    ///
    /// [RFC 9449 section 10](https://www.rfc-editor.org/rfc/rfc9449#section-10)
    #[must_use]
    pub fn dpop(mut self, key: &DpopKey) -> Self {
        self.dpop_thumbprint = Some(key.thumbprint().to_owned());
        self
    }

    /// Sets the time within which the login has to be completed. Defaults to an hour.
    #[must_use]
    pub fn expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }
}
