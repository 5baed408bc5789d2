//! Authorization responses, and the checks that they answer the request.
//!
//! [RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2),
//! [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)

use crate::{
    clock::Clock,
    error::{Error, ErrorResponse, Result},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::{
            openid::unverified_issuer,
            pending::{PendingAuthorization, REGISTERED},
            response_jwt::refuse_signed,
            response_type::ResponseType,
        },
        grant::authorization_code::{AuthorizationCode, check_expiry},
        scope::missing_scope,
        server::tenants::is_in_callback,
        token::Token,
    },
    secret::Secret,
    wire::callback::CallbackParameters,
};

impl PendingAuthorization {
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
        let parameters = self.plain_parameters(callback)?;
        self.code_in(parameters)
    }

    /// The grant in the parameters of the response, as
    /// [`authorization_response`](Self::authorization_response).
    pub(crate) fn code_in(self, mut parameters: CallbackParameters) -> Result<AuthorizationCode> {
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
        if let Some(thumbprint) = self.dpop_thumbprint {
            grant = grant.dpop_thumbprint(thumbprint);
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
        let parameters = self.plain_parameters(callback)?;
        self.id_token_in(parameters)
    }

    /// The ID token in the parameters of the response, as
    /// [`authentication_response`](Self::authentication_response).
    pub(crate) fn id_token_in(
        self,
        mut parameters: CallbackParameters,
    ) -> Result<AuthenticationResponse> {
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

    /// The parameters of a callback that is not signed, as it was asked for.
    pub(crate) fn plain_parameters(&self, callback: &str) -> Result<CallbackParameters> {
        let parameters = self.parameters(callback)?;
        if self.is_signed {
            return Err(Error::usage(
                "the login asked for a signed response, which has to be verified; use \
                 complete_authorization of the client, or SignedResponseVerifier",
            ));
        }
        refuse_signed(&parameters)?;
        Ok(parameters)
    }

    /// The parameters of the callback: in its fragment, unless a page has taken them from there.
    pub(super) fn parameters(&self, callback: &str) -> Result<CallbackParameters> {
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
        if self.is_signed {
            return Err(Error::usage(
                "a token in a signed response is not supported; ask for a code",
            ));
        }
        refuse_signed(&parameters)?;
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
    pub(super) fn check(&self, parameters: &mut CallbackParameters) -> Result<()> {
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
        let response = ErrorResponse::in_callback(
            error.expose_secret(),
            description.as_deref(),
            uri.as_deref(),
        );
        // "The authorization server MAY require the use of PAR" for one client alone, which its
        // metadata do not say.
        let hint = (self.is_unpushed && error.expose_secret() == "invalid_request").then_some(
            "the server may want the request of this client to be pushed; try Push::Always",
        );
        let hint = hint.or_else(|| {
            response
                .code()
                .filter(|_| self.is_unscoped)
                .and_then(missing_scope)
        });
        Err(Error::refused(response.with_hint(hint)))
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

#[cfg(test)]
mod tests;
