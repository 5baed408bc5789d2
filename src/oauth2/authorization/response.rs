//! Authorization responses, and the checks that they answer the request.
//!
//! [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2),
//! [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Clock,
    error::{Error, ErrorResponse, Result},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::{openid::unverified_issuer, response_type::ResponseType},
        grant::authorization_code::{AuthorizationCode, check_expiry},
        server::tenants::is_in_callback,
        token::Token,
    },
    secret::{self, Secret},
    wire::callback::CallbackParameters,
};

/// Error codes that are registered for the authorization endpoint.
///
/// [IANA: OAuth Extensions Error Registry](https://www.iana.org/assignments/oauth-parameters/oauth-parameters.xhtml#extensions-error)
const REGISTERED: [&str; 19] = [
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
    #[serde(default)]
    pub(crate) iss_required: bool,
    #[serde(default)]
    pub(crate) resource: Vec<String>,
    #[serde(default)]
    pub(crate) response_type: ResponseType,
    /// Whether the response comes in the fragment of the URL.
    #[serde(default)]
    pub(crate) in_fragment: bool,
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
    if let Some(state) = parameters.take("state")? {
        return Ok(state.expose_secret().to_owned());
    }
    // That of the implicit grant.
    if let Ok(mut fragment) = CallbackParameters::in_fragment(callback)
        && let Some(state) = fragment.take("state")?
    {
        return Ok(state.expose_secret().to_owned());
    }
    let error = parameters.unverified_error("error", &REGISTERED);
    Err(Error::callback(format!(
        "the callback has no `state`{error}"
    )))
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

    /// The grant in the callback, which is a URL of any scheme, its query, or the form body of a
    /// `form_post`.
    ///
    /// White space, one pair of quotes and a byte order mark around a pasted callback are ignored.
    /// The checks, in this order: no parameter is repeated, `state` is that of this request, `iss`
    /// is the issuer if both are known, it is not an error, there is a code. The expiry of the
    /// login is checked when the grant is used, by the clock of the client or the
    /// [`TokenEndpoint`](crate::oauth2::TokenEndpoint) that sends it.
    ///
    /// # Errors
    ///
    /// The first check that fails, or the server's own error, such as `access_denied`.
    ///
    /// [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)
    #[doc(alias = "callback")]
    pub fn authorization_response(self, callback: &str) -> Result<AuthorizationCode> {
        let mut parameters = self.parameters(callback)?;
        self.check(&mut parameters)?;
        if !self.response_type.has_code() {
            return Err(Error::usage(format!(
                "the login asked for {} and not for a code; complete_authentication reads an ID \
                 token, token_from_fragment a token",
                self.response_type.as_str()
            )));
        }
        let id_token = match self.response_type.has_id_token() {
            true => Some(only_id_token(&mut parameters)?),
            false => None,
        };
        let authentication = self.authentication();
        let code = parameters.take("code")?;
        let code = code.ok_or_else(|| Error::callback("the callback has no `code`"))?;
        // The URI of the request, or none, even if the client's has changed.
        let redirect_uri = self.redirect_uri.unwrap_or_default();
        let mut grant = AuthorizationCode::new(code)
            .redirect_uri(redirect_uri)
            .expires_at(self.expires_at)
            .issued_by(self.issuer)
            .authenticating(authentication, id_token);
        if let Some(code_verifier) = self.code_verifier {
            grant = grant.code_verifier(code_verifier);
        }
        for resource in self.resource {
            grant = grant.resource(resource);
        }
        Ok(grant)
    }

    /// The ID token in the callback, for [`ResponseType::IdToken`], after the same checks. It is
    /// verified by [`IdTokenVerifier`](crate::oidc::IdTokenVerifier).
    ///
    /// # Errors
    ///
    /// The first check that fails, or the server's own error.
    ///
    /// [OpenID Connect Core section 3.2.2.5](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitAuthResponse)
    pub fn authentication_response(self, callback: &str) -> Result<AuthenticationResponse> {
        let mut parameters = self.parameters(callback)?;
        self.check(&mut parameters)?;
        if self.response_type != ResponseType::IdToken {
            return Err(Error::usage(format!(
                "the login asked for {} and not for an ID token alone; use complete_authorization",
                self.response_type.as_str()
            )));
        }
        Ok(AuthenticationResponse {
            id_token: only_id_token(&mut parameters)?,
            asked: self.authentication(),
            expires_at: self.expires_at,
        })
    }

    /// Requirements of the login on its ID token.
    pub fn authentication(&self) -> AuthenticationRequest {
        AuthenticationRequest {
            state: Some(self.state.clone()),
            ..self.authentication.clone()
        }
    }

    /// The parameters of the callback: in its fragment, unless a page has taken them from there.
    fn parameters(&self, callback: &str) -> Result<CallbackParameters> {
        match self.in_fragment && callback.contains('#') {
            true => CallbackParameters::in_fragment(callback),
            false => CallbackParameters::in_query(callback),
        }
    }

    /// The token in the fragment of the callback, for the implicit grant, after the same checks.
    /// The expiry of the login is checked by the system clock.
    ///
    /// # Errors
    ///
    /// The first check that fails, or the server's own error.
    ///
    /// [RFC 6749 section 4.2.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2.2)
    pub fn token_from_fragment(self, url: &str) -> Result<Token> {
        self.token_from_fragment_at(url, &Clock::system())
    }

    /// The token in the fragment of the callback; the expiry of the login is checked by `clock`.
    ///
    /// # Errors
    ///
    /// The first check that fails, or the server's own error.
    ///
    /// [RFC 6749 section 4.2.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.2.2)
    pub fn token_from_fragment_at(self, url: &str, clock: &Clock) -> Result<Token> {
        let mut parameters = CallbackParameters::in_fragment(url)?;
        let now = clock.unix();
        self.check(&mut parameters)?;
        check_expiry(self.expires_at, now)?;
        let access_token = parameters.take("access_token")?;
        let mut members = parameters.into_members();
        if let Some(access_token) = access_token {
            let access_token = access_token.expose_secret();
            members.insert("access_token".to_owned(), access_token.into());
        }
        Token::from_answer(members, now).map_err(Error::callback)
    }

    /// Checks that the parameters answer this request, and removes those that it has checked.
    fn check(&self, parameters: &mut CallbackParameters) -> Result<()> {
        match parameters.take("state")? {
            None => {
                let error = match self.check_issuer(parameters) {
                    Ok(()) => parameters.unverified_error("error", &REGISTERED),
                    Err(_other_issuer) => String::new(),
                };
                let problem = format!("the callback has no `state`{error}");
                return Err(Error::callback(problem));
            }
            Some(state) if state != self.state => {
                return Err(Error::callback(
                    "the `state` of the callback does not match this login; the user may have \
                     opened an old page",
                ));
            }
            Some(_) => {}
        }
        self.check_issuer(parameters)?;
        let Some(error) = parameters.take("error")? else {
            return Ok(());
        };
        let [description, uri] =
            ["error_description", "error_uri"].map(|name| parameters.take_text(name));
        Err(Error::refused(ErrorResponse::in_callback(
            error.expose_secret(),
            description.as_deref(),
            uri.as_deref(),
        )))
    }

    /// "Clients MUST then decode the value [...] and compare the result to the issuer identifier of
    /// the authorization server where the authorization request was sent to."
    ///
    /// [RFC 9207 section 2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4)
    fn check_issuer(&self, parameters: &mut CallbackParameters) -> Result<()> {
        let iss = match parameters.take("iss")? {
            // Left out beside an ID token, which names the issuer (node oidc-provider).
            None if self.iss_required && self.response_type.has_id_token() => {
                unverified_issuer(parameters)
            }
            iss => iss,
        };
        match (iss, &self.issuer) {
            (Some(iss), Some(issuer)) if !is_in_callback(issuer, iss.expose_secret()) => {
                Err(Error::callback(
                    "the issuer of the callback (`iss`) is not the one that the user was redirected to",
                ))
            }
            // Required only of servers that are known to send it.
            (None, _) if self.iss_required => Err(Error::callback(
                "the callback has no issuer (`iss`), which this server always sends",
            )),
            _ => Ok(()),
        }
    }
}

/// The ID token of a response which has no access token beside it: none was asked for.
fn only_id_token(parameters: &mut CallbackParameters) -> Result<Secret> {
    if parameters.take("access_token")?.is_some() {
        return Err(Error::callback(
            "the callback has an `access_token`, which was not asked for",
        ));
    }
    let id_token = parameters.take("id_token")?;
    id_token.ok_or_else(|| Error::callback("the callback has no `id_token`"))
}

/// Response to a login that asked for an ID token alone.
///
/// ```
/// # fn demo(
/// #     pending: oauth_twin::oauth2::PendingAuthorization, callback: &str,
/// #     verifier: oauth_twin::oidc::IdTokenVerifier, keys: oauth_twin::jose::JwkSet,
/// # ) -> oauth_twin::Result<()> {
/// let response = pending.authentication_response(callback)?;
/// let id_token = verifier.verify_response(&response, &keys)?;
/// println!("{}", id_token.claims().subject());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AuthenticationResponse {
    pub(crate) id_token: Secret,
    pub(crate) asked: AuthenticationRequest,
    pub(crate) expires_at: u64,
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

#[cfg(test)]
mod tests;
