//! The authorization request: the URL that the person is sent to.
//!
//! [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)

use std::{borrow::Cow, time::Duration};

use url::Url;

use super::{
    Form, PendingAuthorization, Pkce, Scope,
    pkce::{random_text, validate_verifier},
    secure_url::check_endpoint,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    secret::Secret,
};

/// What to ask the person for. Saying nothing is right: `state` and PKCE come by themselves.
///
/// ```
/// use std::time::Duration;
/// use oauth_twin::oauth2::AuthorizationRequest;
///
/// let request = AuthorizationRequest::new()
///     .scope("openid email")
///     .resource("https://calendar.example.com")
///     .resource("https://contacts.example.com")
///     .param("prompt", "consent")
///     .expires_in(Duration::from_secs(600));
/// ```
///
/// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    response_type: ResponseType,
    redirect_uri: Option<String>,
    scope: Option<Scope>,
    resource: Vec<String>,
    state: Option<Secret>,
    code_verifier: Option<Secret>,
    pkce: Pkce,
    parameters: Form,
    expires_in: Duration,
}

/// What the person comes back with.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationRequest, ResponseType};
///
/// // The implicit grant, for servers that offer nothing better.
/// let request = AuthorizationRequest::new().response_type(ResponseType::Token);
/// ```
///
/// [RFC 6749 section 3.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.1)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseType {
    /// A code.
    #[default]
    Code,
    /// A token, in the fragment of the URL: the implicit grant, which [RFC 9700 section
    /// 2.1.2](https://www.rfc-editor.org/rfc/rfc9700#section-2.1.2) advises against.
    Token,
}

impl ResponseType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
        }
    }
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
            parameters: Form::new(),
            expires_in: Duration::from_secs(3600),
        }
    }
}

impl AuthorizationRequest {
    /// Asks for a code, for the client's own scope, resource and redirection URI.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for this scope, instead of the client's.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Asks for a token for this resource, instead of the client's; call it again for more than
    /// one.
    ///
    /// [RFC 8707 section 2.1](https://www.rfc-editor.org/rfc/rfc8707#section-2.1)
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// Where the person is sent back to, instead of the client's redirection URI.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// Adds a parameter, such as `prompt` or `login_hint`; a name may stand more than once.
    #[must_use]
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.parameters.push(name, value);
        self
    }

    /// Asks for something else than a code.
    #[must_use]
    pub fn response_type(mut self, response_type: ResponseType) -> Self {
        self.response_type = response_type;
        self
    }

    /// A `state` of the caller's own, of at least 22 characters that nobody can guess. New and
    /// random unless told.
    #[must_use]
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// A `code_verifier` of the caller's own, 43 to 128 characters. New and random unless told.
    ///
    /// [RFC 7636 section 4.1](https://www.rfc-editor.org/rfc/rfc7636#section-4.1)
    #[must_use]
    pub fn code_verifier(mut self, code_verifier: impl Into<Secret>) -> Self {
        self.code_verifier = Some(code_verifier.into());
        self
    }

    /// How the code is bound to this request: [`Pkce::S256`] unless told.
    #[must_use]
    pub fn pkce(mut self, pkce: Pkce) -> Self {
        self.pkce = pkce;
        self
    }

    /// How long the person may take: an hour unless told.
    #[must_use]
    pub fn expires_in(mut self, expires_in: Duration) -> Self {
        self.expires_in = expires_in;
        self
    }
}

/// Where to send the person, and what to remember until they come back.
///
/// ```
/// # fn demo(client: &oauth_twin::oauth2::AuthorizationEndpoint) -> oauth_twin::Result<()> {
/// use oauth_twin::{Clock, oauth2::{AuthorizationRequest, AuthorizationUrl}};
///
/// let AuthorizationUrl { url, pending, .. } =
///     client.create_authorization_url(AuthorizationRequest::new(), &Clock::system())?;
/// // redirect to `url`; keep `pending` in the person's own session
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct AuthorizationUrl {
    /// The URL to redirect the person to, or to open in a browser.
    pub url: Url,
    /// What the callback is checked against.
    pub pending: PendingAuthorization,
}

