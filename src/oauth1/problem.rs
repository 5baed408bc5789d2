//! Problem reports of servers that refuse a request.
//!
//! [OAuth Problem Reporting](https://wiki.oauth.net/w/page/12238543/ProblemReporting)

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::{encoding::percent_decode, wire::challenge::Challenge};

/// Problems that the extension registers.
pub(super) const REGISTERED: [&str; 18] = [
    "version_rejected",
    "parameter_absent",
    "parameter_rejected",
    "timestamp_refused",
    "nonce_used",
    "signature_method_rejected",
    "signature_invalid",
    "consumer_key_unknown",
    "consumer_key_rejected",
    "consumer_key_refused",
    "token_used",
    "token_expired",
    "token_revoked",
    "token_rejected",
    "additional_authorization_required",
    "permission_unknown",
    "permission_denied",
    "user_refused",
];

/// Returns the problem that the server reports in the body, in the challenge, or, if `text` is that
/// of an error, somewhere within it; and its details.
pub(super) fn problem_in(
    members: Option<&Map<String, Value>>,
    headers: &HeaderMap,
    text: Option<&str>,
) -> Option<(String, Option<String>)> {
    let from = |get: &dyn Fn(&str) -> Option<String>| {
        let more = [
            "oauth_problem_advice",
            "oauth_parameters_absent",
            "oauth_acceptable_timestamps",
            "oauth_acceptable_versions",
        ];
        let problem = get("oauth_problem").filter(|problem| !problem.is_empty())?;
        Some((problem, more.iter().find_map(|name| get(name))))
    };
    let in_body = |name: &str| Some(members?.get(name)?.as_str()?.to_owned());
    from(&in_body).or_else(|| {
        let challenges = Challenge::all(headers);
        let mut challenges = challenges.iter();
        challenges
            .find_map(|challenge| from(&|name| parameter(challenge, name)))
            .or_else(|| from(&|name| within(text?, name)))
    })
}

/// The value of a parameter within other text, such as an HTML page: in quotes, or to the end of the
/// word.
fn within(text: &str, name: &str) -> Option<String> {
    text.match_indices(name).find_map(|(at, _)| {
        let rest = text[at + name.len()..].trim_start();
        let value = rest.strip_prefix('=')?.trim_start();
        let quotes = ["\"", "'", "&quot;", "&#34;"];
        let (value, end) = match quotes
            .iter()
            .find_map(|it| Some((value.strip_prefix(it)?, it)))
        {
            Some((value, quote)) => (value, value.find(quote)?),
            None => {
                let is_end = |c: char| c.is_whitespace() || "&,;<>\"'".contains(c);
                (value, value.find(is_end).unwrap_or(value.len()))
            }
        };
        let value = &value[..end];
        percent_decode(value.as_bytes()).or_else(|| Some(value.to_owned()))
    })
}

/// A parameter of `OAuth realm="…", oauth_problem="…"`, percent-decoded where it is encoded.
fn parameter(challenge: &Challenge, name: &str) -> Option<String> {
    if !challenge.is_scheme("OAuth") {
        return None;
    }
    let value = challenge.parameter(name)?;
    percent_decode(value.as_bytes()).or_else(|| Some(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn problems_within_text() {
        for (text, problem) in [
            (
                "<html><p>oauth_problem=signature_invalid</p>",
                Some("signature_invalid"),
            ),
            (
                "<a href=\"?x=1&amp;oauth_problem=token_expired&amp;y\">",
                Some("token_expired"),
            ),
            (
                "Please log in. OAuth oauth_problem=\"a%20b\", realm=\"x\"",
                Some("a b"),
            ),
            (
                "OAuth oauth_problem=&quot;nonce_used&quot;",
                Some("nonce_used"),
            ),
            ("oauth_problem? oauth_problem = 'x'", Some("x")),
            ("an oauth_problem occurred", None),
            ("oauth_problem=", None),
            ("oauth_problem=\"open", None),
        ] {
            let found = problem_in(None, &HeaderMap::new(), Some(text));
            let found = found.map(|(problem, _)| problem);
            assert_eq!(found.as_deref(), problem, "{text}");
            assert_eq!(problem_in(None, &HeaderMap::new(), None), None);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(oauth_problem|[=\"'&;]|\\PC)*") {
            let _ = problem_in(None, &HeaderMap::new(), Some(&text));
        }
    }

    #[test]
    fn challenges() {
        for (challenge, problem) in [
            (r#"OAuth oauth_problem=nonce_used"#, Some("nonce_used")),
            (
                r#"oauth realm="x" , oauth_problem = "a%20b+c%26d" "#,
                Some("a b+c&d"),
            ),
            (
                r#"Basic realm="x", OAuth oauth_problem="100% wrong""#,
                Some("100% wrong"),
            ),
            (r#"OAuth realm="a, oauth_problem=b""#, None),
            (r#"OAuth xoauth_problem=b"#, None),
            (r#"Bearer oauth_problem=b"#, None),
            (r#"OAuth realm="x", Basic oauth_problem=b"#, None),
            (r#"OAuth"#, None),
            (r#"OAuth ,,=,"#, None),
        ] {
            let mut headers = HeaderMap::new();
            let value = challenge.parse().expect("a header");
            headers.insert(http::header::WWW_AUTHENTICATE, value);
            let found = problem_in(None, &headers, None).map(|(problem, _)| problem);
            assert_eq!(found.as_deref(), problem, "{challenge}");
        }
    }
}
