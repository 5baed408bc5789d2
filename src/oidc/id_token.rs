//! ID tokens that have been verified.
//!
//! [OpenID Connect Core section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::claims::StandardClaims;
use crate::{
    jose::{Claims, numeric_date},
    secret::Secret,
};

/// ID token after all checks: who has logged in, when and how.
///
/// ```
/// # fn demo(login: &oauth_twin::oidc::IdToken) {
/// let user = (login.issuer(), login.claims().subject());
/// println!("{user:?} logged in at {:?}, by {:?}", login.auth_time(), login.amr());
/// # }
/// ```
///
/// [OpenID Connect Core section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
#[derive(Clone)]
pub struct IdToken {
    encoded: Secret,
    claims: StandardClaims,
}

impl IdToken {
    pub(super) fn new(encoded: Secret, claims: Claims) -> Self {
        Self {
            encoded,
            claims: StandardClaims::new(claims.into_object()),
        }
    }

    /// The claims about the end-user, and any other claim.
    pub fn claims(&self) -> &StandardClaims {
        &self.claims
    }

    /// The issuer. Together with the subject it identifies the end-user.
    pub fn issuer(&self) -> &str {
        self.text("iss").unwrap_or_default()
    }

    /// The audience: the client, and others that it trusts.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        let all = match self.claims.get("aud") {
            Some(Value::Array(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        all.iter().filter_map(Value::as_str)
    }

    /// The expiry of the ID token, which says nothing about the session.
    pub fn expires_at(&self) -> SystemTime {
        self.time("exp").unwrap_or(UNIX_EPOCH)
    }

    /// The time of issue.
    pub fn issued_at(&self) -> SystemTime {
        self.time("iat").unwrap_or(UNIX_EPOCH)
    }

    /// The time at which the end-user authenticated, if the provider says so.
    pub fn auth_time(&self) -> Option<SystemTime> {
        self.time("auth_time")
    }

    /// The authentication context class (`acr`).
    pub fn acr(&self) -> Option<&str> {
        self.text("acr")
    }

    /// The authentication methods, such as `pwd` and `otp`. A text, which Signicat sends, is a list
    /// of one.
    pub fn amr(&self) -> Vec<&str> {
        match self.claims.get("amr") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            _ => Vec::new(),
        }
    }

    /// The party that the ID token was issued to (`azp`), if it names one.
    pub fn authorized_party(&self) -> Option<&str> {
        self.text("azp")
    }

    /// The session at the provider (`sid`), which a
    /// [`LogoutToken`](crate::oidc::LogoutToken) names when it ends.
    ///
    /// [OpenID Connect Back-Channel Logout section 2.1](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCSupport)
    pub fn session_id(&self) -> Option<&str> {
        self.text("sid")
    }

    /// The encoded ID token, for `id_token_hint`.
    pub fn encoded(&self) -> &Secret {
        &self.encoded
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    fn time(&self, claim: &str) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(numeric_date(self.claims.get(claim)?)?)
    }
}

/// Shows only the names of the claims: values are personal data.
impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken")
            .field("issuer", &self.issuer())
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}