/// A client's registration at an authorization endpoint.
///
/// ```
/// use oauth_twin::{Clock, oauth2::{AuthorizationEndpoint, AuthorizationRequest}};
///
/// let endpoint = AuthorizationEndpoint::new("https://id.example.com/authorize", "id")?
///     .redirect_uri("https://app.example.com/callback")
///     .scope("profile");
/// let url = endpoint
///     .create_authorization_url(AuthorizationRequest::new(), &Clock::system())?
///     .url;
/// assert!(url.as_str().starts_with(
///     "https://id.example.com/authorize?response_type=code&client_id=id\
///      &redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=profile&state="
/// ));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)
#[derive(Clone, Debug)]
pub struct AuthorizationEndpoint {
    url: Url,
    client_id: String,
    redirect_uri: Option<String>,
    issuer: Option<String>,
    iss_required: bool,
    scope: Option<Scope>,
    resource: Vec<String>,
}

impl AuthorizationEndpoint {
    /// The client `client_id` at the authorization endpoint `url`.
    ///
    /// # Errors
    ///
    /// If the URL is not absolute, not HTTPS (loopback is exempt), or has a fragment, a user
    /// name or a password.
    pub fn new(url: &str, client_id: impl Into<String>) -> Result<Self> {
        let url = check_endpoint(url, false)
            .map_err(|problem| Error::usage(format!("the authorization endpoint {problem}")))?;
        Ok(Self::checked(url, client_id.into()))
    }

    pub(crate) fn checked(url: Url, client_id: String) -> Self {
        Self {
            url,
            client_id,
            redirect_uri: None,
            issuer: None,
            iss_required: false,
            scope: None,
            resource: Vec::new(),
        }
    }

    /// Where the person is sent back to.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// The server's issuer identifier; with it, an `iss` in the callback has to be the same.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Whether the server puts `iss` into every callback: one without is refused then.
    ///
    /// [RFC 9207 section 2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4)
    #[must_use]
    pub fn authorization_response_iss_parameter_supported(mut self, supported: bool) -> Self {
        self.iss_required = supported;
        self
    }

