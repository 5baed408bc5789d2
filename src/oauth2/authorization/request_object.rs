//! Request objects: authorization requests as signed JWTs.
//!
//! [RFC 9101](https://www.rfc-editor.org/rfc/rfc9101)

use std::{sync::OnceLock, time::Duration};

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    jose::{Algorithm, Claims, ExternalKey, SigningInput, SigningKey},
    oauth2::{
        authorization::pkce::random_text,
        client::ClientRegistration,
        server::{AuthorizationServer, tenants::one_issuer},
    },
    secret::Secret,
    wire::form::Form,
};

/// Media type of a request object.
const TYP: &str = "oauth-authz-req+jwt";

/// "The lifetime of the request object" by FAPI 2.0 Message Signing section 5.3.2.
const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Parameters that are JSON in a request object if they are JSON as text.
const JSON_PARAMETERS: [&str; 2] = ["claims", "authorization_details"];

/// Names that are claims of the request object itself, or must not be in it.
const NOT_PARAMETERS: [&str; 9] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "request",
    "request_uri",
];

/// Settings of request objects: the key that signs the authorization requests of a client, and what
/// they claim beside the parameters of the request.
///
/// ```
/// use oauth_twin::{
///     jose::{Algorithm, SigningKey},
///     oauth2::{
///         AuthorizationEndpoint, AuthorizationRequest, AuthorizationServer, ClientRegistration,
///         RequestObject,
///     },
/// };
///
/// # let pem = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
/// let key = SigningKey::from_pem(Algorithm::ES256, pem)?.with_key_id("2026-11");
/// let server = AuthorizationServer::new("https://id.example.com")
///     .with_authorization_endpoint("https://id.example.com/authorize");
/// let endpoint = AuthorizationEndpoint::new(&server, &ClientRegistration::new("id"))?
///     .request_object(RequestObject::new(key));
/// let url = endpoint.request(AuthorizationRequest::new().scope("payments"))?.url;
/// assert!(url.as_str().starts_with("https://id.example.com/authorize?client_id=id&request=eyJ"));
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 9101 section 4](https://www.rfc-editor.org/rfc/rfc9101#section-4)
#[derive(Clone, Debug)]
#[doc(alias = "JAR")]
pub struct RequestObject {
    key: RequestObjectKey,
    audience: Option<String>,
    lifetime: Duration,
}

#[derive(Clone, Debug)]
enum RequestObjectKey {
    Local(SigningKey),
    /// The external key of the registration.
    External,
}

impl RequestObject {
    /// Signs with a local key, whose public key is registered at the server.
    pub fn new(key: SigningKey) -> Self {
        Self::with(RequestObjectKey::Local(key))
    }

    /// Signs with an external key in a KMS or an HSM, used through the client's `signer`.
    pub fn external() -> Self {
        Self::with(RequestObjectKey::External)
    }

    fn with(key: RequestObjectKey) -> Self {
        Self {
            key,
            audience: None,
            lifetime: Duration::from_secs(300),
        }
    }

    /// Sets the audience (`aud`), for a server that wants another than its issuer identifier. That
    /// of client assertions stays as it is.
    ///
    /// [RFC 9101 section 4](https://www.rfc-editor.org/rfc/rfc9101#section-4)
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the lifetime (`exp`), in whole seconds: at least a second, at most an hour. Defaults to
    /// five minutes.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The algorithm, if the key is known.
    pub(crate) fn algorithm(&self, client: &ClientRegistration) -> Option<Algorithm> {
        match &self.key {
            RequestObjectKey::Local(key) => Some(key.algorithm()),
            RequestObjectKey::External => client.external_key().map(ExternalKey::algorithm),
        }
    }

    /// Whether another audience than the issuer was set.
    #[allow(dead_code, reason = "profiles of clients ask")]
    pub(crate) fn has_audience(&self) -> bool {
        self.audience.is_some()
    }

    /// Checks that the settings are valid for this client and server.
    pub(crate) fn check(
        &self,
        client: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<()> {
        if self.lifetime < Duration::from_secs(1) || self.lifetime > MAX_LIFETIME {
            return Err(Error::usage(
                "the lifetime of a request object must be at least a second and at most an hour",
            ));
        }
        if client.client_id().is_empty() {
            return Err(Error::usage("a request object needs a client_id"));
        }
        self.audience_at(server)?;
        let Some(algorithm) = self.algorithm(client) else {
            return Err(Error::usage(
                "the key of the request object is external and there is no signer; set signer",
            ));
        };
        let list = "request_object_signing_alg_values_supported";
        let listed = server.request_object_signing_alg_values_supported();
        let listed = listed.unwrap_or_default();
        let is_listed = |name: &&str| name.parse::<Algorithm>().is_ok_and(|it| it == algorithm);
        // A server that lists only what must not be used offers nothing.
        match listed.is_empty() || listed.iter().any(is_listed) {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the request object is signed by {algorithm}, which the server does not offer \
                 ({list}: {})",
                listed.join(", ")
            ))),
        }
    }

    fn audience_at<'a>(&'a self, server: &'a AuthorizationServer) -> Result<&'a str> {
        let audience = self.audience.as_deref().or(one_issuer(server.issuer()));
        audience.ok_or_else(|| {
            Error::usage(
                "a request object is for the issuer of the server, which is not known, or has a \
                 placeholder for tenants; set issuer, or RequestObject::audience",
            )
        })
    }

    /// Makes the request object of a request with the parameters `form`, which is still to be
    /// signed. `now` is the time at the server.
    ///
    /// There is no `sub`: "the resulting JWT could be used as a client authentication JWT".
    pub(super) fn make(
        &self,
        form: &Form,
        client: &ClientRegistration,
        server: &AuthorizationServer,
        now: Duration,
    ) -> Result<UnsignedObject> {
        self.check(client, server)?;
        let seconds = now.as_secs();
        let mut claims = Claims::new()
            .with_issuer(client.client_id())
            .with_audience(self.audience_at(server)?)
            .with_id(random_text()?.expose_secret())
            .with("iat", seconds)
            .with("nbf", seconds)
            .with("exp", seconds.saturating_add(self.lifetime.as_secs()));
        for (name, value) in parameters(form) {
            if NOT_PARAMETERS.contains(&&*name) {
                return Err(Error::usage(format!(
                    "the parameter {name} must not be in a request object; remove it"
                )));
            }
            claims = claims.with(name, value);
        }
        let (key, header) = match &self.key {
            RequestObjectKey::Local(key) => (ObjectKey::Local(key.clone()), key.header()),
            RequestObjectKey::External => {
                let Some(key) = client.external_key() else {
                    return Err(Error::usage("there is no signer; set signer"));
                };
                (ObjectKey::External(key.clone()), key.header())
            }
        };
        let header = header.with_typ(TYP);
        let input = header.signing_input(claims.to_json().as_bytes())?;
        Ok(UnsignedObject { input, key })
    }

    /// The same as part of a prepared request. `now` is the time of the client, by which the
    /// request expires, and `at_server` that of the server.
    pub(super) fn prepare(
        &self,
        form: &Form,
        client: &ClientRegistration,
        server: &AuthorizationServer,
        [now, at_server]: [Duration; 2],
    ) -> Result<PreparedObject> {
        Ok(PreparedObject {
            settings: self.clone(),
            object: self.make(form, client, server, at_server)?,
            token: OnceLock::new(),
            expires_at: now.as_secs().saturating_add(self.lifetime.as_secs()),
        })
    }
}

