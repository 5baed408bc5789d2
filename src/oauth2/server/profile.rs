//! Security profiles, which make recommendations of OAuth 2.0 obligatory.
//!
//! [FAPI 2.0 Security Profile](https://openid.net/specs/fapi-security-profile-2_0-final.html),
//! [FAPI 2.0 Message Signing](https://openid.net/specs/fapi-message-signing-2_0-final.html)

use std::fmt;

use serde_json::Value;

use super::metadata::AuthorizationServer;
use crate::jose::Algorithm;

/// Security profile that a client follows: all that it demands of a client is on, and what
/// contradicts it is an error when the client is built, when the server is discovered, or when a
/// login begins, with the clause that it violates.
///
/// | demanded | by |
/// |---|---|
/// | tokens bound to a key: `dpop`, or `client_certificate` where the server binds by it | Security Profile 5.3.3.1 |
/// | `PrivateKeyJwt` for the issuer, or a client certificate | Security Profile 5.3.3.1 |
/// | tokens in the header | Security Profile 5.3.3.1 |
/// | a server that is discovered, under its own issuer, without exceptions | Security Profile 5.3.3.1 |
/// | a code, PKCE S256, pushed requests with `redirect_uri`, `iss` in each response | Security Profile 5.3.3.2 |
/// | `PS256`, `ES256` and `EdDSA` for all that is signed | Security Profile 5.4.1 |
/// | signed requests (`request_object`) | Message Signing 5.3.2 |
/// | signed responses (`ResponseMode::Jwt`) | Message Signing 5.4.2 |
/// | signed introspection responses | Message Signing 5.5.2 |
///
/// A clock that is wrong is corrected by the server's for what the client signs, unless
/// `correct_clock` says otherwise.
///
/// ```no_run
/// # #[cfg(feature = "blocking")]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{
///     OAuth2Client,
///     jose::{Algorithm, SigningKey},
///     oauth2::{ClientCertificate, PrivateKeyJwt, Profile},
/// };
///
/// # let (pem, chain) = ("", "");
/// let key = SigningKey::from_pem(Algorithm::ES256, pem)?.with_key_id("2026-11");
/// let client = OAuth2Client::builder("client-id")
///     .client_certificate(ClientCertificate::from_pem(chain, pem)?)
///     .discover("https://bank.example.com")?
///     .redirect_uri("https://app.example.com/callback")
///     .token_endpoint_auth_method(PrivateKeyJwt::new(key))
///     .profile(Profile::Fapi2)
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(feature = "blocking"))] fn main() {}
/// ```
///
/// [FAPI 2.0 Security Profile section 5.3.3](https://openid.net/specs/fapi-security-profile-2_0-final.html#section-5.3.3)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "FAPI")]
pub enum Profile {
    /// FAPI 2.0 Security Profile.
    Fapi2,
    /// FAPI 2.0 Message Signing, on top of the Security Profile.
    Fapi2MessageSigning,
}

/// Profile of a client, as its server has to follow it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowedProfile {
    pub(crate) profile: Profile,
    /// Whether tokens are bound to a key for DPoP, and not by a certificate alone.
    pub(crate) has_dpop: bool,
}

