//! The authorization endpoint, to which the end-user is redirected.
//!
//! [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)

use std::{fmt, sync::Arc};

use url::Url;

use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth2::{
        authorization::{
            openid,
            pkce::{Pkce, random_text},
            request::AuthorizationRequest,
            response::PendingAuthorization,
            response_type::ResponseType,
        },
        client::ClientRegistration,
        grant::authorization_code::validate_verifier,
        server::AuthorizationServer,
    },
    secret::Secret,
    wire::{form::Form, secure_url::without_query},
};

/// URL of an authorization request, and the pending login to keep until the callback.
///
/// ```
/// # fn demo(endpoint: &oauth_twin::oauth2::AuthorizationEndpoint) -> oauth_twin::Result<()> {
/// use oauth_twin::oauth2::{AuthorizationRequest, AuthorizationUrl};
///
/// let AuthorizationUrl { url, pending } = endpoint.request(AuthorizationRequest::new())?;
/// // redirect to `url`; keep `pending` in the user's own session
/// # Ok(()) }
/// ```
///
/// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured, and has no further fields"
)]
pub struct AuthorizationUrl {
    /// The URL to redirect the user to, or to open in a browser.
    pub url: Url,
    /// The pending login, which the callback is checked against.
    pub pending: PendingAuthorization,
}

/// Omits the query of the URL, which contains the `state`.
impl fmt::Debug for AuthorizationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationUrl")
            .field("url", &without_query(&self.url))
            .field("pending", &self.pending)
            .finish()
    }
}

/// Authorization endpoint of a server, for one client. It builds requests, which the end-user's
/// browser sends.
///
/// ```
/// use oauth_twin::oauth2::{
///     AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration,
/// };
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_authorization_endpoint("https://id.example.com/authorize");
/// let client = ClientRegistration::new("id")
///     .with_redirect_uris(["https://app.example.com/callback"])
///     .with_scope("profile");
/// let endpoint = AuthorizationEndpoint::new(&server, &client)?;
/// let url = endpoint.request(AuthorizationRequest::new())?.url;
/// assert!(url.as_str().starts_with(
///     "https://id.example.com/authorize?response_type=code&client_id=id\
///      &redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=profile&state="
/// ));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)
#[derive(Clone)]
pub struct AuthorizationEndpoint {
    url: Arc<Url>,
    server: AuthorizationServer,
    client: ClientRegistration,
    clock: Clock,
}

impl AuthorizationEndpoint {
    /// Creates the endpoint with the `authorization_endpoint` of the server's metadata.
    ///
    /// # Errors
    ///
    /// If the server's metadata lacks that URL, or it is not absolute, not HTTPS (loopback is
    /// exempt), or has a fragment, a user name or a password.
    pub fn new(server: &AuthorizationServer, client: &ClientRegistration) -> Result<Self> {
        Self::with_http(server, client, false)
    }

