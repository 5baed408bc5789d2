//! Request targets: the parts of a URL byte for byte, as a URL parser would rewrite it.
//!
//! [RFC 5849 section 3.4.1.2](https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.2)

use url::Url;

use crate::{
    encoding::{percent_encode_onto, unreserved},
    error::{Error, Result},
    wire::secure_url::is_secure,
};

/// Parts of an absolute `http` or `https` URL, unchanged.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    url: &'a str,
    https: bool,
    authority: Authority<'a>,
    pub(super) has_user_info: bool,
    path: &'a str,
    /// The part between `?` and `#`.
    pub(super) query: Option<&'a str>,
    /// Start of the fragment, at its `#`; without one, the end.
    fragment: usize,
}

/// Host and, if it is present and not empty, port.
#[derive(Clone, Copy)]
pub(super) struct Authority<'a> {
    /// An IPv6 address with its brackets.
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses the authority of a URL, or a `Host` header.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        // The common case: a name only.
        if !text.is_empty() && unreserved(text.as_bytes()) == text.len() {
            return Ok(Self {
                host: text,
                port: None,
            });
        }
        // The colons of an IPv6 address are in brackets.
        let end = text.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text[end..].find(':') {
            Some(colon) => (&text[..end + colon], &text[end + colon + 1..]),
            None => (text, ""),
        };
        let in_brackets = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || host.contains(['[', ']']) != in_brackets {
            return Err(Error::usage("the host of the request is invalid"));
        }
        if !host.is_ascii() {
            return Err(Error::usage(
                "the host of the request is not ASCII; pass the URL as url::Url spells it (xn--)",
            ));
        }
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port.parse() {
            _ if port.is_empty() => None,
            Ok(port) if digits => Some(port),
            _ => {
                return Err(Error::usage(
                    "the port of the request is invalid; it is a number up \
                to 65535",
                ));
            }
        };
        Ok(Self { host, port })
    }
}