/// Clause of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    /// Sender-constrained access tokens.
    SenderConstraint,
    ClientAuthentication,
    TokenInHeader,
    AssertionAudience,
    /// Metadata from the metadata document alone.
    Metadata,
    /// An issuer URL from a source that nobody can modify.
    AuthoritativeIssuer,
    /// The issuer of the metadata is the one that they were found by.
    SameIssuer,
    AuthorizationCode,
    Pushed,
    Pkce,
    Issuer,
    OnlyReference,
    Algorithms,
    /// The redirection URI, which is in the pushed request and does not use plain HTTP.
    RedirectUri,
    SignedRequest,
    RequestAudience,
    SignedResponse,
    /// The issuer of ID tokens is that of the metadata.
    IdTokenIssuer,
    IdTokenNonce,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (section, number) = match self {
            Self::IdTokenIssuer => return f.write_str(&of_core(2)),
            Self::IdTokenNonce => return f.write_str(&of_core(11)),
            Self::SenderConstraint => ("Security Profile section 5.3.3.1", 1),
            Self::ClientAuthentication => ("Security Profile section 5.3.3.1", 2),
            Self::TokenInHeader => ("Security Profile section 5.3.3.1", 3),
            Self::AssertionAudience => ("Security Profile section 5.3.3.1", 5),
            Self::Metadata => ("Security Profile section 5.3.3.1", 9),
            Self::AuthoritativeIssuer => ("Security Profile section 5.3.3.1", 10),
            Self::SameIssuer => ("Security Profile section 5.3.3.1", 11),
            Self::AuthorizationCode => ("Security Profile section 5.3.3.2", 1),
            Self::Pushed => ("Security Profile section 5.3.3.2", 2),
            Self::Pkce => ("Security Profile section 5.3.3.2", 3),
            Self::Issuer => ("Security Profile section 5.3.3.2", 5),
            Self::OnlyReference => ("Security Profile section 5.3.3.2", 6),
            Self::Algorithms => ("Security Profile section 5.4.1", 1),
            Self::RedirectUri => ("Security Profile section 5.3.2.2", 6),
            Self::SignedRequest => ("Message Signing section 5.3.2", 1),
            Self::RequestAudience => ("Message Signing section 5.3.2", 2),
            Self::SignedResponse => ("Message Signing section 5.4.2", 1),
        };
        write!(f, "FAPI 2.0 {section}, clause {number}")
    }
}

/// Clause of OpenID Connect Core about ID tokens.
fn of_core(number: u8) -> String {
    format!("OpenID Connect Core 1.0 section 3.1.3.7, clause {number}")
}

/// Lists of algorithms in the metadata, of what the server signs and the client verifies.
const SIGNED_BY_SERVER: [&str; 4] = [
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "authorization_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
];

