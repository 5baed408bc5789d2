//! Proof Key for Code Exchange.
//!
//! [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::{
    error::{Error, Result},
    oauth2::server::AuthorizationServer,
    random,
    secret::Secret,
};

/// PKCE method, which binds a code to the client that requested it.
///
/// ```
/// use oauth_twin::oauth2::{AuthorizationRequest, Pkce};
///
/// // For a server that refuses unknown parameters.
/// let request = AuthorizationRequest::new().pkce(Pkce::Off);
/// ```
///
/// # Security
///
/// Only [`Pkce::S256`] protects an intercepted code. The others are for servers that support
/// nothing better.
///
/// [RFC 7636 section 4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pkce {
    /// The SHA-256 of the verifier as the challenge.
    #[default]
    S256,
    /// The verifier itself as the challenge.
    Plain,
    /// No challenge.
    Off,
}

impl Pkce {
    /// Checks that the server offers the method. One that lists none may support it all the same,
    /// such as Entra ID and Amazon Cognito.
    pub(crate) fn check(self, server: &AuthorizationServer) -> Result<()> {
        let method = match self {
            Self::S256 => "S256",
            Self::Plain => "plain",
            Self::Off => return Ok(()),
        };
        match server.code_challenge_methods_supported() {
            Some(offered) if !offered.contains(&method) => Err(Error::usage(format!(
                "the server does not offer the PKCE method {method} \
                 (code_challenge_methods_supported); AuthorizationRequest::pkce sets another one, and \
                 Discovery::assume_s256 says that it supports S256 all the same"
            ))),
            _ => Ok(()),
        }
    }

    /// The parameters `code_challenge_method` and `code_challenge` for `verifier`.
    pub(crate) fn challenge(self, verifier: &Secret) -> Option<(&'static str, String)> {
        let verifier = verifier.expose_secret();
        match self {
            Self::S256 => {
                let hash = digest(&SHA256, verifier.as_bytes());
                Some(("S256", URL_SAFE_NO_PAD.encode(hash)))
            }
            Self::Plain => Some(("plain", verifier.to_owned())),
            Self::Off => None,
        }
    }
}

/// 256 random bits in 43 characters, for a `state` or a verifier.
pub(crate) fn random_text() -> Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    random::fill(&mut *bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::grant::authorization_code::validate_verifier;

    #[test]
    fn the_example_of_appendix_b() {
        let verifier = Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(validate_verifier(&verifier).is_ok());
        assert_eq!(
            Pkce::S256.challenge(&verifier),
            Some((
                "S256",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()
            ))
        );
        assert_eq!(
            Pkce::Plain.challenge(&verifier),
            Some(("plain", verifier.expose_secret().to_owned()))
        );
        assert_eq!(Pkce::Off.challenge(&verifier), None);
    }

    #[test]
    fn verifiers_are_validated() {
        for good in ["a".repeat(43), "-._~".repeat(32)] {
            assert!(validate_verifier(&good.as_str().into()).is_ok());
        }
        for bad in [
            String::new(),
            "a".repeat(42),
            "a".repeat(129),
            "+".repeat(43),
            "\u{e4}".repeat(43),
        ] {
            assert!(validate_verifier(&bad.as_str().into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn random_texts_are_verifiers_and_never_the_same() {
        let texts: std::collections::HashSet<String> = (0..100)
            .map(|_| {
                let text = random_text().expect("randomness");
                assert!(validate_verifier(&text).is_ok());
                text.expose_secret().to_owned()
            })
            .collect();
        assert_eq!(texts.len(), 100);
    }

    #[test]
    fn a_method_that_the_server_does_not_offer_is_never_replaced() {
        let listed = |methods: &[&str]| {
            let methods = methods.iter().copied();
            AuthorizationServer::default().with_code_challenge_methods_supported(methods)
        };
        let without = AuthorizationServer::default();
        for server in [
            &without,
            &listed(&["plain", "S256"]),
            &listed(&["S256", "future"]),
        ] {
            Pkce::S256.check(server).expect("offered, or not said");
        }
        for server in [
            listed(&["plain"]),
            listed(&[]),
            listed(&["s256"]),
            listed(&["future"]),
        ] {
            let error = Pkce::S256
                .check(&server)
                .expect_err("S256 is not in the list");
            assert!(error.to_string().contains("S256"), "{error}");
            Pkce::Off.check(&server).expect("a named value");
        }
        Pkce::Plain
            .check(&listed(&["plain"]))
            .expect("a named value");
        assert!(Pkce::Plain.check(&listed(&["S256"])).is_err());
    }
}
