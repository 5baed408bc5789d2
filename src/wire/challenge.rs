//! Challenges of servers that refuse a request.
//!
//! [RFC 9110 section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// Maximum length of a header line that is read, in bytes. Longer ones are ignored.
const MAX_LINE_LENGTH: usize = 8 * 1024;

/// Maximum number of challenges that are read.
const MAX_CHALLENGES: usize = 32;

/// A challenge in a `WWW-Authenticate` header: an authentication scheme with its parameters.
///
/// ```
/// use http::{HeaderMap, header::WWW_AUTHENTICATE};
/// use oauth_twin::oauth2::Challenge;
///
/// let mut headers = HeaderMap::new();
/// let line = r#"Basic realm="a, b", Bearer error="insufficient_scope", scope="read write""#;
/// headers.insert(WWW_AUTHENTICATE, line.parse().unwrap());
///
/// let challenges = Challenge::all(&headers);
/// assert_eq!(challenges.len(), 2);
/// assert!(challenges[1].is_scheme("bearer"));
/// assert_eq!(challenges[1].parameter("scope"), Some("read write"));
/// ```
///
/// [RFC 9110 section 11.3](https://www.rfc-editor.org/rfc/rfc9110#section-11.3)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads all challenges in `headers`, in order: several headers, and several challenges in one.
    ///
    /// Unreadable parameters are left out. Headers longer than 8 KiB and challenges after the 32nd
    /// are ignored.
    ///
    /// [RFC 9110 section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)
    pub fn all(headers: &HeaderMap) -> Vec<Self> {
        let mut challenges = Vec::new();
        for line in headers.get_all(WWW_AUTHENTICATE) {
            if line.len() <= MAX_LINE_LENGTH && challenges.len() < MAX_CHALLENGES {
                Reader(line.as_bytes()).read_into(&mut challenges);
            }
        }
        challenges.truncate(MAX_CHALLENGES);
        challenges
    }

    /// The authentication scheme, as the server spells it. It is case-insensitive; see
    /// [`is_scheme`](Self::is_scheme).
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the authentication scheme is `scheme`, ignoring case.
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of the parameter `name`, ignoring its case, without quotes and escapes. The first
    /// value, if the server repeats the parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters()
            .find_map(|(given, value)| given.eq_ignore_ascii_case(name).then_some(value))
    }

    /// All parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .iter()
            .map(|(name, value)| (&**name, &**value))
    }

    /// The value that some schemes have instead of parameters.
    ///
    /// [RFC 9110 section 11.2](https://www.rfc-editor.org/rfc/rfc9110#section-11.2)
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }
}

