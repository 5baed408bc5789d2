//! Redirection URIs on loopback.
//!
//! [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use crate::error::{Error, Result};

/// A redirection URI on loopback, as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoopbackUri {
    /// The host as it was written.
    host: String,
    /// The host as browsers write it: `127.0.0.1` for `127.1`.
    normalized_host: String,
    pub(crate) address: LoopbackHost,
    /// The fixed port, unless any port will do.
    pub(crate) port: Option<u16>,
    /// The rest of the URI after the port, as it was written.
    rest: String,
    /// The path that a browser requests.
    pub(crate) path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoopbackHost {
    Address(IpAddr),
    /// Either family: the browser chooses.
    Localhost,
}

impl LoopbackUri {
    /// The URI, if it is one on loopback; none if it is an absolute URI elsewhere.
    pub(crate) fn parse(uri: &str) -> Result<Option<Self>> {
        let wrong = |problem: &str| Err(Error::usage(format!("the redirect_uri {problem}")));
        let url = match Url::parse(uri) {
            Ok(url) => url,
            Err(error) => return wrong(&format!("is not an absolute URI ({error})")),
        };
        let address = match url.host() {
            Some(Host::Ipv4(address)) if address.is_loopback() => {
                LoopbackHost::Address(IpAddr::V4(address))
            }
            Some(Host::Ipv6(Ipv6Addr::LOCALHOST)) => {
                LoopbackHost::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
            Some(Host::Domain("localhost")) => LoopbackHost::Localhost,
            _ => return Ok(None),
        };
        if url.scheme() != "http" {
            return wrong("must begin with http://, as there are no certificates for loopback");
        }
        if url.fragment().is_some() {
            return wrong("must not have a fragment (the part after #)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("must not contain a user name or a password");
        }
        // Servers compare what was registered with what they get letter by letter, but for the port.
        let Some((_, written)) = uri.split_once("://") else {
            return wrong("must begin with http://");
        };
        let end = written.find(['/', '?']).unwrap_or(written.len());
        let (authority, rest) = written.split_at(end);
        let host_end = match authority.rfind(']') {
            Some(bracket) => bracket + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at(host_end);
        // The port 80 is the default of a URL, and so not in `url`.
        let port = match port.strip_prefix(':').filter(|port| !port.is_empty()) {
            Some(port) => match port.parse() {
                Ok(port) => Some(port).filter(|port| *port != 0),
                Err(_) => return wrong("has an invalid port"),
            },
            None => None,
        };
        Ok(Some(Self {
            host: host.to_owned(),
            normalized_host: url.host_str().unwrap_or_default().to_owned(),
            address,
            port,
            rest: rest.to_owned(),
            path: url.path().to_owned(),
        }))
    }

    /// The URI of an authorization request, with the port that is listened on.
    pub(crate) fn with_port(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host, self.rest)
    }

    /// Whether the header `Host` names this receiver.
    pub(crate) fn is_host(&self, host: &str, port: u16) -> bool {
        [&self.host, &self.normalized_host].into_iter().any(|own| {
            let with_port = format!("{own}:{port}");
            host.eq_ignore_ascii_case(&with_port) || (port == 80 && host.eq_ignore_ascii_case(own))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> LoopbackUri {
        LoopbackUri::parse(uri).expect(uri).expect(uri)
    }

    #[test]
    fn host_path_and_a_fixed_port_are_kept_as_they_were_written() {
        for (uri, port, with_port, path) in [
            ("http://127.0.0.1", None, "http://127.0.0.1:7", "/"),
            ("http://127.0.0.1/", None, "http://127.0.0.1:7/", "/"),
            (
                "http://127.0.0.1:0/cb",
                None,
                "http://127.0.0.1:7/cb",
                "/cb",
            ),
            ("http://127.0.0.1:/cb", None, "http://127.0.0.1:7/cb", "/cb"),
            (
                "http://127.0.0.1:80/cb",
                Some(80),
                "http://127.0.0.1:7/cb",
                "/cb",
            ),
            (
                "http://127.0.0.2:8250/a/b?c=d",
                Some(8250),
                "http://127.0.0.2:7/a/b?c=d",
                "/a/b",
            ),
            ("http://[::1]/cb", None, "http://[::1]:7/cb", "/cb"),
            (
                "http://[::1]:8250/cb",
                Some(8250),
                "http://[::1]:7/cb",
                "/cb",
            ),
            ("http://localhost", None, "http://localhost:7", "/"),
            (
                "http://LOCALHOST:8250/%7Ea b",
                Some(8250),
                "http://LOCALHOST:7/%7Ea b",
                "/%7Ea%20b",
            ),
            ("http://localhost?x", None, "http://localhost:7?x", "/"),
        ] {
            let parsed = parsed(uri);
            assert_eq!(parsed.port, port, "{uri}");
            assert_eq!(parsed.with_port(7), with_port, "{uri}");
            assert_eq!(parsed.path, path, "{uri}");
        }
        assert_eq!(parsed("http://localhost/").address, LoopbackHost::Localhost);
    }

    #[test]
    fn what_is_elsewhere_is_no_loopback_and_what_cannot_be_served_is_refused() {
        for uri in [
            "https://app.example/cb",
            "http://10.0.0.1/cb",
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "com.example.app:/cb",
            "urn:ietf:wg:oauth:2.0:oob",
        ] {
            assert_eq!(LoopbackUri::parse(uri).expect(uri), None, "{uri}");
        }
        for (uri, problem) in [
            ("cb", "absolute"),
            ("https://localhost/cb", "http://"),
            ("http://localhost/cb#x", "fragment"),
            ("http://me@localhost/cb", "user name"),
            ("http://localhost:99999/", "absolute"),
        ] {
            let error = LoopbackUri::parse(uri).expect_err(uri);
            assert!(error.to_string().contains(problem), "{uri}: {error}");
        }
    }

    #[test]
    fn another_host_is_another_receiver() {
        let uri = parsed("http://127.0.0.1/cb");
        assert!(uri.is_host("127.0.0.1:7", 7));
        for host in [
            "127.0.0.1",
            "127.0.0.1:8",
            "localhost:7",
            "evil.example:7",
            "",
        ] {
            assert!(!uri.is_host(host, 7), "{host}");
        }
        assert!(parsed("http://127.0.0.1:80/").is_host("127.0.0.1", 80));
        assert!(parsed("http://localhost").is_host("LocalHost:7", 7));
    }

    #[test]
    fn a_host_in_another_spelling_is_that_of_the_browser() {
        for (uri, host, with_port) in [
            ("http://127.1/cb", "127.0.0.1:7", "http://127.1:7/cb"),
            ("http://0x7f.1:7/cb", "127.0.0.1:7", "http://0x7f.1:7/cb"),
            (
                "http://[0:0:0:0:0:0:0:1]/cb",
                "[::1]:7",
                "http://[0:0:0:0:0:0:0:1]:7/cb",
            ),
        ] {
            let uri = parsed(uri);
            assert!(uri.is_host(host, 7), "{uri:?}");
            assert!(!uri.is_host("localhost:7", 7) && !uri.is_host("127.0.0.2:7", 7));
            // Servers compare it with what was registered.
            assert_eq!(uri.with_port(7), with_port);
        }
        assert!(parsed("http://127.1:80/").is_host("127.0.0.1", 80));
    }
}
