//! Pending authorization requests, which are kept until the response.
//!
//! [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::{response_jwt::unverified_state, response_type::ResponseType},
    },
    secret::{self, Secret},
    wire::callback::CallbackParameters,
};

/// Error codes that are registered for the authorization endpoint.
///
/// [IANA: OAuth Extensions Error Registry](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#extensions-error)
pub(super) const REGISTERED: [&str; 19] = [
    "invalid_request",
    "unauthorized_client",
    "access_denied",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "consent_required",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "unmet_authentication_requirements",
    "invalid_target",
    "invalid_authorization_details",
];

/// Pending authorization request, which its response is checked against.
///
/// It belongs in the session of the user who was redirected, and nowhere else: taken from it, it is
/// consumed by the response. It serialises, including secrets.
///
/// ```
/// use oauth_twin::oauth2::{
///     AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration,
/// };
///
/// let server = AuthorizationServer::default()
///     .with_authorization_endpoint("https://id.example.com/authorize");
/// let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let created = endpoint.request(AuthorizationRequest::new())?;
/// let session = serde_json::to_string(&created.pending).unwrap();
///
/// // The callback, perhaps in another process. The callback of another login is refused:
/// let pending: oauth_twin::oauth2::PendingAuthorization = serde_json::from_str(&session).unwrap();
/// let error = pending
///     .authorization_response("https://app.example.com/callback?code=1&state=forged")
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the `state` of the callback does not match this login; the user may have opened an old page",
/// );
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Security
///
/// Anyone who has it and the callback can complete the login. Keep it in a session that only the
/// user's own browser can reach, and remove it from there before use.
///
/// [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)
#[derive(Deserialize, Serialize)]
#[doc(alias = "login")]
#[doc(alias = "session")]
pub struct PendingAuthorization {
    #[serde(with = "secret::exposed")]
    pub(crate) state: Secret,
    #[serde(default, with = "secret::exposed_option")]
    pub(crate) code_verifier: Option<Secret>,
    #[serde(default)]
    pub(crate) redirect_uri: Option<String>,
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// The scope that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(default)]
    pub(crate) iss_required: bool,
    #[serde(default)]
    pub(crate) resource: Vec<String>,
    #[serde(default)]
    pub(crate) response_type: ResponseType,
    /// Whether the response comes in the fragment of the URL.
    #[serde(default)]
    pub(crate) in_fragment: bool,
    /// Whether the response is a signed JWT.
    #[serde(default)]
    pub(crate) is_signed: bool,
    /// Whether the request could have been pushed and was not.
    #[serde(default)]
    pub(crate) is_unpushed: bool,
    /// Whether the request asked for no scope.
    #[serde(default)]
    pub(crate) is_unscoped: bool,
    /// Expiry of the URL, in seconds since 1970: until then the user has to be redirected.
    #[serde(default)]
    pub(crate) url_expires_at: Option<u64>,
    /// The thumbprint of the DPoP key that the code is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dpop_thumbprint: Option<String>,
    #[serde(default)]
    pub(crate) authentication: AuthenticationRequest,
    /// Seconds since 1970.
    pub(crate) created_at: u64,
    /// Seconds since 1970.
    pub(crate) expires_at: u64,
}

/// The `state` of a callback, which is a URL, a query, a form body or a fragment: the key under
/// which [`PendingAuthorization::state`] keeps a pending login, so that a user may have several at
/// once, in as many tabs.
///
/// ```
/// use oauth_twin::oauth2::callback_state;
///
/// let state = callback_state("https://app.example.com/callback?code=SplxlO&state=af0ifjsldkj")?;
/// assert_eq!(state, "af0ifjsldkj");
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// # Errors
///
/// If there is no `state`, or a parameter is repeated.
///
/// # Security
///
/// Nothing is verified, and the sender of the callback chooses the text. It may be a key among
/// pending logins of this session, and of nothing else.
///
/// [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)
pub fn callback_state(callback: &str) -> Result<String> {
    let mut parameters = CallbackParameters::in_query(callback)?;
    if let Some(state) = state_of(&mut parameters)? {
        return Ok(state.expose_secret().to_owned());
    }
    // That of the implicit grant.
    if let Ok(mut fragment) = CallbackParameters::in_fragment(callback)
        && let Some(state) = state_of(&mut fragment)?
    {
        return Ok(state.expose_secret().to_owned());
    }
    let error = parameters.unverified_error("error", &REGISTERED);
    Err(Error::callback(format!(
        "the callback has no `state`{error}"
    )))
}

/// The `state`, or that in a signed response, which is not verified either.
fn state_of(parameters: &mut CallbackParameters) -> Result<Option<Secret>> {
    match parameters.take("state")? {
        None => Ok(parameters.text("response").and_then(unverified_state)),
        state => Ok(state),
    }
}

impl PendingAuthorization {
    /// The `state` of the request: the key to keep a pending login under, see [`callback_state`].
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use oauth_twin::oauth2::{PendingAuthorization, callback_state};
    ///
    /// # fn demo(pending: PendingAuthorization, callback: &str) -> oauth_twin::Result<()> {
    /// let mut logins: HashMap<String, PendingAuthorization> = HashMap::new(); // of one session
    /// logins.insert(pending.state().to_owned(), pending);
    /// let pending = logins.remove(&callback_state(callback)?);
    /// # Ok(()) }
    /// ```
    ///
    /// [RFC 6749 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)
    pub fn state(&self) -> &str {
        self.state.expose_secret()
    }

    /// Whether a callback has the `state` of this request, and so is its answer, whatever that is.
    #[allow(dead_code, reason = "only interactive logins wait for one")]
    pub(crate) fn is_answered_by(&self, callback: &str) -> bool {
        let state = CallbackParameters::in_query(callback)
            .and_then(|mut parameters| state_of(&mut parameters));
        state.is_ok_and(|state| state.as_ref() == Some(&self.state))
    }

    /// Requirements of the login on its ID token.
    pub fn authentication(&self) -> AuthenticationRequest {
        AuthenticationRequest {
            state: Some(self.state.clone()),
            ..self.authentication.clone()
        }
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("state", &self.state)
            .field("code_verifier", &self.code_verifier)
            .field("redirect_uri", &self.redirect_uri)
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
