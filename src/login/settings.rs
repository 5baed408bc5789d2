//! Settings of an interactive login.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use url::Url;

use crate::{
    error::BoxError,
    login::{browser::Open, prompt::LoginPrompt, surface::OnPrompt},
    oauth2::{
        authorization::request::AuthorizationRequest,
        endpoint::device_authorization::request::DeviceAuthorizationRequest, scope::Scope,
        token::Token,
    },
    secret::Secret,
    wire::form::Form,
};

/// The redirection URI where neither the login nor the client has one.
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// The time that a user has at a browser, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Interactive login of a command line or a desktop program: by a browser, by an address that the
/// user pastes (on Unix), or on another device.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::InteractiveLogin;
///
/// let login = InteractiveLogin::new()
///     .scope("openid reports:read")
///     .redirect_uri("http://127.0.0.1/callback")       // as it was registered; the port is any
///     .timeout(Duration::from_secs(120));
/// ```
///
/// A browser is opened unless the session is remote (SSH, a container, no display), where the
/// device flow is used if the server has it. The environment variable `BROWSER` names a browser to
/// be used in any case.
///
/// [RFC 8252](https://www.rfc-editor.org/rfc/rfc8252)
#[derive(Clone, Default)]
#[must_use = "it is for `login` or `ensure_login` of a client"]
pub struct InteractiveLogin {
    scope: Option<Scope>,
    resource: Vec<String>,
    parameters: Form,
    /// The `acr_values` and the `max_age` that a resource demands.
    demanded: Form,
    redirect_uri: Option<String>,
    pub(crate) method: LoginMethod,
    timeout: Option<Duration>,
    pub(crate) page: Option<String>,
    pub(crate) on_prompt: Option<OnPrompt>,
    pub(crate) open: Option<Open>,
    pub(crate) is_quiet: bool,
    pub(crate) accepts_narrower_scope: bool,
}

/// Method by which the user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LoginMethod {
    #[default]
    Any,
    Browser,
    Device,
}

impl InteractiveLogin {
    /// A login with the scope, resource and redirection URI of the client.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the scope, instead of the client's.
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Lets `ensure_login` use a token whose scope lacks some of the scope of this login. Otherwise
    /// it logs the user in again, for both, unless the login of that token has asked for all of it
    /// before.
    pub fn accept_narrower_scope(mut self) -> Self {
        self.accepts_narrower_scope = true;
        self
    }

    /// Adds a resource that the token is for, instead of the client's.
    ///
    /// [RFC 8707 section 2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// Adds a parameter to the request, such as `prompt` or `audience`.
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// Sets the redirection URI as it was registered: host, path, and the port if that is fixed.
    /// Defaults to the client's, or else to `http://127.0.0.1/callback`.
    ///
    /// With `127.0.0.1` or `[::1]` and no port, a free port is used, which servers have to accept.
    /// Entra ID does so only for `http://localhost`, Auth0 and Okta not at all. `localhost` is
    /// listened on in both families. Any other URI is for a page that shows the code, which the
    /// user then pastes; on Windows, where nothing can be pasted, it is an error.
    ///
    /// [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// Uses a browser in any case, never the device flow.
    pub fn browser_only(mut self) -> Self {
        self.method = LoginMethod::Browser;
        self
    }

    /// Uses the device flow in any case.
    ///
    /// [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)
    pub fn device(mut self) -> Self {
        self.method = LoginMethod::Device;
        self
    }

    /// Sets the time that the user has. Defaults to five minutes at a browser, and on another
    /// device to the lifetime of the code.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the HTML page that the browser shows in the end. It can load nothing and run nothing,
    /// and is shown whether or not the login succeeds.
    pub fn page(mut self, html: impl Into<String>) -> Self {
        self.page = Some(html.into());
        self
    }

    /// Calls `on_prompt` with what the user is to see, instead of writing it to standard error. The
    /// terminal is not read then.
    pub fn on_prompt(mut self, on_prompt: impl Fn(&LoginPrompt) + Send + Sync + 'static) -> Self {
        self.on_prompt = Some(Arc::new(on_prompt));
        self
    }

    /// Opens the browser by `open`, instead of the system's default browser. It runs on a thread of
    /// its own.
    ///
    /// # Security
    ///
    /// The URL has to go to the browser as one argument, without a shell.
    pub fn open_with(
        mut self,
        open: impl Fn(&Url) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.open = Some(Arc::new(open));
        self
    }

    /// Writes nothing.
    pub fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// The login with the scope and the resource of this request, and the authentication that it
    /// demands.
    pub(crate) fn of_request(mut self, request: &AuthorizationRequest) -> Self {
        self.scope = request.scope.clone().or(self.scope);
        self.demanded = request.own.clone();
        if !request.resource.is_empty() {
            self.resource = request.resource.clone();
        }
        self
    }

    /// The redirection URI, where the client's own is this one.
    pub(crate) fn redirect_uri_or<'a>(&'a self, own: Option<&'a str>) -> &'a str {
        self.redirect_uri.as_deref().or(own).unwrap_or(REDIRECT_URI)
    }