    /// The scope of requests that name none.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Scope>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The resource of requests that name none; call it again for more than one.
    #[must_use]
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource.push(resource.into());
        self
    }

    /// The URL for `request`, and what to remember.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be sent, is one that has a method of its own, or stands in the
    /// endpoint's URL already.
    pub fn create_authorization_url(
        &self,
        request: AuthorizationRequest,
        clock: &Clock,
    ) -> Result<AuthorizationUrl> {
        let state = match request.state {
            Some(state) if state.expose_secret().len() < 22 => {
                return Err(Error::usage(
                    "a state of one's own has at least 22 characters; leave it out for a random one",
                ));
            }
            Some(state) => state,
            None => random_text()?,
        };
        let code_verifier = match (request.response_type, request.pkce, request.code_verifier) {
            (ResponseType::Token, _, _) | (_, Pkce::Off, _) => None,
            (_, _, Some(code_verifier)) => {
                validate_verifier(&code_verifier)?;
                Some(code_verifier)
            }
            (_, _, None) => Some(random_text()?),
        };
        let redirect_uri = request.redirect_uri.or_else(|| self.redirect_uri.clone());
        let scope = request.scope.as_ref().or(self.scope.as_ref());
        let resource = match request.resource.is_empty() {
            true => &self.resource,
            false => &request.resource,
        };

        let mut form = Form::new();
        form.push("response_type", request.response_type.as_str());
        form.push("client_id", self.client_id.as_str());
        if let Some(redirect_uri) = &redirect_uri {
            form.push("redirect_uri", redirect_uri.as_str());
        }
        if let Some(scope) = scope.filter(|scope| !scope.is_empty()) {
            scope.validate()?;
            form.push("scope", scope.as_str());
        }
        form.push("state", &state);
        if let Some(verifier) = &code_verifier
            && let Some((method, challenge)) = request.pkce.challenge(verifier)
        {
            form.push("code_challenge", challenge);
            form.push("code_challenge_method", method);
        }
        for resource in resource {
            form.push("resource", resource.as_str());
        }
        for (name, _) in request.parameters.iter() {
            const OWN: [&str; 7] = [
                "response_type",
                "client_id",
                "redirect_uri",
                "scope",
                "state",
                "code_challenge",
                "code_challenge_method",
            ];
            if OWN.contains(&name) {
                return Err(Error::usage(format!(
                    "the parameter {name} of an authorization request is set by its own method"
                )));
            }
        }
        form.extend(&request.parameters);

        let mut url = self.url.clone();
        if let Some((name, _)) = url
            .query_pairs()
            .find(|(name, _)| name != "resource" && form.value(name).is_some())
        {
            return Err(Error::usage(format!(
                "the URL of the authorization endpoint has a parameter {name} already"
            )));
        }
        let mut query = url.query_pairs_mut();
        for (name, value) in form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        let pending = PendingAuthorization {
            state,
            code_verifier,
            redirect_uri,
            issuer: self.issuer.clone(),
            iss_required: self.iss_required,
            resource: resource.clone(),
            created_at: clock.unix().as_secs(),
            expires_at: clock.unix().saturating_add(request.expires_in).as_secs(),
        };
        Ok(AuthorizationUrl { url, pending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> AuthorizationEndpoint {
        AuthorizationEndpoint::new("https://id.example/authorize?tenant=a%20b", "i d")
            .expect("a URL")
            .redirect_uri("https://app.example/cb")
            .scope("own")
            .resource("urn:own")
    }

    fn url(request: AuthorizationRequest) -> Result<Url> {
        let created = endpoint().create_authorization_url(request, &Clock::system())?;
        Ok(created.url)
    }

    fn fixed() -> AuthorizationRequest {
        AuthorizationRequest::new()
            .state("s".repeat(22))
            .code_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    }

    const START: &str = "https://id.example/authorize?tenant=a%20b&response_type=code\
                         &client_id=i+d&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";

    #[test]
    fn saying_nothing_is_safe() {
        assert_eq!(
            url(fixed()).expect("a URL").as_str(),
            format!(
                "{START}&scope=own&state=ssssssssssssssssssssss\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                 &code_challenge_method=S256&resource=urn%3Aown"
            )
        );
        let [first, second] = [(); 2].map(|()| {
            let url = url(AuthorizationRequest::new()).expect("a URL");
            url.query_pairs()
                .into_owned()
                .collect::<std::collections::HashMap<_, _>>()
        });
        for name in ["state", "code_challenge"] {
            assert_eq!(first[name].len(), 43);
            assert_ne!(first[name], second[name]);
        }
    }

    #[test]
    fn what_is_asked_for_takes_the_place_of_the_client_s_own() {
        let request = fixed()
            .scope(["a", "b"])
            .resource("urn:1")
            .resource("urn:2")
            .redirect_uri("http://127.0.0.1:7/")
            .param("max_age", "0")
            .param("acr", "1")
            .param("acr", "2")
            .pkce(Pkce::Off);
        assert_eq!(
            url(request).expect("a URL").as_str(),
            "https://id.example/authorize?tenant=a%20b&response_type=code&client_id=i+d\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2F&scope=a+b&state=ssssssssssssssssssssss\
             &resource=urn%3A1&resource=urn%3A2&max_age=0&acr=1&acr=2"
        );
        let plain = url(fixed().pkce(Pkce::Plain)).expect("a URL");
        assert!(plain.as_str().contains(
            "&code_challenge=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code_challenge_method=plain"
        ));
        let implicit = url(fixed().response_type(ResponseType::Token)).expect("a URL");
        assert!(implicit.as_str().contains("response_type=token"));
        assert!(!implicit.as_str().contains("code_challenge"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (word, request) in [
            ("22 characters", AuthorizationRequest::new().state("short")),
            (
                "code_verifier",
                AuthorizationRequest::new().code_verifier("short"),
            ),
            ("scope", AuthorizationRequest::new().scope("\"")),
            ("state", AuthorizationRequest::new().param("state", "x")),
            (
                "client_id",
                AuthorizationRequest::new().param("client_id", "x"),
            ),
            ("tenant", AuthorizationRequest::new().param("tenant", "x")),
        ] {
            let error = url(request).expect_err(word);
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let request = fixed()
            .state("hunter2-hunter2-hunter2")
            .param("a", "hunter2");
        assert_eq!(
            format!("{request:?}"),
            "AuthorizationRequest { response_type: Code, redirect_uri: None, scope: None, \
             resource: [], state: Some([redacted]), code_verifier: Some([redacted]), pkce: S256, \
             parameters: {\"a\": [redacted]}, expires_in: 3600s }"
        );
    }
}
