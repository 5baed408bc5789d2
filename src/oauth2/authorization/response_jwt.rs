//! Authorization responses as signed JWTs.
//!
//! [JARM](https://openid.net/specs/oauth-v2-jarm.html)

use std::time::Duration;

use crate::{
    clock::Clock,
    error::{Error, Result},
    jose::{Algorithm, Claims, JwkSet, Jws},
    oauth2::{
        authorization::pending::{PendingAuthorization, REGISTERED},
        client::ClientRegistration,
        grant::authorization_code::AuthorizationCode,
        server::{AuthorizationServer, algorithms::offered_algorithms, tenants::is_in_callback},
    },
    secret::Secret,
    wire::callback::CallbackParameters,
};

/// Parameters of a response that must not stand beside a signed one.
const SIGNED_PARAMETERS: [&str; 8] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "access_token",
    "id_token",
];

/// Claims of a signed response that are not parameters. Its `iss` is one of both.
const CLAIMS: [&str; 5] = ["aud", "exp", "iat", "nbf", "jti"];

/// Rules for signed authorization responses that depend on the registration of the client.
///
/// ```
/// use oauth_twin::{jose::Algorithm, oauth2::SignedResponseRules};
///
/// let rules = SignedResponseRules::new().algorithms([Algorithm::PS256]);
/// ```
///
/// [JARM section 3](https://openid.net/specs/oauth-v2-jarm.html#section-3)
#[derive(Clone, Debug)]
#[doc(alias = "JARM")]
pub struct SignedResponseRules {
    algorithms: Option<Vec<Algorithm>>,
    leeway: Duration,
}

impl Default for SignedResponseRules {
    fn default() -> Self {
        Self {
            algorithms: None,
            leeway: Duration::from_secs(30),
        }
    }
}

impl SignedResponseRules {
    #[allow(dead_code, reason = "profiles of clients ask")]
    pub(crate) fn registered_algorithms(&self) -> Vec<Algorithm> {
        self.algorithms.clone().unwrap_or_default()
    }

    /// Takes over the algorithm of a registration, unless others are set.
    #[allow(dead_code, reason = "only the clients know their registration")]
    pub(crate) fn register(&mut self, algorithm: Option<Algorithm>) {
        let registered = || algorithm.map(|algorithm| vec![algorithm]);
        self.algorithms = self.algorithms.take().or_else(registered);
    }

    /// The algorithms that the server lists, and 30 seconds of leeway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the algorithms, as registered (`authorization_signed_response_alg`). Defaults to that
    /// of the client's registration; or to those of the server's metadata that have public keys,
    /// and to `RS256` if it lists none.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Sets the permitted difference of the clocks. Defaults to 30 seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }
}

/// Verifier of the signed authorization responses of one server to one client. The clients of this
/// crate verify them by themselves.
///
/// ```
/// # fn demo(
/// #     server: oauth_twin::oauth2::AuthorizationServer, client: oauth_twin::oauth2::ClientRegistration,
/// #     pending: oauth_twin::oauth2::PendingAuthorization, callback: &str, jwks: &[u8],
/// # ) -> oauth_twin::Result<()> {
/// use oauth_twin::{jose::JwkSet, oauth2::SignedResponseVerifier};
///
/// // … `jwks` was fetched from the server's `jwks_uri`
/// let verifier = SignedResponseVerifier::new(&server, &client)?;
/// let grant = verifier.verify(pending, callback, &JwkSet::from_slice(jwks)?)?;
/// # Ok(()) }
/// ```
///
/// [JARM section 2.4](https://openid.net/specs/oauth-v2-jarm.html#section-2.4)
#[derive(Clone, Debug)]
pub struct SignedResponseVerifier {
    issuer: String,
    client_id: String,
    offered: Vec<Algorithm>,
    rules: SignedResponseRules,
    clock: Clock,
}