impl From<SigningKey> for RequestObject {
    fn from(key: SigningKey) -> Self {
        Self::new(key)
    }
}

/// Request object that is to be signed.
#[derive(Clone, Debug)]
pub(super) struct UnsignedObject {
    pub(super) input: SigningInput,
    pub(super) key: ObjectKey,
}

/// Key of a request object.
#[derive(Clone, Debug)]
pub(super) enum ObjectKey {
    Local(SigningKey),
    External(ExternalKey),
}

/// Request object of a prepared request.
#[derive(Clone, Debug)]
pub(super) struct PreparedObject {
    /// By which others are made: each request that is pushed has its own.
    pub(super) settings: RequestObject,
    object: UnsignedObject,
    /// Once it is signed.
    token: OnceLock<Secret>,
    /// Seconds since 1970, by the clock of the client.
    pub(super) expires_at: u64,
}

impl PreparedObject {
    /// The signed object. A local key signs it when it is needed.
    pub(super) fn token(&self) -> Result<&Secret> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        match &self.object.key {
            ObjectKey::Local(key) => {
                let token = self.object.input.sign(key)?;
                Ok(self.token.get_or_init(|| token))
            }
            ObjectKey::External(_) => Err(Error::usage(
                "the request object has to be signed by the external key first; use \
                 begin_authorization of the client, or sign",
            )),
        }
    }

    /// The input that an external key still has to sign.
    pub(super) fn unsigned(&self) -> Option<&SigningInput> {
        let is_unsigned = self.token.get().is_none();
        match &self.object.key {
            ObjectKey::External(_) if is_unsigned => Some(&self.object.input),
            _ => None,
        }
    }

    /// Adds the signature of an external key.
    pub(super) fn sign(&mut self, signature: &[u8]) -> Result<()> {
        if let ObjectKey::External(key) = &self.object.key
            && self.token.get().is_none()
        {
            let signature = key.signature(signature)?;
            self.token = OnceLock::from(self.object.input.with_signature(&signature));
        }
        Ok(())
    }

    /// The object that the calling code has had signed by an external key.
    pub(super) fn signed_externally(&self) -> Option<&Secret> {
        match self.object.key {
            ObjectKey::External(_) => self.token.get(),
            ObjectKey::Local(_) => None,
        }
    }
}

/// The parameters as members of a JSON object. A name that occurs more than once is a list.
///
/// "Parameter names and string values MUST be included as JSON strings. [...] Numerical values MUST
/// be included as JSON numbers."
fn parameters(form: &Form) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in form.iter() {
        let text = value.expose_secret();
        let value = match name {
            "max_age" => text
                .parse::<u64>()
                .map_or_else(|_| text.into(), Value::from),
            name if JSON_PARAMETERS.contains(&name) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            _ => Value::from(text),
        };
        match members.get_mut(name) {
            None => drop(members.insert(name.to_owned(), value)),
            Some(Value::Array(values)) if !JSON_PARAMETERS.contains(&name) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    members
}

#[cfg(test)]
mod tests;
