//! What a server says of a request that it refuses, by the problem reporting extension.
//!
//! [OAuth Problem Reporting](https://wiki.oauth.net/w/page/12238543/ProblemReporting)

use http::{HeaderMap, header};
use serde_json::{Map, Value};

/// What the server reports, in the body or in the challenge: the problem, and more about it.
pub(super) fn problem_in(
    members: Option<&Map<String, Value>>,
    headers: &HeaderMap,
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
        let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter();
        let mut challenges = challenges.filter_map(|value| value.to_str().ok());
        challenges.find_map(|challenge| from(&|name| challenge_parameter(challenge, name)))
    })
}

/// A parameter of `OAuth realm="…", oauth_problem="…"`, percent-decoded.
fn challenge_parameter(challenge: &str, name: &str) -> Option<String> {
    let (scheme, parameters) = challenge.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("OAuth") {
        return None;
    }
    let mut quoted = false;
    let parameters = parameters.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let value = parameters
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find_map(|(found, value)| {
            (found.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
        })?;
    // A plus is none in percent-encoding.
    let form = format!("v={}", value.replace('+', "%2B").replace('&', "%26"));
    let mut decoded = url::form_urlencoded::parse(form.as_bytes());
    decoded.next().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        for (challenge, problem) in [
            (r#"OAuth oauth_problem=nonce_used"#, Some("nonce_used")),
            (
                r#"oauth realm="x" , oauth_problem = "a%20b+c%26d" "#,
                Some("a b+c&d"),
            ),
            (r#"OAuth realm="a, oauth_problem=b""#, None),
            (r#"OAuth xoauth_problem=b"#, None),
            (r#"Bearer oauth_problem=b"#, None),
            (r#"OAuth"#, None),
            (r#"OAuth ,,=,"#, None),
        ] {
            let found = challenge_parameter(challenge, "oauth_problem");
            assert_eq!(found.as_deref(), problem, "{challenge}");
        }
    }
}
