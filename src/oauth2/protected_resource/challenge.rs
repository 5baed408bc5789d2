//! What the challenge of a protected resource asks for.
//!
//! [RFC 9728 section 5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1),
//! [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)

use http::HeaderMap;

use super::scope_set::ScopeSet;
use crate::wire::challenge::Challenge;

/// Errors of requests whose token is accepted.
const ABOUT_OTHERS: [&str; 5] = [
    "insufficient_scope",
    "insufficient_user_authentication",
    "invalid_dpop_proof",
    "invalid_request",
    "use_dpop_nonce",
];

/// Challenge of a protected resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceChallenge {
    /// The URL of the metadata, as the resource spells it.
    pub(crate) metadata: Option<String>,
    pub(crate) scope: ScopeSet,
    /// Whether it is about tokens: other schemes alone are not.
    pub(crate) is_for_tokens: bool,
    /// Whether it names an error that is not about the token.
    pub(crate) accepts_token: bool,
    pub(crate) is_insufficient_scope: bool,
}

impl ResourceChallenge {
    /// Reads the first challenge for a token, and the place of the metadata in any.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let challenges = Challenge::all(headers);
        let for_tokens = |one: &&Challenge| one.is_scheme("bearer") || one.is_scheme("dpop");
        let parameter = |name: &str| {
            let own = challenges.iter().filter(for_tokens);
            own.filter_map(|one| one.parameter(name)).next()
        };
        let metadata = parameter("resource_metadata").or_else(|| {
            let all = challenges.iter();
            all.filter_map(|one| one.parameter("resource_metadata"))
                .next()
        });
        let errors = challenges.iter().filter(for_tokens);
        let errors: Vec<_> = errors.filter_map(|one| one.parameter("error")).collect();
        let says = |code: &str| errors.iter().any(|error| error.eq_ignore_ascii_case(code));
        Self {
            is_for_tokens: challenges.is_empty()
                || metadata.is_some()
                || challenges.iter().any(|one| for_tokens(&one)),
            metadata: metadata.map(str::to_owned),
            scope: ScopeSet::of(parameter("scope").unwrap_or_default()),
            // Codes that nobody has registered may be about the token.
            accepts_token: ABOUT_OTHERS.iter().any(|code| says(code)) && !says("invalid_token"),
            is_insufficient_scope: says("insufficient_scope"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> ResourceChallenge {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().expect("a header"));
        }
        ResourceChallenge::of(&headers)
    }

    #[test]
    fn place_scope_and_error_are_read() {
        let read_one = read(&[
            "Basic realm=\"x\", scope=\"no\"",
            "Bearer error=\"insufficient_scope\", scope=\"b a b\", \
             resource_metadata=\"https://mcp.example/m\"",
        ]);
        assert_eq!(read_one.metadata.as_deref(), Some("https://mcp.example/m"));
        assert_eq!(read_one.scope.to_scope().as_str(), "b a");
        assert!(read_one.is_insufficient_scope);
        let dpop = read(&["DPoP algs=\"ES256\", resource_metadata=\"/m\""]);
        assert_eq!(dpop.metadata.as_deref(), Some("/m"));
        assert!(dpop.scope.is_empty() && !dpop.is_insufficient_scope);
        let other = read(&["Other resource_metadata=\"https://mcp.example/m\""]);
        assert_eq!(other.metadata.as_deref(), Some("https://mcp.example/m"));
        let bare = ResourceChallenge {
            is_for_tokens: true,
            ..ResourceChallenge::default()
        };
        assert_eq!(read(&[]), bare);
        assert!(other.is_for_tokens && dpop.is_for_tokens);
        assert!(!read(&["Basic realm=x", "Negotiate"]).is_for_tokens);
        assert!(!read(&["Basic error=insufficient_scope"]).is_insufficient_scope);
    }

    #[test]
    fn only_invalid_token_or_no_error_is_about_the_token() {
        for (lines, accepts_token) in [
            (&["Bearer"][..], false),
            (&[], false),
            (&["Bearer error=\"invalid_token\""], false),
            (&["DPoP error=\"Invalid_Token\""], false),
            (&["Basic error=\"invalid_request\"", "Bearer"], false),
            (
                &[
                    "Bearer",
                    "DPoP error=invalid_dpop_proof, error=invalid_token",
                ],
                true,
            ),
            (
                &["Bearer error=\"invalid_token\"", "DPoP error=\"x\""],
                false,
            ),
            (&["Bearer error=\"expired_token\""], false),
            (
                &[
                    "Bearer error=\"expired_token\"",
                    "DPoP error=\"invalid_request\"",
                ],
                true,
            ),
            (&["DPoP error=\"invalid_dpop_proof\""], true),
            (&["Bearer error=\"insufficient_user_authentication\""], true),
            (&["Bearer error=\"insufficient_scope\""], true),
        ] {
            assert_eq!(read(lines).accepts_token, accepts_token, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn no_challenge_panics_or_grows(line in "(Bearer |DPoP )?[ -~]*") {
            let challenge = read(&[&line]);
            let length = challenge.scope.to_scope().as_str().len();
            prop_assert!(length <= line.len());
            prop_assert!(challenge.scope.to_scope().validate().is_ok());
        }
    }
}
