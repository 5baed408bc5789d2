//! Hosts that a credential file may send tokens to, or get them from.
//!
//! A file names URLs, and may come from a stranger: a token that is meant for Google must not go
//! elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{
    error::{Error, Result},
    wire::secure_url::is_loopback,
};

/// The domain of Google's own services.
pub(super) const GOOGLE: &str = "googleapis.com";

/// The host of the metadata server of Google's machines.
pub(super) const METADATA_HOST: &str = "metadata.google.internal";

/// The address of the metadata servers of the clouds, and that of AWS by IPv6.
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Parses the URL of a service of Google, such as `sts`, at any of its hosts in this universe
/// domain; or on loopback, where no other machine can be.
pub(super) fn google_url(member: &str, url: &str, service: &str, universe: &str) -> Result<Url> {
    let refused = |problem: &str| {
        Error::usage(format!(
            "the {member} of the credential file {problem}; use only files from a source that you \
             trust"
        ))
    };
    let parsed = parse(url).ok_or_else(|| refused("is not a URL"))?;
    if is_loopback(&parsed) {
        return Ok(parsed);
    }
    if parsed.scheme() != "https" || parsed.port().is_some() {
        return Err(refused("is not an https URL with the default port"));
    }
    let host = parsed.host_str().unwrap_or_default();
    match is_service(host, service, universe) {
        true => Ok(parsed),
        false => Err(refused(&format!(
            "has a host other than {service}.{universe}"
        ))),
    }
}

/// Parses the URL of a metadata server of AWS.
///
/// "The host should either be 169.254.169.254 or fd00:ec2::254."
///
/// [AIP-4117](https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws)
pub(super) fn aws_url(member: &str, url: &str) -> Result<Url> {
    let parsed = parse(url).filter(|url| matches!(url.scheme(), "http" | "https"));
    let parsed = parsed.filter(|url| is_loopback(url) || is_metadata_address(url));
    parsed.ok_or_else(|| {
        Error::usage(format!(
            "the {member} of the credential file has a host other than {METADATA_V4} and \
             [{METADATA_V6}], the metadata server of AWS"
        ))
    })
}

/// Parses a URL from which a subject token is read: by HTTPS, or from a metadata server or loopback.
pub(super) fn source_url(url: &str) -> Result<Url> {
    let parsed = parse(url).filter(|url| {
        url.scheme() == "https" || (url.scheme() == "http" && permits_plain_http(url))
    });
    parsed.ok_or_else(|| {
        Error::usage(
            "the credential_source.url of the credential file is not an https URL, and not that of \
             a metadata server or on loopback",
        )
    })
}

/// Whether a request may be sent there by plain HTTP: to this machine or to the metadata server,
/// which the machine's host answers.
pub(crate) fn permits_plain_http(url: &Url) -> bool {
    is_loopback(url) || is_metadata_address(url) || url.host_str() == Some(METADATA_HOST)
}

fn is_metadata_address(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == METADATA_V4,
        Some(Host::Ipv6(address)) => address == METADATA_V6,
        _ => false,
    }
}

fn parse(url: &str) -> Option<Url> {
    // The parser removes them, and so would accept a host that is written with them.
    if url.contains(|c: char| c.is_ascii_whitespace() || c.is_control()) || !url.contains("://") {
        return None;
    }
    let url = Url::parse(url).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (url.has_host() && is_plain && url.fragment().is_none()).then_some(url)
}

