//! Client authentication by a signed token.
//!
//! [RFC 7523 section 2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)

use crate::{
    error::{BoxError, Error, Result},
    jose::{Algorithm, SigningKey},
    oauth2::{
        assertion::jwt::{Assertion, AssertionKey, JwtAssertion, asserting, external},
        client::ClientRegistration,
        client_auth::{
            ClientAuth,
            identity::{identified, identify},
            secret::required,
        },
        request::EndpointRequest,
        server::AuthorizationServer,
    },
    secret::Secret,
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `client_secret_jwt`: a token that is signed with the client's secret, which itself is not sent.
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
    /// Signs by HS256.
    pub fn new() -> Self {
        Self {
            algorithm: Algorithm::HS256,
            allow_short: false,
            assertion: JwtAssertion::default(),
        }
    }

    /// Signs by HS384 or HS512 instead.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Takes a secret that is shorter than the hash, too: 32, 48 or 64 bytes.
    ///
    /// # Security
    ///
    /// Whoever sees an assertion can try out short secrets at leisure.
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

asserting!(ClientSecretJwt);

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
        identified(registration)?;
        self.key(registration)?;
        Ok(self.assertion.check(server)?)
    }
}

/// `private_key_jwt`: a token that is signed with the client's private key, whose public half the
/// server knows.
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
    /// Signs with `key`, by its algorithm.
    pub fn new(key: SigningKey) -> Self {
        Self {
            key: AssertionKey::Local(key),
            assertion: JwtAssertion::default(),
        }
    }

    /// Lets the key be elsewhere, in a KMS or an HSM: the client's `signer` signs.
    pub fn external() -> Self {
        Self {
            key: AssertionKey::External,
            assertion: JwtAssertion::default(),
        }
    }
}

asserting!(PrivateKeyJwt);

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
        identified(registration)?;
        let algorithm = match &self.key {
            AssertionKey::Local(key) => key.algorithm(),
            AssertionKey::External => external(registration)?.algorithm(),
        };
        if algorithm.is_symmetric() {
            return Err(Error::usage(
                "private_key_jwt needs a private key, and this one is a shared secret; \
                 ClientSecretJwt signs with the client's secret",
            )
            .into());
        }
        Ok(self.assertion.check(server)?)
    }
}

/// Adds a new assertion to `request`.
fn assert(
    assertion: &JwtAssertion,
    key: &AssertionKey,
    request: &mut EndpointRequest,
) -> Result<(), BoxError> {
    // "The subject MUST be the "client_id" of the OAuth client", and OpenID Connect says the same of
    // the issuer.
    let id = request.client_id();
    let signed = assertion.make(key, request, id, Some(id))?;
    request.advise(match assertion.is_for_issuer(request.server()) {
        true => {
            "the client assertion was for the issuer; some servers want Audience::TokenEndpoint"
        }
        false => {
            "the client assertion was not for the issuer; most servers want that (set issuer, or \
             Audience::Issuer)"
        }
    });
    // The assertion names the client already; Microsoft wants the parameter all the same.
    identify(request);
    request
        .form_mut()
        .set("client_assertion_type", Secret::known(ASSERTION_TYPE));
    match signed {
        Assertion::Signed(token) => request.form_mut().set("client_assertion", token),
        Assertion::Unsigned(input) => request.sign_externally("client_assertion", input),
    }
    Ok(())
}