impl<'a> Target<'a> {
    /// Splits `url` into its parts.
    pub(super) fn parse(url: &'a str) -> Result<Self> {
        // Such bytes cannot be sent; HTTP libraries differ in how they replace them.
        let unsendable = |byte| byte <= b' ' || byte == 0x7f;
        // Without an early exit, which would take a branch per byte.
        if url.bytes().fold(false, |any, byte| any | unsendable(byte)) {
            return Err(Error::usage(
                "the URL of the request contains a space or a control character; pass it as \
                 url::Url spells it",
            ));
        }
        let is = |scheme: &str| {
            let start = url.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let (https, rest) = match (is("https://"), is("http://")) {
            (true, _) => (true, &url[8..]),
            (_, true) => (false, &url[7..]),
            _ => {
                return Err(Error::usage(
                    "the URL of the request must be an absolute http or https URL",
                ));
            }
        };
        // Most hosts are a name, which is skipped at once.
        let name = unreserved(rest.as_bytes());
        let end = name + until(&rest[name..], |byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, rest) = rest.split_at(end);
        let host = authority[name..].rsplit_once('@');
        let (path, rest) = rest.split_at(until(rest, |byte| matches!(byte, b'?' | b'#')));
        // A URL parser reads it as a slash, and so may find another host and another path.
        if authority.contains('\\') || path.contains('\\') {
            return Err(Error::usage(
                "the URL of the request contains a backslash before its query; pass it as \
                 url::Url spells it",
            ));
        }
        let fragment = rest.find('#').unwrap_or(rest.len());
        let query = rest[..fragment].strip_prefix('?');
        Ok(Self {
            url,
            https,
            authority: Authority::parse(host.map_or(authority, |(_, host)| host))?,
            has_user_info: host.is_some(),
            path,
            query,
            fragment: url.len() - rest.len() + fragment,
        })
    }

    /// Whether secrets may be sent there, by the parser that HTTP libraries use.
    pub(super) fn is_secure(&self) -> bool {
        Url::parse(self.url).is_ok_and(|url| is_secure(&url, false))
    }

    /// The URL with `parameters` appended to its query; every other byte is kept.
    pub(super) fn with_parameters(&self, parameters: &[u8]) -> String {
        let (start, fragment) = self.url.split_at(self.fragment);
        // Percent-encoded, and so ASCII.
        let parameters = String::from_utf8_lossy(parameters);
        let between = match self.query {
            None => "?",
            Some(query) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        [start, between, &parameters, fragment].concat()
    }

    /// Appends the base string URI, percent-encoded. `host` is that of the `Host` header, if it
    /// differs from that of the URL.
    pub(super) fn base_string_uri(&self, host: Option<Authority<'_>>, to: &mut Vec<u8>) {
        // "The scheme and host MUST be in lowercase."
        to.extend_from_slice(match self.https {
            true => b"https%3A%2F%2F",
            false => b"http%3A%2F%2F",
        });
        // "The host and port values MUST match the content of the HTTP request "Host" header
        // field."
        let Authority { host, port } = host.unwrap_or(self.authority);
        let start = to.len();
        to.extend(host.bytes().map(|byte| byte.to_ascii_lowercase()));
        if unreserved(&to[start..]) < host.len() {
            let host = to.split_off(start);
            percent_encode_onto(&host, to);
        }
        // "The port MUST be included if it is not the default port for the scheme, and MUST be
        // excluded if it is the default."
        let default = if self.https { 443 } else { 80 };
        if let Some(port) = port.filter(|port| *port != default) {
            percent_encode_onto(format!(":{port}").as_bytes(), to);
        }
        if self.path.is_empty() {
            to.extend_from_slice(b"%2F");
        }
        // HTTP libraries escape non-ASCII characters; everything else stays as it is.
        if self.path.is_ascii() {
            percent_encode_onto(self.path.as_bytes(), to);
            return;
        }
        for part in self.path.split_inclusive(|c: char| !c.is_ascii()) {
            let ascii = part.find(|c: char| !c.is_ascii()).unwrap_or(part.len());
            let (ascii, other) = part.split_at(ascii);
            percent_encode_onto(ascii.as_bytes(), to);
            if !other.is_empty() {
                let mut escaped = Vec::new();
                percent_encode_onto(other.as_bytes(), &mut escaped);
                percent_encode_onto(&escaped, to);
            }
        }
    }

    /// An upper bound of the length of the base string URI, unless most of it is escaped.
    pub(super) fn estimate(&self) -> usize {
        self.url.len() + self.path.len() / 2 + 64
    }
}

/// The position of the first byte that ends this part of the URL, else the end.
fn until(text: &str, is_end: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(is_end).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_string_uri(url: &str, host: Option<&str>) -> Result<String> {
        let mut text = Vec::new();
        let host = host.map(Authority::parse).transpose()?;
        Target::parse(url)?.base_string_uri(host, &mut text);
        let text = format!("u={}", String::from_utf8(text).expect("ASCII"));
        let mut pairs = url::form_urlencoded::parse(text.as_bytes());
        Ok(pairs.next().expect("a pair").1.into_owned())
    }

    #[test]
    fn base_string_uris() {
        for (url, host, expected) in [
            // Section 3.4.1.2.
            (
                "HTTP://EXAMPLE.COM:80/r%20v/X?id=123",
                None,
                "http://example.com/r%20v/X",
            ),
            (
                "https://www.example.net:8080/?q=1",
                None,
                "https://www.example.net:8080/",
            ),
            ("http://a", None, "http://a/"),
            ("http://a?b/c", None, "http://a/"),
            ("http://a#b?c", None, "http://a/"),
            ("http://a:/p", None, "http://a/p"),
            ("http://a:0080/p", None, "http://a/p"),
            ("http://a:443/p", None, "http://a:443/p"),
            ("https://a:443/p;q=1;r", None, "https://a/p;q=1;r"),
            ("http://[2001:DB8::1]/p", None, "http://[2001:db8::1]/p"),
            ("http://[::1]:80/p", None, "http://[::1]/p"),
            ("http://[::1]:8080/p", None, "http://[::1]:8080/p"),
            ("http://user:p@ss@a/p@q", None, "http://a/p@q"),
            (
                "http://a/\u{e4}/%C3%A4/%c3\u{1f600}b",
                None,
                "http://a/%C3%A4/%C3%A4/%c3%F0%9F%98%80b",
            ),
            (
                "http://127.0.0.1:7/p",
                Some("API.example:80"),
                "http://api.example/p",
            ),
            (
                "http://127.0.0.1:7/p",
                Some("[::1]:81"),
                "http://[::1]:81/p",
            ),
        ] {
            assert_eq!(base_string_uri(url, host).expect(url), expected);
        }
    }

    #[test]
    fn what_is_no_place_to_send_to_is_refused() {
        for url in [
            "",
            "/p",
            "a.example/p",
            "ftp://a/p",
            "http:/a",
            "http:///p",
            "http://:80/",
            "http://a:b/",
            "http://a:+1/",
            "http://a:65536/",
            "http://[::1/",
            "http://::1]/",
            "http://a[::1]/",
            "http://b\u{fc}cher.example/",
            r"http://evil.example\@localhost/",
            r"http://localhost\@evil.example/",
            r"http://localhost\.evil.example/",
            r"http://evil.example\:80@127.0.0.1/",
            r"http:\\evil.example/",
            r"http://a/b\c",
            "http://a/b c",
            "http://a/\n",
            " http://a/",
        ] {
            assert!(base_string_uri(url, None).is_err(), "{url}");
        }
        assert!(base_string_uri("http://a/", Some("")).is_err());
    }

    #[test]
    fn https_or_loopback() {
        for (url, secure) in [
            ("https://a.example/", true),
            ("http://localhost/", true),
            ("http://LOCALHOST:1/", true),
            ("http://127.1.2.3:8080/", true),
            ("http://[::1]:1/", true),
            ("http://a.example/", false),
            ("http://localhost.example/", false),
            ("http://localhost@a.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://10.0.0.1/", false),
            ("http://[::2]/", false),
            ("http://localhost:80@a.example/", false),
            ("http://a.example/?@localhost/", false),
            (r"http://a.example?\@localhost/", false),
            ("http://%6cocalhost/", true),
            ("http://127.1/", true),
        ] {
            assert_eq!(Target::parse(url).expect(url).is_secure(), secure, "{url}");
        }
    }

    #[test]
    fn parameters_go_before_the_fragment() {
        for (before, after) in [
            ("http://a", "http://a?x=1"),
            ("http://a/p?", "http://a/p?x=1"),
            ("http://a/p?b=%20+&", "http://a/p?b=%20+&x=1"),
            ("http://a/p?b&c#f?g", "http://a/p?b&c&x=1#f?g"),
        ] {
            let target = Target::parse(before).expect(before);
            assert_eq!(target.with_parameters(b"x=1"), after);
        }
    }
}