    pub(crate) fn with_http(
        server: &AuthorizationServer,
        client: &ClientRegistration,
        allow_http: bool,
    ) -> Result<Self> {
        Ok(Self {
            url: server.required_endpoint("authorization_endpoint", allow_http)?,
            server: server.clone(),
            client: client.clone(),
            clock: Clock::system(),
        })
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds an authorization request: its URL, and the pending login.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be sent, is set by a method of its own, or is already in the
    /// endpoint's URL; or if the server lists PKCE methods without that of the request.
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    pub fn request(&self, request: AuthorizationRequest) -> Result<AuthorizationUrl> {
        let state = match request.state.clone() {
            Some(state) if state.expose_secret().len() < 22 => {
                return Err(Error::usage(
                    "the state is shorter than 22 characters; pass a longer one, or leave it out \
                     for a random one",
                ));
            }
            Some(state) => state,
            None => random_text()?,
        };
        let code_verifier = match &request.code_verifier {
            _ if !request.response_type.has_code() || request.pkce == Pkce::Off => None,
            Some(code_verifier) => {
                validate_verifier(code_verifier)?;
                Some(code_verifier.clone())
            }
            None => Some(random_text()?),
        };
        if code_verifier.is_some() {
            request.pkce.check(&self.server)?;
        }
        let client = &self.client;
        let of_client = || client.redirect_uri().map(str::to_owned);
        let redirect_uri = request.redirect_uri.clone().or_else(of_client);
        let scope = request.scope.as_ref().or(client.scope());
        let resource = match request.resource.is_empty() {
            true => client.resource(),
            false => &request.resource,
        };

        let mut form = Form::new();
        form.push("response_type", request.response_type.as_str());
        form.push("client_id", client.client_id());
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
        let now = self.clock.unix();
        let mut authentication =
            openid::add_parameters(&mut form, &request, scope, &self.server, now)?;
        authentication.pkce = code_verifier.is_some();
        for (name, _) in request.parameters.iter() {
            const RESERVED: [&str; 8] = [
                "response_type",
                "client_id",
                "redirect_uri",
                "scope",
                "state",
                "code_challenge",
                "code_challenge_method",
                "nonce",
            ];
            if RESERVED.contains(&name) {
                return Err(Error::usage(format!(
                    "the parameter {name} of an authorization request cannot be set by param; use \
                     its own method"
                )));
            }
        }
        form.extend(&request.parameters);

        let mut url = (*self.url).clone();
        if let Some((name, _)) = url
            .query_pairs()
            .find(|(name, _)| name != "resource" && form.value(name).is_some())
        {
            return Err(Error::usage(format!(
                "the URL of the authorization endpoint already has a parameter {name}; remove it"
            )));
        }
        let mut query = url.query_pairs_mut();
        for (name, value) in form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        let response_mode = form.value("response_mode").map(Secret::expose_secret);
        let pending = PendingAuthorization {
            state,
            code_verifier,
            redirect_uri,
            issuer: self.server.issuer().map(str::to_owned),
            iss_required: self.server.authorization_response_iss_parameter_supported(),
            resource: form
                .iter()
                .filter(|(name, _)| *name == "resource")
                .map(|(_, resource)| resource.expose_secret().to_owned())
                .collect(),
            in_fragment: match response_mode {
                Some(response_mode) => response_mode == "fragment",
                None => request.response_type != ResponseType::Code,
            },
            response_type: request.response_type,
            authentication,
            created_at: now.as_secs(),
            expires_at: now.saturating_add(request.expires_in).as_secs(),
        };
        Ok(AuthorizationUrl { url, pending })
    }
}

/// Omits the query of the URL, in which some servers require a key.
impl fmt::Debug for AuthorizationEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationEndpoint")
            .field("url", &without_query(&self.url))
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> AuthorizationEndpoint {
        let server = AuthorizationServer::default()
            .with_authorization_endpoint("https://id.example/authorize?tenant=a%20b");
        let client = ClientRegistration::new("i d")
            .with_redirect_uris(["https://app.example/cb", "https://app.example/other"])
            .with_scope("own")
            .with_resource("urn:own");
        AuthorizationEndpoint::new(&server, &client).expect("a URL")
    }

    fn url(request: AuthorizationRequest) -> Result<Url> {
        Ok(endpoint().request(request)?.url)
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
            .nonce("hunter2")
            .login_hint("hunter2")
            .param("a", "hunter2");
        assert_eq!(
            format!("{request:?}"),
            "AuthorizationRequest { response_type: Code, redirect_uri: None, scope: None, \
             resource: [], state: Some([redacted]), code_verifier: Some([redacted]), pkce: S256, \
             nonce: Some([redacted]), require_acr: false, acr_is_challenged: false, own: {\"login_hint\": [redacted]}, \
             parameters: {\"a\": [redacted]}, expires_in: 3600s }"
        );
    }
}
