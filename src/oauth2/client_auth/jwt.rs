//! Client authentication by JWT assertion.
//!
//! [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)

use crate::{
    error::{BoxError, Error, Result},
    jose::{Algorithm, SigningKey},
    oauth2::{
        assertion::{
            audience::Audience,
            jwt::{Assertion, AssertionKey, JwtAssertion, assertion_options, external},
        },
        client::ClientRegistration,
        client_auth::{
            ClientAuth,
            identity::{add_client_id, require_client_id},
            secret::required,
        },
        request::EndpointRequest,
        server::AuthorizationServer,
    },
    secret::Secret,
};

pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `client_secret_jwt`: an assertion that is signed with the client's secret, which itself is not
/// sent.
///
/// The token is new for each request, at every endpoint.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{OAuth2Client, oauth2::{ClientCredentials, ClientSecretJwt}};
///
/// let client = OAuth2Client::builder("client-id")
///     .client_secret("a secret of at least thirty-two bytes")
///     .issuer("https://id.example.com")
///     .token_endpoint("https://id.example.com/token")
///     .token_endpoint_auth_method(ClientSecretJwt::new())
///     .grant(ClientCredentials::new())
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [OpenID Connect Core section 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication),
/// [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)
#[derive(Clone, Debug)]
pub struct ClientSecretJwt {
    algorithm: Algorithm,
    allow_short: bool,
    assertion: JwtAssertion,
}

impl ClientSecretJwt {
    /// Makes the method with HS256.
    pub fn new() -> Self {
        Self {
            algorithm: Algorithm::HS256,
            allow_short: false,
            assertion: JwtAssertion::default(),
        }
    }

    /// Sets the algorithm: HS384 or HS512 instead of HS256.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Permits a secret that is shorter than the hash of 32, 48 or 64 bytes.
    ///
    /// # Security
    ///
    /// Anyone who sees an assertion can find a short secret by offline brute force.
    #[must_use]
    pub fn dangerous_allow_short_secret(mut self) -> Self {
        self.allow_short = true;
        self
    }

    fn key(&self, registration: &ClientRegistration) -> Result<SigningKey> {
        let secret = required(registration.client_secret(), "client_secret_jwt")?;
        match self.allow_short {
            true => SigningKey::short_hmac(self.algorithm, secret.as_bytes()),
            false => SigningKey::hmac(self.algorithm, secret),
        }
    }
}

assertion_options!(ClientSecretJwt);

impl Default for ClientSecretJwt {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientAuth for ClientSecretJwt {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        self.assertion.check(request.server())?;
        let key = AssertionKey::Local(self.key(request.registration())?);
        assert(&self.assertion, &key, request)
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        require_client_id(registration)?;
        self.key(registration)?;
        Ok(self.assertion.check(server)?)
    }

    fn method(&self) -> Option<&str> {
        Some("client_secret_jwt")
    }

    fn audience(&self) -> Option<&Audience> {
        self.assertion.audience.as_ref()
    }

    fn signing_algorithm(&self, _registration: &ClientRegistration) -> Option<Algorithm> {
        Some(self.algorithm)
    }
}

/// `private_key_jwt`: an assertion that is signed with the client's private key, whose public key
/// is registered at the server.
///
/// The token is new for each request, at every endpoint. The client needs no secret.
///
/// ```
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{
///     OAuth2Client,
///     jose::{Algorithm, SigningKey},
///     oauth2::{ClientCredentials, PrivateKeyJwt},
/// };
///
/// # let pem = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
/// let key = SigningKey::from_pem(Algorithm::ES256, pem)?.with_key_id("2026-11");
/// let client = OAuth2Client::builder("client-id")
///     .issuer("https://id.example.com")
///     .token_endpoint("https://id.example.com/token")
///     .token_endpoint_auth_method(PrivateKeyJwt::new(key))
///     .grant(ClientCredentials::new())
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [OpenID Connect Core section 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication),
/// [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)
#[derive(Clone, Debug)]
pub struct PrivateKeyJwt {
    key: AssertionKey,
    assertion: JwtAssertion,
}

impl PrivateKeyJwt {
    /// Makes the method with a local key and its algorithm.
    pub fn new(key: SigningKey) -> Self {
        Self {
            key: AssertionKey::Local(key),
            assertion: JwtAssertion::default(),
        }
    }

    /// Makes the method with an external key in a KMS or an HSM, used through the client's
    /// `signer`.
    pub fn external() -> Self {
        Self {
            key: AssertionKey::External,
            assertion: JwtAssertion::default(),
        }
    }
}

assertion_options!(PrivateKeyJwt);

impl ClientAuth for PrivateKeyJwt {
    fn authenticate(&self, request: &mut EndpointRequest) -> Result<(), BoxError> {
        self.check(request.registration(), request.server())?;
        assert(&self.assertion, &self.key, request)
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        require_client_id(registration)?;
        let algorithm = match &self.key {
            AssertionKey::Local(key) => key.algorithm(),
            AssertionKey::External => external(registration)?.algorithm(),
        };
        if algorithm.is_symmetric() {
            return Err(Error::usage(
                "private_key_jwt needs a private key, but this one is a shared secret; use \
                 ClientSecretJwt",
            )
            .into());
        }
        Ok(self.assertion.check(server)?)
    }

    fn method(&self) -> Option<&str> {
        Some("private_key_jwt")
    }

    fn audience(&self) -> Option<&Audience> {
        self.assertion.audience.as_ref()
    }

    fn signing_algorithm(&self, registration: &ClientRegistration) -> Option<Algorithm> {
        match &self.key {
            AssertionKey::Local(key) => Some(key.algorithm()),
            AssertionKey::External => Some(registration.external_key()?.algorithm()),
        }
    }
}

/// Adds a new assertion to `request`.
fn assert(
    assertion: &JwtAssertion,
    key: &AssertionKey,
    request: &mut EndpointRequest,
) -> Result<(), BoxError> {
    // "The subject MUST be the "client_id" of the OAuth client", and OpenID Connect requires the
    // same of the issuer.
    let id = request.client_id();
    let signed = assertion.make(key, request, id, Some(id))?;
    request.advise(match assertion.is_for_issuer(request.server()) {
        true => {
            "the audience of the client assertion was the issuer; some servers require \
             Audience::TokenEndpoint"
        }
        false => {
            "the audience of the client assertion was not the issuer, which most servers require; \
             set issuer or Audience::Issuer"
        }
    });
    // The assertion already identifies the client, but Microsoft requires the parameter.
    add_client_id(request);
    request
        .form_mut()
        .set("client_assertion_type", Secret::known(ASSERTION_TYPE));
    match signed {
        Assertion::Signed(token) => request.form_mut().set("client_assertion", token),
        Assertion::Unsigned(input) => request.sign_externally("client_assertion", input),
    }
    Ok(())
}