/// Whether the host is that of the service: `sts.D`, `x.sts.D`, `sts.x.D`, `x-sts.D`, `sts-x.p.D`.
fn is_service(host: &str, service: &str, universe: &str) -> bool {
    let Some(labels) = host
        .strip_suffix(universe)
        .and_then(|host| host.strip_suffix('.'))
    else {
        return false;
    };
    match labels.split('.').collect::<Vec<_>>()[..] {
        [label] => {
            let zone = label
                .strip_suffix(service)
                .and_then(|zone| zone.strip_suffix('-'));
            label == service || zone.is_some_and(|zone| !zone.is_empty())
        }
        [zone, label] if label == service => !zone.is_empty(),
        [label, zone] if label == service => !zone.is_empty(),
        [label, "p"] => {
            let zone = label
                .strip_prefix(service)
                .and_then(|zone| zone.strip_prefix('-'));
            zone.is_some_and(|zone| !zone.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lists of Google's own libraries.
    #[test]
    fn hosts_of_google() {
        for service in ["sts", "iamcredentials"] {
            for good in [
                "https://S.googleapis.com",
                "https://us-east-1.S.googleapis.com",
                "https://US-EAST-1.S.googleapis.com",
                "https://S.us-east-1.googleapis.com",
                "https://S.US-WEST-1.googleapis.com",
                "https://us-east-1-S.googleapis.com",
                "https://US-WEST-1-S.googleapis.com",
                "https://us-west-1-S.googleapis.com/path?query",
                "https://S-us-east-1.p.googleapis.com",
                "https://S.mtls.googleapis.com/v1/token",
                "http://127.0.0.1:8080/v1/token",
                "http://localhost/",
            ] {
                let url = good
                    .replace('S', service)
                    .replace(&service.to_uppercase(), service);
                assert!(
                    google_url("token_url", &url, service, GOOGLE).is_ok(),
                    "{url}"
                );
            }
            for bad in [
                "https://evil.example",
                "S.googleapis.com",
                "https://",
                "http://S.googleapis.com",
                "https://S.googleapis.com:8443/",
                "https://user@S.googleapis.com/",
                "https://S.googleapis.com/#a",
                "https://x.S.x.googleapis.com",
                "https://us-eas\t-1.S.googleapis.com",
                "https:/us-east-1.S.googleapis.com",
                "https://US-WE/ST-1-S.googleapis.com",
                "https://S-us-east-1.googleapis.com",
                "testhttps://us-east-1.S.googleapis.com",
                "https://us-east-1.S.googleapis.comevil.com",
                "https://us-east-1.us-east-1.S.googleapis.com",
                "https://us-ea.s.t.S.googleapis.com",
                "https://S.googleapis.comevil.com",
                "https://us- -1.S.googleapis.com",
                "https://-S.googleapis.com",
                "https://us-east-1.S.googleapis.com.evil.com",
                "https://S.pgoogleapis.com",
                "https://p.googleapis.com",
                "https://googleapis.com",
                "https://S.p.com",
                "http://S.p.googleapis.com",
                "https://xyz-S.p.googleapis.com",
                "https://S-xyz.123.p.googleapis.com",
                "https://S-xyz.p1.googleapis.com",
                "https://S-xyz.p.foo.com",
                "https://S-xyz.p.foo.googleapis.com",
                "https://evilS.googleapis.com",
                "https://.S.googleapis.com",
                "http://169.254.169.254/",
            ] {
                let url = bad.replace('S', service);
                let error = google_url("token_url", &url, service, GOOGLE).expect_err(&url);
                assert!(error.to_string().contains("token_url"), "{error}");
            }
        }
        assert!(google_url("u", "https://iamcredentials.googleapis.com", "sts", GOOGLE).is_err());
    }

    #[test]
    fn hosts_of_another_universe() {
        let url = |url| google_url("token_url", url, "sts", "example.goog");
        assert!(url("https://sts.example.goog/v1/token").is_ok());
        assert!(url("https://sts.googleapis.com/v1/token").is_err());
        assert!(url("https://sts.evilexample.goog/v1/token").is_err());
    }

    #[test]
    fn metadata_servers() {
        for good in [
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::254]/latest",
            "http://127.0.0.1:1/",
        ] {
            assert!(
                aws_url("url", good).is_ok() && source_url(good).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "http://169.254.169.253/",
            "http://metadata.google.internal/",
            "https://evil.example/",
            "ftp://169.254.169.254/",
            "http://169.254.169.254.evil.example/",
            "//169.254.169.254/",
            "",
        ] {
            assert!(aws_url("url", bad).is_err(), "{bad}");
        }
        for good in [
            "https://id.example/token",
            "http://metadata.google.internal/a",
            "http://localhost:5000/token",
        ] {
            assert!(source_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example/token",
            "http://169.254.169.25/",
            "file:///etc/passwd",
            "x",
            "http://10.0.0.1/",
        ] {
            assert!(source_url(bad).is_err(), "{bad}");
        }
    }
}