    /// The time that the user has at a browser.
    pub(crate) fn browser_timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    /// The time that the user has on another device, unless the code expires before.
    pub(crate) fn device_timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::MAX)
    }

    /// The longest time that the user may take: a device code lives half an hour.
    pub(crate) fn longest(&self) -> Duration {
        let longest = match self.method {
            LoginMethod::Browser => TIMEOUT,
            LoginMethod::Any | LoginMethod::Device => 6 * TIMEOUT,
        };
        self.timeout.unwrap_or(longest)
    }

    /// Whether the answer comes in a form.
    pub(crate) fn takes_posts(&self) -> bool {
        let mode = self.parameters.value("response_mode");
        mode.is_some_and(|mode| mode.expose_secret().starts_with("form_post"))
    }

    /// The scope that this login asks for, where the client's own is this one.
    pub(crate) fn scope_or<'a>(&'a self, own: Option<&'a Scope>) -> Option<&'a Scope> {
        self.scope.as_ref().or(own)
    }

    /// This login, for the scope that `token` has and the one that is asked for; none if a login
    /// adds nothing to the token.
    pub(crate) fn widened(&self, token: &Token, own: Option<&Scope>) -> Option<Self> {
        if self.accepts_narrower_scope {
            return None;
        }
        let scope = token.scope_of_next_login(self.scope_or(own)?)?;
        Some(self.clone().scope(scope))
    }

    pub(crate) fn authorization_request(&self, redirect_uri: &str) -> AuthorizationRequest {
        let mut request = AuthorizationRequest::new()
            .redirect_uri(redirect_uri)
            .expires_in(self.browser_timeout().saturating_add(TIMEOUT));
        if let Some(scope) = &self.scope {
            request = request.scope(scope.clone());
        }
        for resource in &self.resource {
            request = request.resource(resource);
        }
        for (name, value) in self.parameters.iter() {
            match self.demanded.value(name) {
                // A mere preference, or a longer time.
                Some(_) => request.own.set(name.to_owned(), value),
                None => request = request.param(name.to_owned(), value),
            }
        }
        request.demanding(|name| {
            let demanded = self.demanded.value(name);
            demanded.map(|it| it.expose_secret().to_owned())
        })
    }

    pub(crate) fn device_request(&self) -> DeviceAuthorizationRequest {
        let mut request = DeviceAuthorizationRequest::new();
        if let Some(scope) = &self.scope {
            request = request.scope(scope.clone());
        }
        for resource in &self.resource {
            request = request.resource(resource);
        }
        let asked = self.authorization_request(REDIRECT_URI);
        for (name, value) in asked.own.iter().chain(asked.parameters.iter()) {
            request = request.param(name.to_owned(), value);
        }
        request
    }
}

impl fmt::Debug for InteractiveLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InteractiveLogin")
            .field("scope", &self.scope)
            .field("parameters", &self.parameters)
            .field("redirect_uri", &self.redirect_uri)
            .field("method", &self.method)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_s_own_redirection_uri_then_the_client_s_then_any() {
        let login = InteractiveLogin::new();
        assert_eq!(login.redirect_uri_or(None), REDIRECT_URI);
        assert_eq!(
            login.redirect_uri_or(Some("http://[::1]/")),
            "http://[::1]/"
        );
        let login = login.redirect_uri("http://localhost");
        assert_eq!(
            login.redirect_uri_or(Some("http://[::1]/")),
            "http://localhost"
        );
    }

    #[test]
    fn debug_tells_no_secret() {
        let login = InteractiveLogin::new()
            .scope("a")
            .param("login_hint", "hunter2")
            .device();
        assert_eq!(
            format!("{login:?}"),
            "InteractiveLogin { scope: Some(Scope(\"a\")), parameters: {\"login_hint\": \
             [redacted]}, redirect_uri: None, method: Device, timeout: None, .. }"
        );
    }

    /// The longer time and the weaker class are the login's own.
    #[test]
    fn what_a_resource_demands_is_asked_for_once() {
        let own = InteractiveLogin::new()
            .param("acr_values", "pwd")
            .param("max_age", "3600")
            .param("audience", "a");
        let values = |form: &Form| {
            let values = form
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose_secret()));
            let mut values: Vec<_> = values.collect();
            values.sort();
            values.join(" ")
        };
        let asked = |login: &InteractiveLogin| {
            let request = login.authorization_request("http://127.0.0.1/callback");
            (values(&request.own), values(&request.parameters))
        };
        let both = |own: &str, parameters: &str| (own.to_owned(), parameters.to_owned());
        assert_eq!(
            asked(&own),
            both("", "acr_values=pwd audience=a max_age=3600")
        );
        let demand = |max_age: &str| {
            let demanded = |name: &str| match name {
                "acr_values" => Some("phr".to_owned()),
                _ => Some(max_age.to_owned()),
            };
            let request = AuthorizationRequest::new().demanding(demanded);
            own.clone().of_request(&request)
        };
        let login = demand("60");
        assert_eq!(
            asked(&login),
            both("acr_values=phr max_age=60", "audience=a")
        );
        let request = login.authorization_request("http://127.0.0.1/callback");
        assert!(request.acr_is_challenged);
        let device = format!("{:?}", login.device_request());
        for name in ["acr_values", "max_age", "audience"] {
            assert_eq!(device.matches(name).count(), 1, "{device}");
        }
        // A login that demands more anyway.
        assert_eq!(asked(&demand("7200")).0, "acr_values=phr max_age=3600");
    }
}
