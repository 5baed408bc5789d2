//! The authorization endpoint, to which the end-user is redirected.
//!
//! [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use url::Url;

use crate::{
    clock::{Clock, ClockOffset},
    error::{Error, Result},
    oauth2::{
        authorization::{
            demands,
            parameters::{Values, parameters},
            pending::PendingAuthorization,
            pkce::{Pkce, random_text},
            prepared::PreparedAuthorization,
            request::AuthorizationRequest,
            request_object::RequestObject,
            response_type::ResponseType,
        },
        client::ClientRegistration,
        grant::authorization_code::validate_verifier,
        server::{AuthorizationServer, profile::Profile},
    },
    secret::Secret,
    wire::secure_url::without_query,
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

impl AuthorizationUrl {
    /// The time until which the user has to be redirected to the URL, if it has a request that was
    /// pushed or signed; by the clock of the client. The login itself may end later.
    ///
    /// [RFC 9126 section 2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2)
    pub fn expires_at(&self) -> Option<SystemTime> {
        let expires_at = Duration::from_secs(self.pending.url_expires_at?);
        UNIX_EPOCH.checked_add(expires_at)
    }

    /// Whether it is too late to redirect the user to the URL, by the system clock: for a caller who
    /// keeps it. Begin another login then. A URL is used once.
    ///
    /// [RFC 9126 section 2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2)
    pub fn expired(&self) -> bool {
        let expires_at = self.expires_at();
        expires_at.is_some_and(|expires_at| expires_at <= SystemTime::now())
    }
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
    request_object: Option<RequestObject>,
    repeats_parameters: bool,
    profile: Option<Profile>,
    clock: Clock,
    clock_offset: ClockOffset,
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
            request_object: None,
            repeats_parameters: false,
            profile: None,
            clock: Clock::system(),
            clock_offset: ClockOffset::default(),
        })
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Signs requests with times by the clock of the server.
    pub(crate) fn with_clock_offset(self, clock_offset: ClockOffset) -> Self {
        Self {
            clock_offset,
            ..self
        }
    }

    /// Signs the requests as request objects, with a key or as the settings say. A request is then
    /// `client_id` and the request object.
    ///
    /// [RFC 9101 section 4](https://www.rfc-editor.org/rfc/rfc9101#section-4)
    #[must_use]
    pub fn request_object(mut self, settings: impl Into<RequestObject>) -> Self {
        self.request_object = Some(settings.into());
        self
    }

    /// Repeats `response_type` and `scope` in the URL beside a request object or a `request_uri`,
    /// for a server that wants them there, too. By default only `client_id` is there.
    ///
    /// [OpenID Connect Core section 6.1](https://openid.net/specs/openid-connect-core-1_0.html#RequestParameter)
    #[must_use]
    pub fn repeat_parameters(mut self) -> Self {
        self.repeats_parameters = true;
        self
    }

    /// Follows a security profile. Its requests have to be pushed: [`request`](Self::request) is an
    /// error then, and so is the URL of a request that [`prepare`](Self::prepare) returns.
    ///
    /// [FAPI 2.0 Security Profile section 5.3.3.2](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3.2)
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Builds an authorization request: its URL, and the pending login.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be sent, is set by a method of its own, or is already in the
    /// endpoint's URL; if the server lists PKCE methods without that of the request; if the server
    /// requires a [`request_object`](Self::request_object), and there is none; or if an external
    /// key has to sign the request, or it has to be pushed, for which there is
    /// [`prepare`](Self::prepare).
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    pub fn request(&self, request: AuthorizationRequest) -> Result<AuthorizationUrl> {
        self.prepare(request)?.url()
    }

    /// Builds an authorization request that is to be pushed, published, or signed by an external
    /// key.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be sent, is set by a method of its own, or is already in the
    /// endpoint's URL; if the server does not offer the PKCE method, or the algorithm of the
    /// request object; or if there is no request object, and the server or the profile requires one.
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    pub fn prepare(&self, mut request: AuthorizationRequest) -> Result<PreparedAuthorization> {
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
        let is_signed = self.request_object.is_some();
        if let Some(profile) = self.profile {
            demands::complete(&mut request, profile, redirect_uri.as_deref(), is_signed)?;
        }
        if self.server.require_signed_request_object() && !is_signed {
            return Err(Error::usage(
                "the server requires signed authorization requests (require_signed_request_object); \
                 set request_object",
            ));
        }
        let now = self.clock.unix();
        let (form, mut authentication) = parameters(
            &request,
            &self.server,
            client,
            &Values {
                state: &state,
                code_verifier: code_verifier.as_ref(),
                redirect_uri: redirect_uri.as_deref(),
                now,
            },
        )?;
        authentication.pkce = code_verifier.is_some();
        if let Some((name, _)) = self.url.query_pairs().find(|(name, _)| {
            let is_ours = ["request", "request_uri"].contains(&&**name);
            name != "resource" && (is_ours || form.value(name).is_some())
        }) {
            return Err(Error::usage(format!(
                "the URL of the authorization endpoint already has a parameter {name}; remove it"
            )));
        }
        let object = match &self.request_object {
            Some(settings) => {
                let times = [now, self.clock_offset.at_server(now)];
                Some(settings.prepare(&form, client, &self.server, times)?)
            }
            None => None,
        };
        let response_mode = form.value("response_mode").map(Secret::expose_secret);
        let is_default = matches!(response_mode, None | Some("jwt"));
        let pending = PendingAuthorization {
            state,
            code_verifier,
            redirect_uri,
            issuer: self.server.issuer().map(str::to_owned),
            scope: form
                .value("scope")
                .map(|scope| scope.expose_secret().to_owned()),
            iss_required: self.profile.is_some()
                || self.server.authorization_response_iss_parameter_supported(),
            resource: form
                .iter()
                .filter(|(name, _)| *name == "resource")
                .map(|(_, resource)| resource.expose_secret().to_owned())
                .collect(),
            in_fragment: match response_mode {
                Some(response_mode) if !is_default => response_mode.starts_with("fragment"),
                _ => request.response_type != ResponseType::Code,
            },
            is_signed: response_mode.is_some_and(|it| it == "jwt" || it.ends_with(".jwt")),
            is_unpushed: self
                .server
                .pushed_authorization_request_endpoint()
                .is_some(),
            is_unscoped: form.value("scope").is_none(),
            url_expires_at: None,
            response_type: request.response_type,
            dpop_thumbprint: request.dpop_thumbprint,
            authentication,
            created_at: now.as_secs(),
            expires_at: now.saturating_add(request.expires_in).as_secs(),
        };
        Ok(PreparedAuthorization {
            endpoint: self.url.clone(),
            form,
            object,
            repeats_parameters: self.repeats_parameters,
            profile: self.profile,
            pending,
        })
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
mod tests;
