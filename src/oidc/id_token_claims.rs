//! Checks of the claims of an ID token.
//!
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)

use std::time::Duration;

use super::{
    hashes::check_hash,
    id_token::IdToken,
    id_token_verifier::{IdTokenVerifier, IssuedIdToken},
    tenants::{is_of_tenant, is_template},
};
use crate::{
    error::{Error, Result},
    jose::{Claims, Jws},
    oauth2::authentication::AuthenticationRequest,
    secret::Secret,
};

/// Subject that Azure AD B2C gives to every end-user unless it is configured otherwise.
pub(super) const PLACEHOLDER_SUBJECT: &str = "Not supported currently. Use oid claim.";

impl IdTokenVerifier {
    /// Checks the claims of an ID token of a login.
    pub(crate) fn check(
        &self,
        jws: &Jws<'_>,
        claims: Claims,
        issued: IssuedIdToken<'_>,
        asked: &AuthenticationRequest,
    ) -> Result<IdToken> {
        self.check_parties(&claims)?;
        self.check_times(&claims)?;
        let now = self.clock.unix();
        let issued_at = claims.seconds("iat").unwrap_or_default();
        if now.saturating_sub(issued_at) > self.rules.issued_within.max(self.rules.leeway) {
            return Err(Error::untrusted(
                "the ID token was issued too long ago for a login (iat)",
            ));
        }
        self.check_nonce(&claims, issued.front_channel, asked)?;
        let needs_state_hash = issued.front_channel && self.rules.state_hash;
        for (name, value, is_required) in [
            ("at_hash", issued.access_token, issued.front_channel),
            ("c_hash", issued.code, issued.front_channel),
            ("s_hash", asked.state.as_ref(), needs_state_hash),
        ] {
            check_hash(&claims, name, jws.header().algorithm(), value, is_required)?;
        }
        self.check_authentication(&claims, asked)?;
        Ok(IdToken::new(issued.id_token.clone(), claims))
    }

    /// Checks `iss`, `sub`, `aud` and `azp`.
    pub(super) fn check_parties(&self, claims: &Claims) -> Result<()> {
        if !self.is_issuer(claims) {
            return Err(Error::untrusted(format!(
                "the issuer of the ID token (iss) is not {:?}",
                self.issuer
            )));
        }
        match claims.subject() {
            None | Some("") => return Err(Error::untrusted("the ID token has no subject (sub)")),
            Some(PLACEHOLDER_SUBJECT) => {
                return Err(Error::untrusted(
                    "the subject of the ID token (sub) is the same text for every end-user; \
                     configure Azure AD B2C to put the claim oid into sub",
                ));
            }
            Some(_) => {}
        }
        self.check_audience(claims)?;
        match claims.get("azp").map(|azp| azp.as_str()) {
            None => Ok(()),
            Some(Some(azp)) if azp == self.client.client_id() || self.is_trusted(azp) => Ok(()),
            Some(_) => Err(Error::untrusted(
                "the ID token was issued to another client (azp)",
            )),
        }
    }

    pub(super) fn client_id(&self) -> &str {
        self.client.client_id()
    }

    pub(super) fn check_audience(&self, claims: &Claims) -> Result<()> {
        let client_id = self.client.client_id();
        if !claims.audience().any(|audience| audience == client_id) {
            return Err(Error::untrusted("the ID token is for another client (aud)"));
        }
        let is_known = |audience: &str| audience == client_id || self.is_trusted(audience);
        match claims.audience().all(is_known) {
            true => Ok(()),
            false => Err(Error::untrusted(
                "the ID token is for further audiences (aud); IdTokenRules::trusted_audience names \
                 those that the client trusts",
            )),
        }
    }

    pub(super) fn is_issuer(&self, claims: &Claims) -> bool {
        if is_template(&self.issuer) {
            return is_of_tenant(claims, &self.issuer, &self.rules.tenants);
        }
        let Some(iss) = claims.issuer() else {
            return false;
        };
        let is_alias = |(issuer, alias): &(String, String)| *issuer == self.issuer && alias == iss;
        iss == self.issuer || self.rules.aliases.iter().any(is_alias)
    }

    fn is_trusted(&self, audience: &str) -> bool {
        self.rules
            .trusted_audiences
            .iter()
            .any(|one| one == audience)
    }