/// Remaining input of a header line.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `#challenge`, where `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`. An
    /// equals sign tells a parameter after a comma from a challenge.
    fn read_into(mut self, challenges: &mut Vec<Challenge>) {
        let mut challenge: Option<Challenge> = None;
        loop {
            // "A recipient MUST parse and ignore a reasonable number of empty list elements".
            self.skip(|byte| is_space(byte) || byte == b',');
            if self.0.is_empty() {
                break;
            }
            match (self.token(), self.equals()) {
                (Some(name), true) => {
                    if let (Some(value), Some(challenge)) = (self.value(), &mut challenge) {
                        challenge.parameters.push((lossy(name), value));
                    }
                }
                (Some(scheme), false) => {
                    let token68 = self.token68();
                    // A parameter follows without a comma.
                    let is_complete = token68.is_some();
                    challenges.extend(challenge.replace(Challenge {
                        scheme: lossy(scheme),
                        token68,
                        parameters: Vec::new(),
                    }));
                    if !is_complete && self.skip(is_space) {
                        continue;
                    }
                }
                (None, _) => {}
            }
            self.skip_element();
        }
        challenges.extend(challenge);
    }

    /// Skips bytes, and returns whether there were any.
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> bool {
        !self.take(is_skipped).is_empty()
    }

    fn take(&mut self, is_taken: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is_taken(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        Some(self.take(is_token)).filter(|token| !token.is_empty())
    }

    /// Reads `BWS "=" BWS`, or nothing.
    fn equals(&mut self) -> bool {
        let rest = self.0.trim_ascii_start().strip_prefix(b"=");
        if let Some(rest) = rest {
            self.0 = rest.trim_ascii_start();
        }
        rest.is_some()
    }

    /// Reads `token / quoted-string`, and in the place of a token what some servers send without the quotes
    /// that it needs, as a URL: all up to the next white space or comma.
    fn value(&mut self) -> Option<String> {
        match self.0 {
            [b'"', rest @ ..] => {
                let mut value = Vec::new();
                let mut rest = rest.iter();
                loop {
                    match rest.next()? {
                        b'"' => break,
                        b'\\' => value.push(*rest.next()?),
                        byte => value.push(*byte),
                    }
                }
                self.0 = rest.as_slice();
                Some(lossy(&value))
            }
            _ => {
                let mut rest = Self(self.0);
                let value = rest.take(|byte| !is_space(byte) && !b",\"".contains(&byte));
                if value.is_empty() || rest.0.first() == Some(&b'"') {
                    return None;
                }
                self.0 = rest.0;
                Some(lossy(value))
            }
        }
    }

    /// Reads `1*SP 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` up to the next
    /// comma, or nothing.
    fn token68(&mut self) -> Option<String> {
        let mut rest = Reader(self.0);
        if !rest.skip(is_space) {
            return None;
        }
        let start = rest.0;
        let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if !rest.skip(is_token68) {
            return None;
        }
        rest.skip(|byte| byte == b'=');
        let token68 = &start[..start.len() - rest.0.len()];
        rest.skip(is_space);
        if !matches!(rest.0, [] | [b',', ..]) {
            return None;
        }
        self.0 = rest.0;
        Some(lossy(token68))
    }

    /// Skips to the next comma that is not in a quoted string.
    fn skip_element(&mut self) {
        let (mut quoted, mut escaped) = (false, false);
        let end = self.0.iter().position(|byte| {
            let is_end = *byte == b',' && !quoted;
            quoted ^= *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && quoted && !escaped;
            is_end
        });
        self.0 = &self.0[end.unwrap_or(self.0.len())..];
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().expect("a header"));
        }
        Challenge::all(&headers)
    }

    /// The challenge as RFC 9110 writes it, with each value in quotes.
    fn written(challenge: &Challenge) -> String {
        let parameters: Vec<_> = challenge
            .parameters()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        let token68 = challenge.token68().into_iter().map(str::to_owned);
        let rest: Vec<_> = token68.chain(parameters).collect();
        format!("{} {}", challenge.scheme(), rest.join(","))
    }

    #[test]
    fn all_that_the_grammar_has() {
        for (line, expected) in [
            // RFC 9110 section 11.6.1.
            (
                r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#,
                &[
                    r#"Basic realm="simple""#,
                    r#"Newauth realm="apps",type="1",title="Login to \"apps\"""#,
                ][..],
            ),
            ("Negotiate", &["Negotiate "]),
            ("Negotiate YII==", &["Negotiate YII=="]),
            (
                "Negotiate  a+b/c-d.e_f~ , Basic",
                &["Negotiate a+b/c-d.e_f~", "Basic "],
            ),
            ("Negotiate, NTLM", &["Negotiate ", "NTLM "]),
            ("A a=1,B,C c=2", &[r#"A a="1""#, "B ", r#"C c="2""#]),
            ("A a = 1 ,\tb\t=\t\"2\"", &[r#"A a="1",b="2""#]),
            (",, A ,, a=1 ,, , b=2,", &[r#"A a="1",b="2""#]),
            (
                r#"A a="1, B b=2\", C c=3", d=4"#,
                &[r#"A a="1, B b=2\", C c=3",d="4""#],
            ),
            (r#"A a="\\\a\"""#, &[r#"A a="\\a\"""#]),
            (r#"A a="""#, &[r#"A a="""#]),
            ("A a=1, a=2", &[r#"A a="1",a="2""#]),
        ] {
            let read: Vec<_> = read(&[line]).iter().map(written).collect();
            assert_eq!(read, expected, "{line}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_left_out() {
        for (line, expected) in [
            ("", &[][..]),
            (" , ,", &[]),
            ("=", &[]),
            ("a=1", &[]),
            (r#""A a=1", b=2"#, &[]),
            ("A a=1 b=2, c=3", &[r#"A a="1",c="3""#]),
            (r#"A a="1"x, c=3"#, &[r#"A a="1",c="3""#]),
            ("A a=1, b=, c=3", &[r#"A a="1",c="3""#]),
            ("A a=b\"c, d=e\", f=1", &[r#"A f="1""#]),
            (
                "A a=https://h.example/p?q=r;s, b=t:u v",
                &[r#"A a="https://h.example/p?q=r;s",b="t:u""#],
            ),
            ("A a=1, =, c=3", &[r#"A a="1",c="3""#]),
            ("A a=1, =\"x, B\", c=3", &[r#"A a="1",c="3""#]),
            ("A ,,=,", &["A "]),
            (r#"A a="1"#, &["A "]),
            (r#"A a="1\"#, &["A "]),
            (r#"A b=2, a="1, B c="3"#, &[r#"A b="2",a="1, B c=""#]),
            (r#"A b=2, a="1, B c=3"#, &[r#"A b="2""#]),
            ("A (x), b=2", &[r#"A b="2""#]),
            ("A/1 a=1, b=2", &[r#"A b="2""#]),
        ] {
            let read: Vec<_> = read(&[line]).iter().map(written).collect();
            assert_eq!(read, expected, "{line}");
        }
    }

    #[test]
    fn scheme_and_names_are_in_any_case_and_the_first_parameter_counts() {
        let read = read(&[
            "bEARER ERROR=invalid_token, error=other",
            "DPoP algs=\"ES256\"",
        ]);
        assert_eq!(read.len(), 2);
        assert!(read[0].is_scheme("Bearer") && !read[0].is_scheme("Bear"));
        assert_eq!(read[0].scheme(), "bEARER");
        assert_eq!(read[0].parameter("Error"), Some("invalid_token"));
        assert_eq!(read[0].parameter("err"), None);
        assert_eq!(read[0].token68(), None);
        assert_eq!(read[1].parameter("algs"), Some("ES256"));
        // The lines stand each for itself.
        let read = super::tests::read(&["Bearer", "error=invalid_token"]);
        assert_eq!(read[0].parameter("error"), None);
    }

    #[test]
    fn values_that_are_not_ascii_are_read() {
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_bytes(b"A a=\"\xc3\xa4\", b=\"\xff\", c=1").expect("a header");
        headers.insert(WWW_AUTHENTICATE, line);
        let read = Challenge::all(&headers);
        assert_eq!(written(&read[0]), "A a=\"\u{e4}\",b=\"\u{fffd}\",c=\"1\"");
    }

    #[test]
    fn what_is_read_is_bounded() {
        let long = format!("A a={}", "x".repeat(MAX_LINE_LENGTH));
        assert_eq!(read(&[&long, "B"]).len(), 1);
        let many = "A,".repeat(MAX_LINE_LENGTH / 2);
        assert_eq!(read(&[&many, &many]).len(), MAX_CHALLENGES);
    }

    proptest! {
        #[test]
        fn no_line_panics_or_grows(line in "[ -~\t]*", noise in r#"[AB=, "\\]*"#) {
            for line in [line, noise] {
                let read = read(&[&line]);
                prop_assert!(read.len() <= MAX_CHALLENGES);
                let length = read.iter().map(|challenge| {
                    let parameters = challenge.parameters().map(|(name, value)| name.len() + value.len());
                    challenge.scheme().len()
                        + challenge.token68().map_or(0, str::len)
                        + parameters.sum::<usize>()
                }).sum::<usize>();
                prop_assert!(length <= line.len());
            }
        }

        #[test]
        fn any_quoted_value_is_read_back(value in "[ -~\t]*", after in "[ -~]*") {
            let quoted = value.replace('\\', r"\\").replace('"', r#"\""#);
            let read = read(&[&format!("Bearer realm=\"{quoted}\", x=1,{after}")]);
            prop_assert_eq!(read[0].parameter("realm"), Some(&*value));
            prop_assert_eq!(read[0].parameter("x"), Some("1"));
        }
    }
}
