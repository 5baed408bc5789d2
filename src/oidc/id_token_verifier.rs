//! Verification of ID tokens.
//!
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)

use super::{
    id_token::IdToken,
    id_token_rules::IdTokenRules,
    tenants::{is_template, may_sign},
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::{Algorithm, Claims, JwkSet, Jws, VerifyingKey},
    oauth2::{
        authentication::AuthenticationRequest,
        authorization::response::AuthenticationResponse,
        client::ClientRegistration,
        grant::authorization_code::check_expiry,
        server::{AuthorizationServer, algorithms::offered_algorithms},
        token::Token,
    },
    secret::Secret,
};

/// Verifier of the ID tokens that one provider issues to one client.
///
/// ```
/// # fn demo(
/// #     server: oauth_twin::oauth2::AuthorizationServer, client: oauth_twin::oauth2::ClientRegistration,
/// #     pending: oauth_twin::oauth2::PendingAuthorization, token: oauth_twin::Token, jwks: &[u8],
/// # ) -> oauth_twin::Result<()> {
/// use oauth_twin::{jose::JwkSet, oidc::IdTokenVerifier};
///
/// let asked = pending.authentication();      // before the pending login is consumed
/// // … the code is exchanged for `token`, and `jwks` fetched from the server's `jwks_uri`
/// let id_token = IdTokenVerifier::new(&server, &client)?
///     .verify(&token, &JwkSet::from_slice(jwks)?, &asked)?;
/// println!("{}", id_token.claims().subject());
/// # Ok(()) }
/// ```
///
/// [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
#[derive(Clone, Debug)]
pub struct IdTokenVerifier {
    pub(super) issuer: String,
    pub(super) client: ClientRegistration,
    offered: Vec<Algorithm>,
    pub(super) rules: IdTokenRules,
    pub(super) clock: Clock,
}

/// ID token as it was issued, with the values that it has hashes of.
#[derive(Clone, Copy)]
pub(crate) struct IssuedIdToken<'a> {
    pub(crate) id_token: &'a Secret,
    pub(crate) access_token: Option<&'a Secret>,
    pub(crate) code: Option<&'a Secret>,
    /// Whether it came by the browser of the end-user.
    pub(crate) front_channel: bool,
}

impl<'a> IssuedIdToken<'a> {
    /// An ID token that came by the browser, without anything else.
    pub(crate) fn alone(id_token: &'a Secret) -> Self {
        Self {
            id_token,
            access_token: None,
            code: None,
            front_channel: true,
        }
    }
}

