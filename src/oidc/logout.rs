//! Logout at the provider, which the client starts.
//!
//! [OpenID Connect RP-Initiated Logout](https://openid.net/specs/openid-connect-rpinitiated-1_0.html)

use std::{borrow::Cow, collections::HashSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use url::Url;

use super::id_token::IdToken;
use crate::{
    error::{Error, Result},
    oauth2::{
        authorization::pkce::random_text, client::ClientRegistration, server::AuthorizationServer,
        token::Token,
    },
    secret::{self, Secret},
    wire::{callback::CallbackParameters, form::Form, secure_url::without_query},
};

/// Length limit of a logout URL, in bytes. Servers and browsers refuse longer ones.
const URL_LIMIT: usize = 8000;

/// Request to log the end-user out at the provider.
///
/// ```
/// use oauth_twin::oidc::LogoutRequest;
///
/// # fn demo(token: &oauth_twin::Token) {
/// let request = LogoutRequest::new()
///     .id_token_hint(token)
///     .post_logout_redirect_uri("https://app.example.com/bye");
/// # }
/// ```
///
/// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
#[derive(Clone, Debug, Default)]
pub struct LogoutRequest {
    own: Form,
    parameters: Form,
    post_logout_redirect_uri: Option<String>,
    pub(crate) hint: IdTokenHint,
}

/// ID token of a logout request.
#[derive(Clone, Debug, Default)]
pub(crate) enum IdTokenHint {
    #[default]
    NotGiven,
    Missing,
    Encoded(Secret),
}

impl LogoutRequest {
    /// A logout without a hint about the end-user.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the ID token that came with `token`, so that the provider need not ask the end-user.
    #[must_use]
    pub fn id_token_hint(mut self, token: &Token) -> Self {
        self.hint = match token.id_token() {
            Some(id_token) => IdTokenHint::Encoded(id_token.clone()),
            None => IdTokenHint::Missing,
        };
        self
    }

    /// Sets the ID token of a login.
    #[must_use]
    pub fn id_token(mut self, id_token: &IdToken) -> Self {
        self.hint = IdTokenHint::Encoded(id_token.encoded().clone());
        self
    }

    /// Sets a hint about the end-user, such as the claim `sid` or an e-mail address.
    #[must_use]
    pub fn logout_hint(mut self, hint: impl Into<Secret>) -> Self {
        self.own.set("logout_hint", hint);
        self
    }

    /// Sets the registered URI to which the end-user returns. A `state` goes with it.
    #[must_use]
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uri = Some(uri.into());
        self
    }

    /// Sets the languages of the user interface, in order of preference.
    #[must_use]
    pub fn ui_locales(mut self, locales: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let locales: Vec<String> = locales.into_iter().map(Into::into).collect();
        self.own.set("ui_locales", locales.join(" "));
        self
    }

    /// Adds a parameter, such as the `logout_uri` of Amazon Cognito.
    #[must_use]
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.parameters.push(name, value);
        self
    }
}

/// URL of a logout request, and the pending logout to keep until the end-user returns.
///
/// ```
/// # fn demo(endpoint: &oauth_twin::oidc::LogoutEndpoint) -> oauth_twin::Result<()> {
/// use oauth_twin::oidc::{LogoutRequest, LogoutUrl};
///
/// let LogoutUrl { url, pending } = endpoint.request(LogoutRequest::new())?;
/// // redirect to `url`; keep `pending` in a cookie or a session of its own
/// # Ok(()) }
/// ```
///
/// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
#[expect(
    clippy::exhaustive_structs,
    reason = "it is destructured, and has no further fields"
)]
pub struct LogoutUrl {
    /// The URL to redirect the user to, or to open in a browser.
    pub url: Url,
    /// The pending logout, which the return of the end-user is checked against.
    pub pending: PendingLogout,
}

/// Omits the query of the URL, which contains the ID token.
impl fmt::Debug for LogoutUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutUrl")
            .field("url", &without_query(&self.url))
            .field("pending", &self.pending)
            .finish()
    }
}

/// Logout for which the end-user has been sent to the provider.
///
/// ```
/// # fn demo(pending: oauth_twin::oidc::PendingLogout, callback: &str) -> oauth_twin::Result<()> {
/// pending.logout_response(callback)?;
/// println!("logged out here and at the provider");
/// # Ok(()) }
/// ```
///
/// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
#[derive(Debug, Deserialize, Serialize)]
pub struct PendingLogout {
    #[serde(default, with = "secret::exposed_option")]
    state: Option<Secret>,
}

