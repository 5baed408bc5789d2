//! Checks of URLs that secrets are sent to.
//!
//! [RFC 6749 section 3.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2.1),
//! [RFC 8252 section 7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)

use url::{Host, Url};

/// Parses and checks the URL of an endpoint. The error does not name the setting.
pub(crate) fn check_endpoint(url: &str, allow_http: bool) -> Result<Url, String> {
    let url = parse_endpoint(url)?;
    check_endpoint_url(&url, allow_http)?;
    Ok(url)
}

pub(crate) fn parse_endpoint(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| format!("is not an absolute URL ({error})"))
}

/// Checks the URL of an endpoint.
pub(crate) fn check_endpoint_url(url: &Url, allow_http: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err("must be an https URL".to_owned());
    }
    // "The endpoint URI MUST NOT include a fragment component."
    if url.fragment().is_some() {
        return Err("must not have a fragment (the part after #)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or a password".to_owned());
    }
    if !is_secure(url, allow_http) {
        return Err(
            "must be https or on loopback (dangerous_allow_http permits plain http)".to_owned(),
        );
    }
    Ok(())
}

/// The URL for display: without its query, user name and password, which may be secret.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    // They fail if a URL cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

/// Whether secrets may be sent there: by HTTPS, or by plain HTTP on loopback.
pub(crate) fn is_secure(url: &Url, allow_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => allow_http || is_loopback(url),
        _ => false,
    }
}

/// Whether the host is a loopback address or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secure(url: &str) -> bool {
        is_secure(&Url::parse(url).expect("a URL"), false)
    }

    #[test]
    fn https_or_loopback() {
        for good in [
            "https://id.example/token",
            "http://127.0.0.1:8080/",
            "http://127.1.2.3/",
            "http://[::1]/",
            "http://localhost/",
            "http://LOCALHOST:1/",
            r"http://localhost\@evil.example/",
        ] {
            assert!(secure(good), "{good}");
        }
        for bad in [
            "http://id.example/",
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
            "http://[::2]/",
            "http://0.0.0.0/",
            r"http://evil.example\@localhost/",
            r"http://evil.example\@127.0.0.1/",
            r"http:\\evil.example\@[::1]/",
            "http://localhost@evil.example/",
            "http://evil.example#@localhost/",
            "http://local\thost.evil.example/",
            "ftp://localhost/",
            "data:text/plain,x",
        ] {
            assert!(!secure(bad), "{bad}");
        }
        let url = Url::parse("http://id.example/").expect("a URL");
        assert!(is_secure(&url, true));
        assert!(check_endpoint(r"http://evil.example\@localhost/", false).is_err());
    }
}
