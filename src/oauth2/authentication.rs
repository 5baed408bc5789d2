//! Authentication requests: what a login by OpenID Connect asks of its ID token.
//!
//! [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::{self, Secret};

/// Requirements of an authorization request on the ID token, which is checked against them. A part
/// of [`PendingAuthorization`](crate::oauth2::PendingAuthorization), and goes with the
/// [`AuthorizationCode`](crate::oauth2::AuthorizationCode).
///
/// ```
/// use oauth_twin::oauth2::{
///     AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration,
/// };
///
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_authorization_endpoint("https://id.example.com/authorize");
/// let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id"))?;
/// let created = endpoint.request(AuthorizationRequest::new().scope("openid"))?;
/// assert!(created.pending.authentication().is_openid());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [OpenID Connect Core section 3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct AuthenticationRequest {
    /// Whether the scope has `openid`, so that there has to be an ID token.
    #[serde(default)]
    pub(crate) openid: bool,
    #[serde(default, with = "secret::exposed_option")]
    pub(crate) nonce: Option<Secret>,
    /// Seconds.
    #[serde(default)]
    pub(crate) max_age: Option<u64>,
    /// The time at which the login began, in seconds since 1970, if the end-user had to
    /// authenticate anew.
    #[serde(default)]
    pub(crate) not_before: Option<u64>,
    /// Whether `auth_time` was asked for as an essential claim.
    #[serde(default)]
    pub(crate) auth_time: bool,
    /// The classes of which one is required.
    #[serde(default)]
    pub(crate) acr: Vec<String>,
    /// The end-user that was asked for.
    #[serde(default)]
    pub(crate) subject: Option<String>,
    /// Whether PKCE binds the code to this login.
    #[serde(default)]
    pub(crate) pkce: bool,
    /// The `state`, of which there may be a hash. It is that of the pending login.
    #[serde(skip)]
    pub(crate) state: Option<Secret>,
}

impl AuthenticationRequest {
    /// Whether the login asks for an ID token.
    pub fn is_openid(&self) -> bool {
        self.openid
    }
}

/// Omits who the end-user has to be, which is personal data.
impl fmt::Debug for AuthenticationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationRequest")
            .field("openid", &self.openid)
            .field("nonce", &self.nonce)
            .field("max_age", &self.max_age)
            .field("not_before", &self.not_before)
            .field("auth_time", &self.auth_time)
            .field("acr", &self.acr)
            .field("pkce", &self.pkce)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret_and_no_subject() {
        let asked = AuthenticationRequest {
            openid: true,
            nonce: Some("hunter2".into()),
            subject: Some("alice".to_owned()),
            state: Some("hunter2".into()),
            acr: vec!["phr".to_owned()],
            ..AuthenticationRequest::default()
        };
        assert_eq!(
            format!("{asked:?}"),
            "AuthenticationRequest { openid: true, nonce: Some([redacted]), max_age: None, \
             not_before: None, auth_time: false, acr: [\"phr\"], pkce: false, .. }"
        );
    }
}