impl IdTokenVerifier {
    /// Makes the verifier, with the default rules.
    ///
    /// # Errors
    ///
    /// If the issuer of the server is not known, or the client has no identifier.
    pub fn new(server: &AuthorizationServer, client: &ClientRegistration) -> Result<Self> {
        let Some(issuer) = server.issuer() else {
            return Err(Error::usage(
                "an ID token cannot be verified without the issuer of the server; discover it, or \
                 set issuer",
            ));
        };
        if client.client_id().is_empty() {
            return Err(Error::usage(
                "an ID token cannot be verified without the client_id",
            ));
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            client: client.clone(),
            offered: offered_algorithms(server.id_token_signing_alg_values_supported()),
            rules: IdTokenRules::new(),
            clock: Clock::system(),
        })
    }

    /// Sets the rules.
    #[must_use]
    pub fn rules(mut self, rules: IdTokenRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Verifies the ID token in the token response of a login.
    ///
    /// # Errors
    ///
    /// If there is none, it is encrypted, no key has signed it, or a claim is not what it has to be
    /// or not what was asked for.
    ///
    /// [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
    pub fn verify(
        &self,
        token: &Token,
        keys: &JwkSet,
        asked: &AuthenticationRequest,
    ) -> Result<IdToken> {
        let id_token = token.id_token().ok_or_else(missing)?;
        let issued = IssuedIdToken {
            id_token,
            access_token: Some(token.access_token()),
            code: None,
            front_channel: false,
        };
        let jws = self.parse(id_token)?;
        let claims = self.signed_claims(&jws, keys)?;
        self.check(&jws, claims, issued, asked)
    }

    /// Verifies the ID token in the response to a login that asked for nothing else.
    ///
    /// # Errors
    ///
    /// As for [`verify`](Self::verify); and if the login has expired.
    ///
    /// [OpenID Connect Core section 3.2.2.11](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitIDTValidation)
    pub fn verify_response(
        &self,
        response: &AuthenticationResponse,
        keys: &JwkSet,
    ) -> Result<IdToken> {
        self.check_expiry(response)?;
        let issued = IssuedIdToken::alone(&response.id_token);
        let jws = self.parse(&response.id_token)?;
        let claims = self.signed_claims(&jws, keys)?;
        self.check(&jws, claims, issued, &response.asked)
    }

    pub(crate) fn check_expiry(&self, response: &AuthenticationResponse) -> Result<()> {
        check_expiry(response.expires_at, self.clock.unix())
    }

    /// Parses an ID token that is signed by an algorithm which is allowed.
    pub(crate) fn parse<'a>(&self, id_token: &'a Secret) -> Result<Jws<'a>> {
        let encoded = id_token.expose_secret();
        if encoded.split('.').count() == 5 {
            return Err(Error::untrusted(
                "the ID token is encrypted, which is not supported; register the client without \
                 id_token_encrypted_response_alg",
            ));
        }
        let jws = Jws::parse(encoded)?;
        let is_jwt = |typ: &str| typ.eq_ignore_ascii_case("JWT");
        if !jws.header().typ().is_none_or(is_jwt) {
            return Err(Error::untrusted(
                "the typ of the ID token is not JWT: it is a token of another kind",
            ));
        }
        self.check_algorithm(jws.header().algorithm(), "the ID token")?;
        Ok(jws)
    }

    /// "The alg value SHOULD be the default of RS256 or the algorithm sent by the Client in the
    /// id_token_signed_response_alg parameter during Registration."
    pub(super) fn check_algorithm(&self, algorithm: Algorithm, what: &str) -> Result<()> {
        let allowed = self.rules.algorithms.as_ref().unwrap_or(&self.offered);
        match allowed.contains(&algorithm) {
            true => Ok(()),
            false => Err(Error::untrusted(format!(
                "{what} is signed by {algorithm}, which is not allowed; IdTokenRules::algorithms \
                 sets what was registered"
            ))),
        }
    }

    /// The claims, if one of the keys has signed them, or the secret of the client.
    pub(crate) fn signed_claims(&self, jws: &Jws<'_>, keys: &JwkSet) -> Result<Claims> {
        match self.claims_by_secret(jws)? {
            Some(claims) => Ok(claims),
            None => {
                let payload = jws.verify_with(keys, &[jws.header().algorithm()])?;
                self.claims_by_keys(jws, payload, keys)
            }
        }
    }

    /// Whether ID tokens are signed by the keys of the server, and not by the secret of the client
    /// alone.
    pub(crate) fn needs_keys(&self) -> bool {
        let allowed = self.rules.algorithms.as_ref().unwrap_or(&self.offered);
        !allowed.iter().all(|algorithm| algorithm.is_symmetric())
    }

    /// Whether the issuer stands for many tenants.
    pub(crate) fn is_for_tenants(&self) -> bool {
        is_template(&self.issuer)
    }

    /// The claims, if the secret of the client has signed them; none if a key of the server has to.
    pub(crate) fn claims_by_secret(&self, jws: &Jws<'_>) -> Result<Option<Claims>> {
        let algorithm = jws.header().algorithm();
        if !algorithm.is_symmetric() {
            return Ok(None);
        }
        let secret = self.client.client_secret().ok_or_else(|| {
            Error::usage(format!(
                "the ID token is signed by {algorithm}, for which the client needs a secret"
            ))
        })?;
        let key = VerifyingKey::hmac(algorithm, secret.expose_secret())?;
        Claims::from_slice(jws.verify(&key)?).map(Some)
    }

    /// The claims in a payload that one of the keys has signed.
    pub(crate) fn claims_by_keys(
        &self,
        jws: &Jws<'_>,
        payload: &[u8],
        keys: &JwkSet,
    ) -> Result<Claims> {
        let claims = Claims::from_slice(payload)?;
        if !is_template(&self.issuer) {
            return Ok(claims);
        }
        // A key of Entra ID names the issuer, or the template, that it signs for.
        let of_tenant = keys.keys().iter().filter(|key| {
            let issuer = key.get("issuer").and_then(|issuer| issuer.as_str());
            issuer.is_none_or(|issuer| may_sign(issuer, &claims))
        });
        let of_tenant = JwkSet::new(of_tenant.cloned());
        jws.verify_with(&of_tenant, &[jws.header().algorithm()])?;
        Ok(claims)
    }
}

/// The error of a login without an ID token.
pub(crate) fn missing() -> Error {
    Error::untrusted("the response has no ID token, although openid was asked for")
}

#[cfg(test)]
mod tests;