    /// Checks `exp`, `iat` and `nbf`.
    pub(super) fn check_times(&self, claims: &Claims) -> Result<()> {
        let (now, leeway) = (self.clock.unix(), self.rules.leeway);
        self.check_expiry_of(claims, "the ID token")?;
        let Some(issued_at) = claims.seconds("iat") else {
            return Err(Error::untrusted("the ID token has no time of issue (iat)"));
        };
        let latest = now.saturating_add(leeway);
        if issued_at > latest {
            return Err(Error::untrusted(
                "the ID token was issued in the future (iat); check the clock of this machine",
            ));
        }
        match claims.seconds("nbf") {
            Some(begins) if begins > latest => {
                Err(Error::untrusted("the ID token is not valid yet (nbf)"))
            }
            _ => Ok(()),
        }
    }

    /// Checks `exp`.
    pub(super) fn check_expiry_of(&self, claims: &Claims, what: &str) -> Result<()> {
        let Some(expires_at) = claims.seconds("exp") else {
            return Err(Error::untrusted(format!("{what} has no expiry (exp)")));
        };
        match self.clock.unix() >= expires_at.saturating_add(self.rules.leeway) {
            true => Err(Error::untrusted(format!(
                "{what} has expired (exp); check the clock of this machine"
            ))),
            false => Ok(()),
        }
    }

    /// "If a nonce value was sent in the Authentication Request, a nonce Claim MUST be present and
    /// its value checked". Apple's `nonce_supported: false` changes nothing.
    fn check_nonce(
        &self,
        claims: &Claims,
        front_channel: bool,
        asked: &AuthenticationRequest,
    ) -> Result<()> {
        match (claims.get("nonce"), &asked.nonce) {
            (None, None) => Ok(()),
            (Some(nonce), Some(sent))
                if nonce.as_str().map(Secret::from).as_ref() == Some(sent) =>
            {
                Ok(())
            }
            (None, Some(_)) if self.is_without_nonce() && asked.pkce && !front_channel => Ok(()),
            (None, Some(_)) => Err(Error::untrusted(
                "the ID token has no nonce, although one was sent; \
                 IdTokenRules::dangerous_without_nonce permits that for one issuer",
            )),
            (Some(_), None) => Err(Error::untrusted(
                "the ID token has a nonce, although none was sent; AuthorizationCode::nonce sets \
                 that of a request which was made elsewhere",
            )),
            (Some(_), Some(_)) => Err(Error::untrusted(
                "the nonce of the ID token is not that of this login",
            )),
        }
    }

    fn is_without_nonce(&self) -> bool {
        self.rules.without_nonce.contains(&self.issuer)
    }

    /// Checks when, how and as whom the end-user authenticated, as far as it was asked for.
    fn check_authentication(&self, claims: &Claims, asked: &AuthenticationRequest) -> Result<()> {
        self.check_auth_time(claims, asked)?;
        if !asked.acr.is_empty() {
            let acr = claims.get("acr").and_then(|acr| acr.as_str());
            if !acr.is_some_and(|acr| asked.acr.iter().any(|one| one == acr)) {
                return Err(Error::untrusted(
                    "the end-user was not authenticated in one of the required classes (acr)",
                ));
            }
        }
        match &asked.subject {
            Some(subject) if claims.subject() != Some(subject) => Err(Error::untrusted(
                "another end-user logged in than the one who was asked for (sub)",
            )),
            _ => Ok(()),
        }
    }

    fn check_auth_time(&self, claims: &Claims, asked: &AuthenticationRequest) -> Result<()> {
        if asked.max_age.is_none() && asked.not_before.is_none() && !asked.auth_time {
            return Ok(());
        }
        let (now, leeway) = (self.clock.unix(), self.rules.leeway);
        let Some(auth_time) = claims.seconds("auth_time") else {
            return Err(Error::untrusted(
                "the ID token does not say when the end-user authenticated (auth_time), so that \
                 max_age and prompt=login cannot be checked; turn the claim on at the provider \
                 (Entra ID: an optional claim; Okta, Auth0: max_age; others: the client's setting \
                 require_auth_time)",
            ));
        };
        if auth_time > now.saturating_add(leeway) {
            return Err(Error::untrusted(
                "the end-user authenticated in the future (auth_time)",
            ));
        }
        // Zero demands that the end-user authenticates after the request, whenever the response comes:
        // it is the same as `prompt=login`.
        let is_by_age = |max_age: &u64| *max_age > 0 || asked.not_before.is_none();
        let is_old = asked.max_age.filter(is_by_age).is_some_and(|max_age| {
            let latest = auth_time.saturating_add(Duration::from_secs(max_age));
            now > latest.saturating_add(leeway)
        });
        let was_before = asked
            .not_before
            .is_some_and(|begun| auth_time.saturating_add(leeway) < Duration::from_secs(begun));
        match is_old || was_before {
            true => Err(Error::untrusted(
                "the end-user authenticated too long ago (auth_time); the login asked for a newer \
                 authentication",
            )),
            false => Ok(()),
        }
    }
}