impl SignedResponseVerifier {
    /// Makes the verifier, with the default rules.
    ///
    /// # Errors
    ///
    /// If the issuer of the server is not known, or the client has no identifier.
    pub fn new(server: &AuthorizationServer, client: &ClientRegistration) -> Result<Self> {
        let Some(issuer) = server.issuer() else {
            return Err(Error::usage(
                "a signed response cannot be verified without the issuer of the server; discover \
                 it, or set issuer",
            ));
        };
        if client.client_id().is_empty() {
            return Err(Error::usage(
                "a signed response cannot be verified without the client_id",
            ));
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client.client_id().to_owned(),
            offered: offered_algorithms(server.authorization_signing_alg_values_supported()),
            rules: SignedResponseRules::new(),
            clock: Clock::system(),
        })
    }

    /// Sets the rules.
    #[must_use]
    pub fn rules(mut self, rules: SignedResponseRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets the clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The grant in the callback, as by
    /// [`authorization_response`](PendingAuthorization::authorization_response), if one of the
    /// server's keys has signed it.
    ///
    /// # Errors
    ///
    /// If the login did not ask for a signed response or the callback has none, none of the keys has
    /// signed it, it is from another issuer, for another client, or has expired; and as for
    /// `authorization_response`.
    ///
    /// [JARM section 2.4](https://openid.net/specs/oauth-v2-jarm.html#section-2.4)
    pub fn verify(
        &self,
        pending: PendingAuthorization,
        callback: &str,
        keys: &JwkSet,
    ) -> Result<AuthorizationCode> {
        let response = signed_response(&pending, callback)?;
        let jws = self.parse(&response)?;
        let payload = jws.verify_with(keys, &[jws.header().algorithm()])?;
        let parameters = self.parameters(payload)?;
        pending.code_in(parameters)
    }

    /// Parses a response that is signed by an algorithm which is allowed.
    pub(crate) fn parse<'a>(&self, response: &'a Secret) -> Result<Jws<'a>> {
        let encoded = response.expose_secret();
        if encoded.split('.').count() == 5 {
            return Err(Error::untrusted(
                "the authorization response is encrypted, which is not supported; register the \
                 client without authorization_encrypted_response_alg",
            ));
        }
        let jws = Jws::parse(encoded)?;
        let algorithm = jws.header().algorithm();
        let allowed = self.rules.algorithms.as_ref().unwrap_or(&self.offered);
        match allowed.contains(&algorithm) && !algorithm.is_symmetric() {
            true => Ok(jws),
            false => Err(Error::untrusted(format!(
                "the authorization response is signed by {algorithm}, which is not allowed; \
                 SignedResponseRules::algorithms sets what was registered"
            ))),
        }
    }

    /// The parameters in a payload that a key of the server has signed.
    pub(crate) fn parameters(&self, payload: &[u8]) -> Result<CallbackParameters> {
        let claims = Claims::from_slice(payload)?;
        let refused = |problem| Err(Error::untrusted(problem));
        match claims.issuer() {
            Some(issuer) if issuer == self.issuer => {}
            Some(_) => return refused("the signed response is from another issuer (iss)"),
            None => return refused("the signed response does not say who has signed it (iss)"),
        }
        if !claims.audience().any(|one| one == self.client_id) {
            return match claims.get("aud") {
                Some(_) => refused("the signed response is for another client (aud)"),
                None => refused("the signed response does not say whom it is for (aud)"),
            };
        }
        match claims.seconds("exp") {
            Some(at) if self.clock.unix() >= at.saturating_add(self.rules.leeway) => {
                return refused("the signed response has expired (exp); begin another login");
            }
            None => return refused("the signed response has no expiry (exp)"),
            Some(_) => {}
        }
        let members = claims.into_object();
        let is_parameter = |(name, _): &(&str, _)| !CLAIMS.contains(name);
        let parameters = members.iter().filter(is_parameter);
        Ok(CallbackParameters::verified(parameters))
    }
}

/// The response in a callback, which is not verified.
pub(crate) fn signed_response(pending: &PendingAuthorization, callback: &str) -> Result<Secret> {
    if !pending.is_signed {
        return Err(Error::usage(
            "the login did not ask for a signed response; use authorization_response",
        ));
    }
    let mut parameters = pending.parameters(callback)?;
    let Some(response) = parameters.take("response")? else {
        let issuer = pending.issuer.as_deref();
        let is_own = |iss| issuer.is_none_or(|issuer| is_in_callback(issuer, iss));
        let may_be_own = match parameters.has("iss") {
            true => parameters.text("iss").is_some_and(is_own),
            false => !pending.iss_required,
        };
        let error = match may_be_own {
            true => parameters.unverified_error("error", &REGISTERED),
            // What another server says is not displayed.
            false => String::new(),
        };
        return Err(Error::callback(format!(
            "the callback has no signed response, which was asked for (`response`){error}"
        )));
    };
    let is_beside = |name: &&&str| parameters.has(name);
    if let Some(name) = SIGNED_PARAMETERS.iter().find(is_beside) {
        return Err(Error::callback(format!(
            "the callback has the parameter `{name}` beside a signed response"
        )));
    }
    // Before any key is fetched for it. It is checked again when it has been verified.
    match unverified_state(response.expose_secret()) {
        Some(state) if state != pending.state => Err(Error::callback(
            "the `state` of the callback does not match this login; the user may have opened an \
             old page",
        )),
        _ => Ok(response),
    }
}

/// Checks all of a callback that can be checked without the server: not the signature of a signed
/// response.
pub(crate) fn check_callback(pending: &PendingAuthorization, callback: &str) -> Result<()> {
    match pending.is_signed {
        true => signed_response(pending, callback).map(drop),
        false => pending.check(&mut pending.plain_parameters(callback)?),
    }
}

/// Refuses a signed response where none was asked for.
pub(super) fn refuse_signed(parameters: &CallbackParameters) -> Result<()> {
    match parameters.has("response") {
        false => Ok(()),
        true => Err(Error::callback(
            "the callback is a signed response (`response`), which was not asked for; \
             ResponseMode::Jwt asks for one",
        )),
    }
}

/// The `state` in a signed response that is not verified: a key among pending logins, and nothing
/// else.
pub(super) fn unverified_state(response: &str) -> Option<Secret> {
    let jws = Jws::parse(response).ok()?;
    let claims = Claims::from_slice(jws.unverified_payload()).ok()?;
    claims.get("state")?.as_str().map(Secret::from)
}

#[cfg(test)]
mod tests;