impl PendingLogout {
    /// Checks that the end-user has returned from this logout: `state` in the callback, which is a
    /// URL or a query.
    ///
    /// # Errors
    ///
    /// If there is no `state`, or another one; or if the logout named no URI to return to.
    ///
    /// [OpenID Connect RP-Initiated Logout section 3](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RedirectionAfterLogout)
    pub fn logout_response(self, callback: &str) -> Result<()> {
        let Some(expected) = self.state else {
            return Err(Error::usage(
                "the logout had no post_logout_redirect_uri, so there is no callback of it",
            ));
        };
        let state = CallbackParameters::in_query(callback)?.take("state")?;
        match state {
            Some(state) if state == expected => Ok(()),
            Some(_) => Err(Error::callback(
                "the `state` of the callback does not match this logout; the user may have opened \
                 an old page",
            )),
            None => Err(Error::callback("the callback of the logout has no `state`")),
        }
    }
}

/// Client at the endpoint that logs end-users out. It builds requests, which the browser sends.
///
/// ```
/// use oauth_twin::{
///     oauth2::{AuthorizationServer, ClientRegistration},
///     oidc::{LogoutEndpoint, LogoutRequest},
/// };
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_end_session_endpoint("https://id.example.com/logout");
/// let endpoint = LogoutEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let url = endpoint.request(LogoutRequest::new())?.url;
/// assert_eq!(url.as_str(), "https://id.example.com/logout?client_id=id");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
#[derive(Clone)]
pub struct LogoutEndpoint {
    url: Arc<Url>,
    client_id: String,
}

impl LogoutEndpoint {
    /// Makes the client at the `end_session_endpoint` of the server.
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
        if server.end_session_endpoint().is_none() {
            return Err(Error::usage(
                "the server names no end_session_endpoint; set end_session_endpoint if it has one, \
                 and its own parameters by LogoutRequest::param",
            ));
        }
        Ok(Self {
            url: server.required_endpoint("end_session_endpoint", allow_http)?,
            client_id: client.client_id().to_owned(),
        })
    }

    /// Builds a logout request: its URL, and the pending logout.
    ///
    /// # Errors
    ///
    /// If the token for `id_token_hint` has no ID token, a parameter is set twice, or the URL is
    /// longer than 8,000 bytes.
    ///
    /// [OpenID Connect RP-Initiated Logout section 2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)
    pub fn request(&self, request: LogoutRequest) -> Result<LogoutUrl> {
        let mut form = Form::new();
        match request.hint {
            IdTokenHint::NotGiven => {}
            IdTokenHint::Encoded(id_token) => form.push("id_token_hint", id_token),
            IdTokenHint::Missing => {
                return Err(Error::usage(
                    "the token for id_token_hint has no ID token; leave the hint out, and send \
                     logout_hint",
                ));
            }
        }
        form.push("client_id", &*self.client_id);
        form.extend(&request.own);
        let state = match &request.post_logout_redirect_uri {
            Some(uri) => {
                let state = random_text()?;
                form.push("post_logout_redirect_uri", &**uri);
                form.push("state", &state);
                Some(state)
            }
            None => None,
        };
        let is_set = |name: &str| form.value(name).is_some() || name == "state";
        if let Some((name, _)) = request.parameters.iter().find(|(name, _)| is_set(name)) {
            return Err(Error::usage(format!(
                "the parameter {name} of a logout request cannot be set by param; use its own method"
            )));
        }
        form.extend(&request.parameters);
        if let Some(name) = self.repeated_in(&form) {
            return Err(Error::usage(format!(
                "the parameter {name} of a logout request is set twice, or is also in the query of \
                 the end_session_endpoint; set it once"
            )));
        }
        let mut url = (*self.url).clone();
        let mut query = url.query_pairs_mut();
        for (name, value) in form.iter() {
            query.append_pair(name, value.expose_secret());
        }
        drop(query);
        if url.as_str().len() > URL_LIMIT {
            return Err(Error::usage(
                "the logout URL is longer than 8,000 bytes, which providers refuse; leave \
                 id_token_hint out and send logout_hint, or have the ID token issued with fewer \
                 claims",
            ));
        }
        let pending = PendingLogout { state };
        Ok(LogoutUrl { url, pending })
    }

    /// The name that is there twice, in `form` or in the query of the endpoint.
    fn repeated_in<'a>(&self, form: &'a Form) -> Option<&'a str> {
        let mut names: HashSet<_> = self.url.query_pairs().map(|(name, _)| name).collect();
        let mut own = form.iter().map(|(name, _)| name);
        own.find(|name| !names.insert(Cow::Borrowed(*name)))
    }
}

/// Omits the query of the URL, in which some servers require a key.
impl fmt::Debug for LogoutEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutEndpoint")
            .field("url", &without_query(&self.url))
            .field("client_id", &self.client_id)
            .finish()
    }
}

#[cfg(test)]
mod tests;
