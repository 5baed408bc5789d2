//! The authorization code grant.
//!
//! [RFC 6749 section 4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1)

use std::{any::Any, time::Duration};

use super::{
    Grant,
    options::{GrantOptions, grant_options},
};
use crate::{
    error::{BoxError, Error, Result},
    oauth2::{
        authentication::AuthenticationRequest, dpop::binding::Binding, request::TokenRequest,
    },
    secret::Secret,
    wire::form::Form,
};

/// Authorization code grant.
///
/// [`PendingAuthorization::authorization_response`](crate::oauth2::PendingAuthorization::authorization_response)
/// makes one after all checks; use this for a code that was received in another way. It cannot be
/// cloned, as a code is valid for one request.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::AuthorizationCode};
///
/// # let client = OAuth2Client::builder("id").build()?;
/// let token = client.fetch_token(
///     AuthorizationCode::new("SplxlOBeZQQYbYS6WxSbIA")
///         .redirect_uri("https://app.example/callback")
///         .code_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
/// )?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// # Security
///
/// The caller has to check `state` and `iss` of a code that was received in another way.
///
/// [RFC 6749 section 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)
#[derive(Debug)]
pub struct AuthorizationCode {
    code: Secret,
    redirect_uri: Option<String>,
    code_verifier: Option<Secret>,
    /// Expiry of the login, in seconds since 1970.
    expires_at: Option<u64>,
    authentication: AuthenticationRequest,
    /// Issuer that the login began at, if it is known.
    issuer: Option<String>,
    /// ID token that came with the code.
    id_token: Option<Secret>,
    /// The thumbprint of the DPoP key that the code is bound to.
    dpop_thumbprint: Option<String>,
    options: GrantOptions,
}

impl AuthorizationCode {
    /// Makes the grant with `code`.
    pub fn new(code: impl Into<Secret>) -> Self {
        Self {
            code: code.into(),
            redirect_uri: None,
            code_verifier: None,
            expires_at: None,
            authentication: AuthenticationRequest::default(),
            issuer: None,
            id_token: None,
            dpop_thumbprint: None,
            options: GrantOptions::default(),
        }
    }

    /// Sets the redirection URI of the authorization request, if it was not the client's; an empty
    /// one if the request had none.
    #[must_use]
    pub fn redirect_uri(mut self, redirect_uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(redirect_uri.into());
        self
    }

    /// Sets the code verifier of the challenge in the authorization request.
    ///
    /// [RFC 7636 section 4.5](https://www.rfc-editor.org/rfc/rfc7636#section-4.5)
    #[must_use]
    pub fn code_verifier(mut self, code_verifier: impl Into<Secret>) -> Self {
        self.code_verifier = Some(code_verifier.into());
        self
    }

    /// Sets the `nonce` of the authorization request, if it was not made by this crate. The ID token
    /// has to have it.
    ///
    /// [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<Secret>) -> Self {
        self.authentication.nonce = Some(nonce.into());
        self.authentication.openid = true;
        self
    }

    /// Sets what the login asks of its ID token, and that which came with the code.
    pub(crate) fn authenticating(
        mut self,
        asked: AuthenticationRequest,
        id_token: Option<Secret>,
    ) -> Self {
        self.authentication = asked;
        self.id_token = id_token;
        self
    }

    /// Sets the issuer that the login began at, which alone is sent the code.
    pub(crate) fn issued_by(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    /// The ID token that this code leads to.
    #[allow(dead_code, reason = "the clients verify ID tokens")]
    pub(crate) fn expected_id_token(&self) -> ExpectedIdToken {
        ExpectedIdToken {
            asked: self.authentication.clone(),
            code: Some(self.code.clone()),
            front_channel: self.id_token.clone(),
        }
    }

    /// Sets the thumbprint of the DPoP key that the authorization request was bound to by
    /// `dpop_jkt`. The code is sent with a proof of that key alone.
    ///
    /// [RFC 9449 section 10](https://www.rfc-editor.org/rfc/rfc9449#section-10)
    #[must_use]
    pub fn dpop_thumbprint(mut self, thumbprint: impl Into<String>) -> Self {
        self.dpop_thumbprint = Some(thumbprint.into());
        self
    }

    /// Sets the expiry of the login, in seconds since 1970. It is checked by the clock of the
    /// endpoint that sends the code.
    pub(crate) fn expires_at(mut self, expires_at: u64) -> Self {
        self.expires_at = Some(expires_at);
        self
    }
}

/// ID token that a grant leads to: what was asked of it, and what it has hashes of. By default
/// nothing was asked for.
#[derive(Default)]
#[allow(dead_code, reason = "the clients verify ID tokens")]
pub(crate) struct ExpectedIdToken {
    pub(crate) asked: AuthenticationRequest,
    pub(crate) code: Option<Secret>,
    /// The ID token that came with the code.
    pub(crate) front_channel: Option<Secret>,
}

impl ExpectedIdToken {
    /// The ID token that a grant of any type expects.
    #[allow(dead_code, reason = "the clients verify ID tokens")]
    pub(crate) fn of(grant: &dyn Any) -> Self {
        let code = grant.downcast_ref::<AuthorizationCode>();
        code.map_or_else(Self::default, AuthorizationCode::expected_id_token)
    }
}

grant_options!(AuthorizationCode);

impl Grant for AuthorizationCode {
    fn grant_type(&self) -> &str {
        "authorization_code"
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        if let Some(expires_at) = self.expires_at {
            check_expiry(expires_at, request.clock().unix())?;
        }
        // An attacker may have sent the user back to the page of another server's client.
        if let (Some(own), Some(other)) = (&self.issuer, request.issuer())
            && own != other
        {
            return Err(Error::usage(
                "the login began at another server than that of this client; complete it by the \
                 client that created its URL",
            )
            .into());
        }
        request.bind(self.dpop_thumbprint.as_deref().map(Binding::required));
        request.push("code", &self.code);
        // "REQUIRED, if the "redirect_uri" parameter was included in the authorization request
        // [...], and their values MUST be identical."
        let of_client = request.redirect_uri().map(str::to_owned);
        let redirect_uri = self.redirect_uri.clone().or(of_client);
        if let Some(redirect_uri) = redirect_uri.filter(|uri| !uri.is_empty()) {
            request.push("redirect_uri", redirect_uri);
        }
        if let Some(code_verifier) = &self.code_verifier {
            validate_verifier(code_verifier)?;
            request.push("code_verifier", code_verifier);
        }
        // The scope belongs to the authorization request. It is sent here only if set explicitly.
        if let Some(scope) = &self.options.scope {
            request.push("scope", scope.as_str());
        }
        request.extend(&self.options.parameters);
        request.push_resource();
        Ok(())
    }

    /// "The client MUST NOT use the authorization code more than once."
    fn single_use(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}

/// Checks that a login that expires at `expires_at`, in seconds since 1970, has not expired.
pub(crate) fn check_expiry(expires_at: u64, now: Duration) -> Result<()> {
    match now.as_secs() < expires_at {
        true => Ok(()),
        false => Err(Error::callback("the login has expired; start a new one")),
    }
}

/// Checks the syntax of `verifier`.
///
/// "code-verifier = 43*128unreserved"
pub(crate) fn validate_verifier(verifier: &Secret) -> Result<()> {
    let verifier = verifier.expose_secret();
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved) {
        return Ok(());
    }
    Err(Error::usage(
        "the code_verifier is invalid; it must have 43 to 128 characters of A-Z a-z 0-9 - . _ ~ \
         (RFC 7636 section 4.1)",
    ))
}
