//! Introspection responses as signed JWTs.
//!
//! [RFC 9701](https://www.rfc-editor.org/rfc/rfc9701)

use std::time::Duration;

use http::header;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    jose::{Algorithm, Claims, JwkSet, Jws},
    oauth2::{
        endpoint::introspection::{Introspection, IntrospectionEndpoint},
        request::EndpointRequest,
        response::EndpointResponse,
        server::{AuthorizationServer, algorithms::offered_algorithms},
    },
    secret::Secret,
};

/// Media type of a signed response.
pub(super) const SIGNED: &str = "application/token-introspection+jwt";

/// Type in the header of a signed response: its media type without `application/`.
const TYP: &str = "token-introspection+jwt";

/// Permitted difference of the clocks.
const LEEWAY: Duration = Duration::from_secs(60);

/// Rules for introspection responses that depend on the registration of the client.
///
/// ```
/// use oauth_twin::{jose::Algorithm, oauth2::IntrospectionRules};
///
/// let rules = IntrospectionRules::new().signed([Algorithm::RS256]);
/// ```
///
/// [RFC 9701 section 6](https://www.rfc-editor.org/rfc/rfc9701#section-6)
#[derive(Clone, Debug, Default)]
pub struct IntrospectionRules {
    signed: Option<Vec<Algorithm>>,
}

impl IntrospectionRules {
    /// A response that is JSON, or signed if the server prefers that.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a response that is signed by one of these algorithms, as registered
    /// (`introspection_signed_response_alg`). A plain one is refused. Defaults to the algorithm of
    /// the client's registration, if that has one.
    #[must_use]
    pub fn signed(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.signed = Some(algorithms.into_iter().collect());
        self
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signed.is_some()
    }

    /// Takes over the algorithm of a registration, unless others are set.
    #[allow(dead_code, reason = "only the clients know their registration")]
    pub(crate) fn register(&mut self, algorithm: Option<Algorithm>) {
        let registered = || algorithm.map(|algorithm| vec![algorithm]);
        self.signed = self.signed.take().or_else(registered);
    }

    #[allow(dead_code, reason = "profiles of clients ask")]
    pub(crate) fn registered_algorithms(&self) -> Vec<Algorithm> {
        self.signed.clone().unwrap_or_default()
    }
}

/// Introspection response before it is verified.
#[derive(Debug)]
pub(crate) enum IntrospectionResponse {
    Plain(Introspection),
    Signed(Secret),
}

impl IntrospectionEndpoint {
    /// Reads a response that is signed by one of the server's `keys`, or a plain one unless a signed
    /// one was registered.
    ///
    /// # Errors
    ///
    /// Those of [`read_response`](Self::read_response); and if none of the keys has signed the
    /// response, or it is a token of another kind, from another server, or for another client.
    ///
    /// [RFC 9701 section 5](https://www.rfc-editor.org/rfc/rfc9701#section-5)
    pub fn read_signed_response(
        &self,
        request: &EndpointRequest,
        response: &EndpointResponse,
        keys: &JwkSet,
    ) -> Result<Introspection> {
        match self.read(request, response)? {
            IntrospectionResponse::Plain(introspection) => Ok(introspection),
            IntrospectionResponse::Signed(jwt) => {
                let jws = self.parse(request.server(), &jwt)?;
                let payload = jws.verify_with(keys, &[jws.header().algorithm()])?;
                self.introspection(request.server(), request.client_id(), payload)
            }
        }
    }

    /// Parses a response that is signed by an algorithm which is allowed.
    pub(crate) fn parse<'a>(
        &self,
        server: &AuthorizationServer,
        jwt: &'a Secret,
    ) -> Result<Jws<'a>> {
        if jwt.expose_secret().split('.').count() == 5 {
            return Err(Error::untrusted(
                "the introspection response is encrypted, which is not supported; register the \
                 client without introspection_encrypted_response_alg",
            ));
        }
        let jws = Jws::parse(jwt.expose_secret())?;
        // "prevent introspection responses from being used as access tokens"
        let typ = jws.header().typ().unwrap_or_default();
        let typ = typ.strip_prefix("application/").unwrap_or(typ);
        if !typ.eq_ignore_ascii_case(TYP) {
            return Err(Error::untrusted(
                "the typ of the introspection response is not token-introspection+jwt: it is a \
                 token of another kind",
            ));
        }
        let algorithm = jws.header().algorithm();
        let offered = || offered_algorithms(server.introspection_signing_alg_values_supported());
        let is_allowed = match &self.1.signed {
            Some(registered) => registered.contains(&algorithm),
            None => offered().contains(&algorithm),
        };
        match is_allowed && !algorithm.is_symmetric() {
            true => Ok(jws),
            false => Err(Error::untrusted(format!(
                "the introspection response is signed by {algorithm}, which is not allowed; \
                 IntrospectionRules::signed sets what was registered"
            ))),
        }
    }

    /// The introspection in a payload that a key of the server has signed.
    ///
    /// "iss: MUST be set to the issuer URL of the authorization server. aud: MUST identify the
    /// resource server receiving the token introspection response. iat: MUST be set to the time when
    /// the introspection response was created".
    pub(crate) fn introspection(
        &self,
        server: &AuthorizationServer,
        client_id: &str,
        payload: &[u8],
    ) -> Result<Introspection> {
        let claims = Claims::from_slice(payload)?;
        let refused = |problem| Err(Error::untrusted(problem));
        let Some(issuer) = server.issuer() else {
            return Err(Error::usage(
                "a signed introspection response cannot be verified without the issuer of the \
                 server; discover it, or set issuer",
            ));
        };
        if claims.issuer() != Some(issuer) {
            return refused("the introspection response is from another issuer (iss)");
        }
        if !claims.audience().any(|one| one == client_id) {
            return refused("the introspection response is for another client (aud)");
        }
        let latest = self.0.clock.unix().saturating_add(LEEWAY);
        match claims.seconds("iat") {
            Some(issued_at) if issued_at <= latest => {}
            Some(_) => return refused("the introspection response is from the future (iat)"),
            None => return refused("the introspection response has no time of issue (iat)"),
        }
        let Some(Value::Object(members)) = claims.get("token_introspection") else {
            return refused("the introspection response has no token_introspection");
        };
        Introspection::from_members(members.clone()).map_err(Error::untrusted)
    }
}

/// Whether the response is a signed one, by its media type, in any case and with any parameters.
pub(super) fn is_signed(response: &EndpointResponse) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(SIGNED)
}

#[cfg(test)]
mod tests;
