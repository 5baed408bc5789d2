//! Requests of a browser to the loopback receiver.
//!
//! [RFC 9112 section 2](https://www.rfc-editor.org/rfc/rfc9112#section-2)

/// Longest request, head and body, in bytes.
pub(crate) const LIMIT: usize = 16 * 1024;

/// A request, as far as the receiver needs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BrowserRequest<'a> {
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    /// The body, if it is a form.
    pub(crate) form: Option<&'a str>,
}

/// Request in the bytes that a browser has sent so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParsedRequest<'a> {
    /// The beginning of a request.
    Incomplete,
    Complete(BrowserRequest<'a>),
    /// No request of HTTP/1.
    Invalid,
    TooLarge,
}

/// Reads the bytes that have arrived.
pub(crate) fn read(bytes: &[u8]) -> ParsedRequest<'_> {
    let Some((head, body)) = split_head(bytes) else {
        return match () {
            () if bytes.len() > LIMIT => ParsedRequest::TooLarge,
            // TLS, for example, has no line break that would be waited for.
            () if !may_be_head(bytes) => ParsedRequest::Invalid,
            () => ParsedRequest::Incomplete,
        };
    };
    let Ok(head) = std::str::from_utf8(head) else {
        return ParsedRequest::Invalid;
    };
    let Some((mut request, length)) = read_head(head) else {
        return ParsedRequest::Invalid;
    };
    if length > LIMIT || bytes.len() - body.len() + length > LIMIT {
        return ParsedRequest::TooLarge;
    }
    let Some(body) = body.get(..length) else {
        return ParsedRequest::Incomplete;
    };
    if request.form.is_some() {
        request.form = std::str::from_utf8(body).ok();
    }
    ParsedRequest::Complete(request)
}

/// The head without the empty line at its end, and what follows.
fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\n' {
            continue;
        }
        if matches!(&bytes[line..at], b"" | b"\r") && line > 0 {
            return Some((&bytes[..line], &bytes[at + 1..]));
        }
        line = at + 1;
    }
    None
}

/// Whether a head may begin so: with the letters of a method.
fn may_be_head(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    method.len() <= 20 && method.iter().all(u8::is_ascii_uppercase)
}

/// The request with the length of its body. Its form is empty if the body is to be one.
fn read_head(head: &str) -> Option<(BrowserRequest<'_>, usize)> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_http = matches!(version, "HTTP/1.1" | "HTTP/1.0");
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if words.next().is_some() || !is_http || !is_method {
        return None;
    }
    let (mut host, mut length, mut is_form) = (None, None, false);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        // Also a line that continues the one before, which smuggles headers.
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let value = value.trim_matches([' ', '\t']);
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("host") {
            // "A server MUST respond with a 400 (Bad Request) status code [...] to any request
            // message that contains more than one Host header field line".
            if host.replace(value).is_some() {
                return None;
            }
        } else if is("content-length") {
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let number = value.parse().unwrap_or(usize::MAX);
            if !digits || length.replace(number).is_some() {
                return None;
            }
        } else if is("transfer-encoding") {
            return None;
        } else if is("content-type") {
            let kind = value.split(';').next().unwrap_or_default().trim();
            is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        }
    }
    let (authority, path) = split_target(target)?;
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let request = BrowserRequest {
        method,
        path,
        query,
        host: authority.or(host),
        form: is_form.then_some(""),
    };
    Some((request, length.unwrap_or(0)))
}

/// The authority of a target that a proxy would get, and the path.
fn split_target(target: &str) -> Option<(Option<&str>, &str)> {
    if target.starts_with('/') || target == "*" {
        return Some((None, target));
    }
    let rest = target.strip_prefix("http://")?;
    let (authority, _) = rest.split_once('/')?;
    Some((Some(authority), &rest[authority.len()..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> BrowserRequest<'_> {
        match read(text.as_bytes()) {
            ParsedRequest::Complete(request) => request,
            other => panic!("{text:?} is {other:?}"),
        }
    }

    #[test]
    fn requests_of_browsers() {
        let request = whole("GET /cb?code=c&state=S HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n");
        let expected = BrowserRequest {
            method: "GET",
            path: "/cb",
            query: Some("code=c&state=S"),
            host: Some("127.0.0.1:7"),
            form: None,
        };
        assert_eq!(request, expected);
        for (text, path, query, host) in [
            ("GET / HTTP/1.0\r\n\r\n", "/", None, None),
            (
                "GET /?a=?b HTTP/1.1\nhOsT:\tx \n\n",
                "/",
                Some("a=?b"),
                Some("x"),
            ),
            (
                "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                "*",
                None,
                Some("x"),
            ),
            (
                "GET http://y:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n",
                "/p",
                Some("q"),
                Some("y:1"),
            ),
            (
                "HEAD /p? HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n",
                "/p",
                Some(""),
                Some("x"),
            ),
        ] {
            let request = whole(text);
            assert_eq!(
                (request.path, request.query, request.host),
                (path, query, host),
                "{text}"
            );
        }
    }

    #[test]
    fn a_form_is_whole_with_its_last_byte() {
        let head = "POST /cb HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\
                    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n";
        for end in 0..=6 {
            let text = format!("{head}{}", &"code=cX"[..end]);
            let is_whole = matches!(read(text.as_bytes()), ParsedRequest::Complete(_));
            assert_eq!(is_whole, end == 6, "{end}");
            if !is_whole {
                assert_eq!(read(text.as_bytes()), ParsedRequest::Incomplete);
            }
        }
        assert_eq!(whole(&format!("{head}code=cX")).form, Some("code=c"));
        let json = head.replace("application/x-www-form-urlencoded", "text/plain");
        assert_eq!(whole(&format!("{json}code=c")).form, None);
    }

    #[test]
    fn what_has_not_ended_is_a_part() {
        let text = "GET /cb?code=c HTTP/1.1\r\nHost: x\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(
                read(&text.as_bytes()[..end]),
                ParsedRequest::Incomplete,
                "{end}"
            );
        }
    }

    #[test]
    fn garbage_is_known_at_once() {
        for bytes in [
            b"\x16\x03\x01\x02\x00\x01" as &[u8],
            b"SSH-2.0-OpenSSH",
            b"get / HTTP/1.1",
            b"\r\n\r\n",
            b"\n",
            b"GETGETGETGETGETGETGETGET",
            b"GET /\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1 x\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET cb HTTP/1.1\r\n\r\n",
            b"GET https://x/ HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\n: x\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(
                read(bytes),
                ParsedRequest::Invalid,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn a_long_request_is_not_kept() {
        let head = |more: usize| format!("GET /?{} HTTP/1.1\r\n", "a".repeat(more));
        assert_eq!(read(head(LIMIT).as_bytes()), ParsedRequest::TooLarge);
        assert_eq!(
            read(head(LIMIT - 100).as_bytes()),
            ParsedRequest::Incomplete
        );
        for length in [LIMIT, usize::MAX] {
            let text = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(read(text.as_bytes()), ParsedRequest::TooLarge);
        }
        let text = format!("POST / HTTP/1.1\r\nContent-Length: {}0\r\n\r\n", usize::MAX);
        assert_eq!(read(text.as_bytes()), ParsedRequest::TooLarge);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_request_panics(start in "(GET|POST) /[a-z?&=]{0,9} HTTP/1.1\r\n", rest in "[A-Za-z0-9:\r\n -]{0,80}") {
            let _ = read(format!("{start}{rest}").as_bytes());
        }
    }
}
