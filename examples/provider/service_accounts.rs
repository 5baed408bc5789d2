//! Service accounts of the provider, which has their public keys.

use std::{collections::HashSet, time::Duration};

use oauth_twin::{
    BoxError,
    jose::{Algorithm, Claims, ClaimsValidation, Jwk, Jws, VerifyingKey},
    oauth2::ServiceAccount,
};

pub const ACCOUNT: &str = "reporter@oauth-twin-vectors.iam.gserviceaccount.com";
pub const SCOPE: &str = "reports:read";

pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The key file of the account, in Google's format.
const FILE: &str = include_str!("../../tests/vectors/service_account.json");

/// The key file for a provider with this token endpoint.
pub fn file(token_endpoint: &str) -> String {
    FILE.replace("https://oauth2.googleapis.com/token", token_endpoint)
}

pub struct ServiceAccounts {
    public_key: Jwk,
    /// Used assertions. They are never removed, as the provider is short-lived.
    seen: HashSet<String>,
}

impl Default for ServiceAccounts {
    fn default() -> Self {
        let account = ServiceAccount::from_json(FILE).expect("the file");
        let public_key = account.signing_key().public_jwk().expect("an RSA key");
        Self {
            public_key,
            seen: HashSet::new(),
        }
    }
}

impl ServiceAccounts {
    /// The claims of an assertion, if it is signed by the account, for this provider, valid now,
    /// and new.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    pub fn check(
        &mut self,
        assertion: &str,
        here_and_now: ClaimsValidation,
    ) -> Result<Claims, BoxError> {
        let jws = Jws::parse(assertion)?;
        if jws.header().key_id() != self.public_key.key_id() {
            return Err("no account has a key with this kid".into());
        }
        let key = VerifyingKey::from_jwk(Algorithm::RS256, &self.public_key)?;
        let claims = Claims::from_slice(jws.verify(&key)?)?;
        claims.validate(&here_and_now.issuer(ACCOUNT).leeway(Duration::ZERO))?;
        let issued_at = claims.issued_at().ok_or("no iat")?;
        let life = claims
            .expires_at()
            .ok_or("no exp")?
            .duration_since(issued_at)?;
        if life > Duration::from_secs(3600) {
            return Err("valid for more than an hour".into());
        }
        if !self.seen.insert(claims.id().ok_or("no jti")?.to_owned()) {
            return Err("the assertion was used before".into());
        }
        Ok(claims)
    }
}
