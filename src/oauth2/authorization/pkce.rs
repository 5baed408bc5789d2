//! Proof Key for Code Exchange.
//!
//! [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::{error::Result, random, secret::Secret};

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
}
