//! JWT bearer grants.
//!
//! [RFC 7521 section 4.1](https://www.rfc-editor.org/rfc/rfc7521#section-4.1)

use std::borrow::Cow;

use crate::{
    error::{BoxError, Error},
    jose::SigningKey,
    oauth2::{
        assertion::jwt::{Assertion, AssertionKey, JwtAssertion, assertion_options, external},
        client::ClientRegistration,
        grant::{
            Grant,
            options::{GrantOptions, grant_options},
        },
        request::{Outstanding, TokenRequest},
        server::AuthorizationServer,
    },
    wire::form::Form,
};

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// JWT bearer grant: an assertion of an issuer about a subject, as service accounts use it.
///
/// The assertion is new for each request, including renewals. `AssertionClient` is a client for
/// this grant alone; use the grant with an `OAuth2Client` or any HTTP library.
///
/// ```
/// use oauth_twin::{
///     jose::{Algorithm, SigningKey},
///     oauth2::{AuthorizationServer, ClientRegistration, JwtBearer, TokenEndpoint},
/// };
///
/// # let pem = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
/// let key = SigningKey::from_pem(Algorithm::ES256, pem)?;
/// let grant = JwtBearer::new("robot@example.com", key).subject("alice@example.com");
/// let server = AuthorizationServer::default().with_token_endpoint("https://id.example.com/token");
/// let endpoint = TokenEndpoint::new(&server, &ClientRegistration::new("id"))?;
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
    options: GrantOptions,
}

impl JwtBearer {
    /// Makes the grant of `issuer` with a local key and its algorithm.
    pub fn new(issuer: impl Into<String>, key: SigningKey) -> Self {
        Self::with_assertion_key(issuer.into(), AssertionKey::Local(key))
    }

    /// Makes the grant of `issuer` with an external key in a KMS or an HSM, used through the
    /// client's `signer`.
    pub fn external(issuer: impl Into<String>) -> Self {
        Self::with_assertion_key(issuer.into(), AssertionKey::External)
    }

    fn with_assertion_key(issuer: String, key: AssertionKey) -> Self {
        Self {
            issuer,
            subject: None,
            key,
            grant_type: JWT_BEARER.to_owned(),
            scope_as_claim: false,
            assertion: JwtAssertion::default(),
            options: GrantOptions::default(),
        }
    }

    /// Sets the subject (`sub`) that the token is for. RFC 7523 requires it; Google omits it for an
    /// account that acts on its own behalf.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets a `grant_type` other than that of RFC 7523.
    #[must_use]
    pub fn with_grant_type(mut self, grant_type: impl Into<String>) -> Self {
        self.grant_type = grant_type.into();
        self
    }

    /// Sends the scope as the claim `scope`, as Google requires, instead of as a parameter.
    #[must_use]
    pub fn scope_as_claim(mut self, as_claim: bool) -> Self {
        self.scope_as_claim = as_claim;
        self
    }
}

assertion_options!(JwtBearer);
grant_options!(JwtBearer);

impl Grant for JwtBearer {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        self.check(request.registration(), request.server())?;
        request.set_unattended();
        request.extend(&self.options.parameters);
        let scope = self.options.scope.as_ref().or(request.scope());
        let scope = scope.filter(|scope| !scope.is_empty()).cloned();
        let mut assertion = Cow::Borrowed(&self.assertion);
        if self.scope_as_claim {
            request.push_resource();
            if let Some(scope) = scope {
                scope.validate()?;
                let assertion = assertion.to_mut();
                assertion.add_claim("scope".to_owned(), scope.as_str().into());
            }
        } else {
            request.push_scope_and_resource(scope.as_ref());
        }
        let subject = self.subject.as_deref();
        match assertion.make(&self.key, request.request, &self.issuer, subject)? {
            Assertion::Signed(token) => request.push("assertion", token),
            Assertion::Unsigned(input) => request.sign_externally("assertion", input),
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn check(
        &self,
        registration: &ClientRegistration,
        server: &AuthorizationServer,
    ) -> Result<(), BoxError> {
        if self.issuer.is_empty() {
            return Err(Error::usage("issuer is empty").into());
        }
        if matches!(self.key, AssertionKey::External) {
            external(registration)?;
        }
        if self.scope_as_claim && self.assertion.has_claim("scope") {
            return Err(Error::usage("the claim scope is set by scope").into());
        }
        Ok(self.assertion.check(server)?)
    }

    fn refresh_parameters(&self) -> Form {
        self.options.parameters.clone()
    }
}

/// Assertion grant with assertions from a callback, called for each one that is needed.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "only assertion clients have such a callback")]
pub(crate) struct CallersAssertion {
    pub(crate) grant_type: String,
    pub(crate) parameters: Form,
}

impl Grant for CallersAssertion {
    fn grant_type(&self) -> &str {
        &self.grant_type
    }

