//! Logout tokens, by which the provider tells that a session has ended.
//!
//! [OpenID Connect Back-Channel Logout](https://openid.net/specs/openid-connect-backchannel-1_0.html)

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::id_token_verifier::IdTokenVerifier;
use crate::{
    clock::since_epoch,
    error::{Error, Result},
    jose::{Claims, JwkSet, Jws},
    secret::Secret,
};

/// Member of `events` in a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// "It is RECOMMENDED that Logout Tokens expire in two minutes or less."
const LIFETIME: Duration = Duration::from_secs(120);

/// Limit of identifiers in memory.
const IDS_LIMIT: usize = 10_000;

/// Logout token after all checks: whose sessions have ended.
///
/// ```
/// # fn demo(ended: oauth_twin::oidc::LogoutToken) {
/// match (&ended.session_id, &ended.subject) {
///     (Some(session), _) => println!("end the session {session} of {}", ended.issuer),
///     (None, Some(subject)) => println!("end all sessions of {subject}"),
///     (None, None) => unreachable!("it has one of them"),
/// }
/// # }
/// ```
///
/// [OpenID Connect Back-Channel Logout section 2.4](https://openid.net/specs/openid-connect-backchannel-1_0.html#LogoutToken)
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogoutToken {
    /// The issuer, with which the subject identifies the end-user.
    pub issuer: String,
    /// The end-user, whose sessions all end unless there is a `session_id`.
    pub subject: Option<String>,
    /// The session (`sid`) that ends.
    pub session_id: Option<String>,
    /// The identifier of the logout token (`jti`), which is used once per issuer.
    pub id: String,
    /// The time from which the logout token is refused anyway, so that its identifier may be
    /// forgotten.
    pub expires_at: SystemTime,
}

/// Omits the end-user and the session.
impl fmt::Debug for LogoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutToken")
            .field("issuer", &self.issuer)
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl IdTokenVerifier {
    /// Verifies a logout token. That it is used once is up to the caller, by its
    /// [`id`](LogoutToken::id).
    ///
    /// # Errors
    ///
    /// If no key has signed it, or a claim is not what it has to be. Answer such a request with
    /// status 400.
    ///
    /// [OpenID Connect Back-Channel Logout section 2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)
    pub fn verify_logout_token(&self, logout_token: &str, keys: &JwkSet) -> Result<LogoutToken> {
        let logout_token = Secret::from(logout_token);
        let jws = self.parse_logout_token(&logout_token)?;
        let claims = self.signed_claims(&jws, keys)?;
        self.check_logout_token(&claims)
    }

    pub(crate) fn parse_logout_token<'a>(&self, logout_token: &'a Secret) -> Result<Jws<'a>> {
        if logout_token.expose_secret().split('.').count() == 5 {
            return Err(Error::untrusted(
                "the logout token is encrypted, which is not supported",
            ));
        }
        let jws = Jws::parse(logout_token.expose_secret())?;
        let is_logout =
            |typ: &str| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("logout+jwt");
        if !jws.header().typ().is_none_or(is_logout) {
            return Err(Error::untrusted(
                "the typ of the logout token is neither JWT nor logout+jwt: it is a token of another kind",
            ));
        }
        self.check_algorithm(jws.header().algorithm(), "the logout token")?;
        Ok(jws)
    }

    pub(crate) fn check_logout_token(&self, claims: &Claims) -> Result<LogoutToken> {
        let refused = |problem: &str| Err(Error::untrusted(format!("the logout token {problem}")));
        let Some(issuer) = claims.issuer().filter(|_| self.is_issuer(claims)) else {
            return refused("is from another issuer (iss)");
        };
        let client_id = self.client_id();
        if !claims.audience().any(|audience| audience == client_id) {
            return refused("is for another client (aud)");
        }
        let expires_at = self.check_logout_times(claims)?;
        let Some(expires_at) = UNIX_EPOCH.checked_add(expires_at) else {
            return Err(Error::usage("the leeway of IdTokenRules is too long"));
        };
        let events = claims.get("events").and_then(Value::as_object);
        // "This claim's value is a JSON object containing the member name […]. Its value MUST be a
        // JSON object".
        if !events
            .and_then(|events| events.get(EVENT))
            .is_some_and(Value::is_object)
        {
            return refused("has no back-channel logout event, an object in the object events");
        }
        // "A nonce Claim MUST NOT be present", so that no ID token is taken for one.
        if claims.get("nonce").is_some() {
            return refused("has a nonce: it may be an ID token");
        }
        let text = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Error::untrusted(format!(
                "the claim {name} of the logout token is not a string, or empty"
            ))),
        };
        let (subject, session_id) = (text("sub")?, text("sid")?);
        if subject.is_none() && session_id.is_none() {
            return refused("names neither an end-user nor a session (sub, sid)");
        }
        let Some(id) = text("jti")? else {
            return refused("has no identifier (jti)");
        };
        Ok(LogoutToken {
            issuer: issuer.to_owned(),
            subject,
            session_id,
            id,
            expires_at,
        })
    }

    /// The time from which the logout token is refused.
    fn check_logout_times(&self, claims: &Claims) -> Result<Duration> {
        let (now, leeway) = (self.clock.unix(), self.rules.leeway);
        let Some(issued_at) = claims.seconds("iat") else {
            return Err(Error::untrusted(
                "the logout token has no time of issue (iat)",
            ));
        };
        if issued_at > now.saturating_add(leeway) {
            return Err(Error::untrusted(
                "the logout token was issued in the future (iat); check the clock of this machine",
            ));
        }
        let expires_at = claims.seconds("exp");
        let expires_at = expires_at.unwrap_or_else(|| issued_at.saturating_add(LIFETIME));
        let refused_from = expires_at.saturating_add(leeway);
        match now >= refused_from {
            true => Err(Error::untrusted("the logout token has expired (exp, iat)")),
            false => Ok(refused_from),
        }
    }
}

/// Identifiers of logout tokens that were used, in memory.
#[derive(Debug, Default)]
pub(crate) struct UsedLogoutTokens(HashMap<(String, String), Duration>);

impl UsedLogoutTokens {
    /// Whether the logout token is used for the first time, as far as is known here.
    pub(crate) fn is_new(&mut self, token: &LogoutToken, now: Duration) -> bool {
        self.0.retain(|_, expires_at| *expires_at > now);
        let key = (token.issuer.clone(), token.id.clone());
        if self.0.contains_key(&key) || self.0.len() >= IDS_LIMIT {
            return false;
        }
        self.0.insert(key, since_epoch(token.expires_at));
        true
    }
}

#[cfg(test)]
mod tests;
