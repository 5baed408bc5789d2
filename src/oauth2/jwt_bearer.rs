//! Assertions as grants: JWT and SAML 2.0.
//!
//! [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)

use super::{
    Form, Grant, TokenRequest,
    grant::{Asked, asking},
    jwt_assertion::{Assertion, AssertionKey, JwtAssertion, asserting, external},
};
use crate::{
    error::{BoxError, Error, Result},
    jose::SigningKey,
};

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token by which its issuer vouches for a subject, as service accounts do.
///
/// It is made anew for each request, renewals among them. `AssertionClient` is a client that
/// consists of it; this is for an `OAuth2Client`, or for any HTTP library.
///
/// ```
/// use oauth_twin::{jose::{Algorithm, SigningKey}, oauth2::{JwtBearer, TokenEndpoint}};
///
/// # let pem = include_str!("../../tests/vectors/p-256.pkcs8.pem");
/// let key = SigningKey::from_pem(Algorithm::ES256, pem)?;
/// let grant = JwtBearer::new("robot@example.com", key).subject("alice@example.com");
/// let endpoint = TokenEndpoint::new("https://id.example.com/token", "id")?;
/// let request = endpoint.request(&grant)?;
/// assert!(request.form().value("assertion").is_some());
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// [RFC 7523 section 2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1)
#[derive(Clone, Debug)]
pub struct JwtBearer {
    issuer: String,
    subject: Option<String>,
    key: AssertionKey,
    grant_type: String,
    scope_as_claim: bool,
    assertion: JwtAssertion,
    asked: Asked,
}

impl JwtBearer {
    /// Vouches as `issuer`, with `key` and by its algorithm.
    pub fn new(issuer: impl Into<String>, key: SigningKey) -> Self {
        Self::by(issuer.into(), AssertionKey::Here(key))
    }

    /// Lets the key be elsewhere, in a KMS or an HSM: the client's `signer` signs.
    pub fn external(issuer: impl Into<String>) -> Self {
        Self::by(issuer.into(), AssertionKey::Elsewhere)
    }

    fn by(issuer: String, key: AssertionKey) -> Self {
        Self {
            issuer,
            subject: None,
            key,
            grant_type: JWT_BEARER.to_owned(),
            scope_as_claim: false,
            assertion: JwtAssertion::default(),
            asked: Asked::default(),
        }
    }

    /// Whom the token is to be for (`sub`). RFC 7523 requires it; Google leaves it out where an
    /// account acts for itself.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sends another `grant_type` than that of RFC 7523.
    #[must_use]
    pub fn with_grant_type(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = grant_type.into();
        self
    }

    /// Puts the scope into the claim `scope`, as Google wants it, and not into a parameter.
    #[must_use]
    pub fn scope_as_claim(mut self, as_claim: bool) -> Self {
        self.scope_as_claim = as_claim;
        self
    }

    /// Whether the settings are good.
    pub(crate) fn check(&self, registration: &super::ClientRegistration) -> Result<()> {
        if self.issuer.is_empty() {
            return Err(Error::usage("issuer is empty"));
        }
        if matches!(self.key, AssertionKey::Elsewhere) {
            external(registration)?;
        }
        if self.scope_as_claim && self.assertion.claims.contains_key("scope") {
            return Err(Error::usage("the claim scope is set by scope"));
        }
        self.assertion.check(registration)
    }
}

asserting!(JwtBearer);
asking!(JwtBearer);

impl Grant for JwtBearer {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        self.check(request.registration())?;
        request.extend(&self.asked.parameters);
        let scope = self.asked.scope.as_ref().or(request.scope());
        let scope = scope.filter(|scope| !scope.is_empty()).cloned();
        let mut assertion = self.assertion.clone();
        if self.scope_as_claim {
            request.ask_for_resource();
            if let Some(scope) = scope {
                scope.validate()?;
                let claims = &mut assertion.claims;
                claims.insert("scope".to_owned(), scope.as_str().into());
            }
        } else {
            request.ask_for(scope.as_ref());
        }
        let endpoint = request.token_endpoint();
        let subject = self.subject.as_deref();
        let registration = request.registration();
        match assertion.make(&self.key, registration, endpoint, &self.issuer, subject)? {
            Assertion::Signed(token) => request.push("assertion", token),
            Assertion::Unsigned(input) => request.sign_elsewhere("assertion", input),
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.asked.parameters.clone()
    }
}

/// An assertion that the client asks its caller for each time it needs one.
#[cfg(any(feature = "async", feature = "blocking"))]
#[derive(Clone, Debug)]
pub(crate) struct CallersAssertion {
    pub(crate) grant_type: String,
    pub(crate) parameters: Form,
}

#[cfg(any(feature = "async", feature = "blocking"))]
impl Grant for CallersAssertion {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.extend(&self.parameters);
        request.ask_for(None);
        request.assert_later("assertion");
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.parameters.clone()
    }
}