    fn add_parameters(&self, request: &mut TokenRequest<'_>) -> Result<(), BoxError> {
        request.extend(&self.parameters);
        request.push_scope_and_resource(None);
        request.complete_later(Outstanding::Assertion("assertion"));
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn refresh_parameters(&self) -> Form {
        self.parameters.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jose::{Algorithm, Claims, ExternalKey, Jws},
        oauth2::TokenEndpoint,
    };

    const PEM: &str = include_str!("../../../tests/vectors/p-256.pkcs8.pem");

    fn key() -> SigningKey {
        SigningKey::from_pem(Algorithm::ES256, PEM).expect("a key")
    }

    fn client() -> ClientRegistration {
        ClientRegistration::new("id").with_scope("all")
    }

    fn endpoint(client: &ClientRegistration) -> TokenEndpoint {
        let server = AuthorizationServer::default().with_token_endpoint("https://id.example/token");
        TokenEndpoint::new(&server, client).expect("a URL")
    }

    fn claims(token: &str) -> Claims {
        let jws = Jws::parse(token).expect("a token");
        let payload = jws.verify(&key().verifying_key()).expect("a signature");
        Claims::from_slice(payload).expect("claims")
    }

    #[test]
    fn for_any_http_library() {
        let grant = JwtBearer::new("robot", key())
            .subject("alice")
            .param("tenant", "t");
        let request = endpoint(&client()).request(&grant).expect("a request");
        let form = request.form();
        let value = |name: &str| form.value(name).map(crate::secret::Secret::expose_secret);
        assert_eq!(value("grant_type"), Some(JWT_BEARER));
        assert_eq!((value("tenant"), value("scope")), (Some("t"), Some("all")));
        let claims = claims(value("assertion").expect("an assertion"));
        assert_eq!(
            (claims.issuer(), claims.subject()),
            (Some("robot"), Some("alice"))
        );
        assert!(claims.audience().eq(["https://id.example/token"]));
        assert!(grant.replayable());
    }

    #[test]
    fn the_scope_stands_in_one_place() {
        let grant = JwtBearer::new("robot", key()).scope_as_claim(true);
        for (grant, scope) in [(grant.clone(), "all"), (grant.scope("a b"), "a b")] {
            let request = endpoint(&client()).request(&grant).expect("a request");
            assert_eq!(request.form().value("scope"), None);
            let token = request.form().value("assertion").expect("an assertion");
            assert_eq!(
                claims(token.expose_secret()).get("scope"),
                Some(&scope.into())
            );
        }
    }

    #[test]
    fn a_key_that_is_elsewhere_signs_what_it_is_handed() {
        let grant = JwtBearer::external("robot");
        let error = endpoint(&client()).request(&grant).expect_err("no key");
        assert!(error.to_string().contains("there is no signer"), "{error}");
        let client = client().with_external_key(ExternalKey::new(Algorithm::ES256));
        let endpoint = endpoint(&client).auth_method(crate::oauth2::PublicClient);
        let mut request = endpoint.request(&grant).expect("a request");
        assert_eq!(request.form().value("assertion"), None);
        let input = request.unsigned().expect("an input").as_bytes().to_vec();
        assert!(request.sign(&[7; 63]).is_err(), "it is no signature");
        assert!(request.unsigned().is_some(), "and so is still missing");
        request
            .sign(&key().sign(&input).expect("a signature"))
            .expect("a signature");
        assert!(request.unsigned().is_none());
        let token = request.form().value("assertion").expect("an assertion");
        assert_eq!(claims(token.expose_secret()).issuer(), Some("robot"));
        assert!(
            request.sign(&[7; 64]).is_ok(),
            "nothing is left to be signed"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (grant, word) in [
            (JwtBearer::new("", key()), "issuer is empty"),
            (
                JwtBearer::new("robot", key()).claim("iat", 7),
                "the claim iat",
            ),
            (
                JwtBearer::new("robot", key()).header("crit", "x"),
                "the member crit",
            ),
            (JwtBearer::new("robot", key()).scope("\""), "scope"),
            (
                JwtBearer::new("robot", key())
                    .scope("\"")
                    .scope_as_claim(true),
                "scope",
            ),
        ] {
            let error = endpoint(&client())
                .request(&grant)
                .expect_err(word)
                .to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