impl Profile {
    /// "use PS256, ES256, or EdDSA (using the Ed25519 variant) algorithms"
    pub(crate) const ALGORITHMS: [Algorithm; 3] =
        [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

    pub(crate) fn signs_messages(self) -> bool {
        self == Self::Fapi2MessageSigning
    }

    /// The problem of a violation, with its clause.
    pub(crate) fn problem(self, what: &str, clause: Clause) -> String {
        format!("{what} (Profile::{self:?}: {clause})")
    }

    /// The first algorithm that is not permitted.
    pub(crate) fn other_algorithm(
        self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Option<Algorithm> {
        let mut algorithms = algorithms.into_iter();
        algorithms.find(|algorithm| !Self::ALGORITHMS.contains(algorithm))
    }

    /// The violations in the metadata of a server, each with the name of the member. `has_dpop` says
    /// whether the client has a key for DPoP, or a certificate alone.
    pub(crate) fn violations(self, server: &AuthorizationServer, has_dpop: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut note = |member: &str, problem: &str, clause| {
            found.push(self.problem(&format!("{member} {problem}"), clause));
        };
        if !has_dpop && !server.tls_client_certificate_bound_access_tokens() {
            note(
                "tls_client_certificate_bound_access_tokens",
                "is not true, and the client has no dpop",
                Clause::SenderConstraint,
            );
        }
        let has = |name| server.get(name).is_some_and(|value| !value.is_null());
        if has("authorization_endpoint") {
            if !has("pushed_authorization_request_endpoint") {
                let name = "pushed_authorization_request_endpoint";
                note(name, "is missing", Clause::Pushed);
            }
            // In a signed response it is in the JWT.
            if !self.signs_messages() && !server.authorization_response_iss_parameter_supported() {
                let name = "authorization_response_iss_parameter_supported";
                note(name, "is not true", Clause::Issuer);
            }
            let methods = server.code_challenge_methods_supported();
            if methods.is_some_and(|methods| !methods.contains(&"S256")) {
                note(
                    "code_challenge_methods_supported",
                    "lacks S256",
                    Clause::Pkce,
                );
            }
        }
        for name in SIGNED_BY_SERVER {
            let listed = server.get(name).and_then(Value::as_array);
            let is_permitted = |name: &Value| {
                let algorithm = name.as_str().and_then(|name| name.parse().ok());
                algorithm.is_some_and(|algorithm| Self::ALGORITHMS.contains(&algorithm))
            };
            if listed.is_some_and(|listed| !listed.is_empty() && !listed.iter().any(is_permitted)) {
                note(
                    name,
                    "has none of PS256, ES256 and EdDSA",
                    Clause::Algorithms,
                );
            }
        }
        found
    }

    /// The metadata with the algorithms that the profile permits alone.
    pub(crate) fn narrowed(self, mut server: AuthorizationServer) -> AuthorizationServer {
        for name in SIGNED_BY_SERVER {
            let listed = server.get(name).and_then(Value::as_array);
            let listed = listed.filter(|listed| !listed.is_empty());
            let permitted: Vec<&str> = Self::ALGORITHMS
                .into_iter()
                .filter(|algorithm| {
                    let is_it = |name: &Value| {
                        name.as_str().and_then(|name| name.parse().ok()) == Some(*algorithm)
                    };
                    listed.is_none_or(|listed| listed.iter().any(is_it))
                })
                .map(Algorithm::as_str)
                .collect();
            server = server.with_member(name, permitted);
        }
        server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> AuthorizationServer {
        AuthorizationServer::new("https://bank.example")
            .with_authorization_endpoint("https://bank.example/authorize")
            .with_pushed_authorization_request_endpoint("https://bank.example/par")
            .with_authorization_response_iss_parameter_supported(true)
            .with_id_token_signing_alg_values_supported(["RS256", "PS256"])
    }

    #[test]
    fn a_server_of_the_profile_violates_nothing() {
        assert_eq!(Profile::Fapi2.violations(&server(), true), [""; 0]);
        // Without logins there is nothing to push.
        let tokens = AuthorizationServer::new("https://bank.example");
        assert_eq!(Profile::Fapi2.violations(&tokens, true), [""; 0]);
    }

    /// "If omitted, the default value is false."
    #[test]
    fn a_certificate_binds_tokens_where_the_server_says_so() {
        let member = "tls_client_certificate_bound_access_tokens";
        for (value, is_bound) in [
            (Value::Null, false),
            (false.into(), false),
            (true.into(), true),
        ] {
            let server = server().with_member(member, value);
            let violations = Profile::Fapi2.violations(&server, false);
            assert_eq!(violations.is_empty(), is_bound, "{violations:?}");
            for violation in violations {
                assert!(violation.starts_with(member), "{violation}");
                assert!(violation.contains("5.3.3.1, clause 1)"), "{violation}");
            }
            assert_eq!(Profile::Fapi2.violations(&server, true), [""; 0]);
        }
    }

    #[test]
    fn each_violation_has_its_clause() {
        for (server, word, clause) in [
            (
                server().with_member("pushed_authorization_request_endpoint", Value::Null),
                "pushed_authorization_request_endpoint is missing",
                "section 5.3.3.2, clause 2",
            ),
            (
                server().with_authorization_response_iss_parameter_supported(false),
                "authorization_response_iss_parameter_supported is not true",
                "section 5.3.3.2, clause 5",
            ),
            (
                server().with_code_challenge_methods_supported(["plain"]),
                "code_challenge_methods_supported lacks S256",
                "section 5.3.3.2, clause 3",
            ),
            (
                server().with_id_token_signing_alg_values_supported(["RS256", "none"]),
                "id_token_signing_alg_values_supported has none of PS256",
                "section 5.4.1, clause 1",
            ),
        ] {
            let violations = Profile::Fapi2.violations(&server, true);
            assert_eq!(violations.len(), 1, "{violations:?}");
            assert!(violations[0].starts_with(word), "{violations:?}");
            assert!(violations[0].contains(clause), "{violations:?}");
            assert!(violations[0].contains("Profile::Fapi2:"), "{violations:?}");
        }
        let unsaid = server().with_authorization_response_iss_parameter_supported(false);
        assert_eq!(
            Profile::Fapi2MessageSigning.violations(&unsaid, true),
            [""; 0]
        );
    }

    #[test]
    fn only_what_the_profile_permits_is_left_of_a_list() {
        let narrowed =
            Profile::Fapi2.narrowed(server().with_userinfo_signing_alg_values_supported(["RS256"]));
        assert_eq!(
            narrowed.id_token_signing_alg_values_supported(),
            Some(vec!["PS256"])
        );
        assert_eq!(
            narrowed.userinfo_signing_alg_values_supported(),
            Some(vec![])
        );
        // RS256 is the default where nothing is listed, and is not permitted.
        assert_eq!(
            narrowed.authorization_signing_alg_values_supported(),
            Some(vec!["PS256", "ES256", "EdDSA"])
        );
    }
}
