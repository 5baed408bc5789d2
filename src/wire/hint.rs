//! Advice about responses that are not those of an OAuth endpoint.

use http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::encoding::without_byte_order_mark;

/// Advice about an error response without an error code.
pub(super) fn about_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<&'static str> {
    match status {
        // The page of a proxy or a gateway says nothing about the URL.
        _ if status.is_server_error() => None,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some("a proxy refused the request; check the credentials of the proxy")
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Some("check the URL of the endpoint"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Some("the URL does not accept this method; check the URL of the endpoint")
        }
        StatusCode::NOT_ACCEPTABLE | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Some("the endpoint does not accept a form; compliance::json_requests sends JSON")
        }
        _ if is_html(headers, body) => Some(
            "the body is an HTML page; check that the URL is that of the endpoint, and not that \
             of a login page",
        ),
        _ => None,
    }
}

/// Advice about a body that cannot be read for this reason.
pub(super) fn about_body(headers: &HeaderMap, body: &[u8], problem: &str) -> Option<&'static str> {
    if is_html(headers, body) {
        return Some("this is an HTML page; check that the URL is that of the endpoint");
    }
    let text = without_byte_order_mark(body).trim_ascii();
    let is_form = text.contains(&b'=') && text.iter().all(|byte| byte.is_ascii_graphic());
    match text.first() {
        Some(b'{' | b'[' | b'"') | None => None,
        _ if is_form && problem.starts_with("is not JSON") => Some(
            "this is a form; convert it by EndpointResponse::form_to_json in a hook, as \
             compliance::github does",
        ),
        _ => None,
    }
}

/// The target of a redirect, without the parts that may be secret.
pub(super) fn target(headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    match location.map(Url::parse) {
        None => String::new(),
        Some(Ok(url)) => match url.host_str() {
            Some(host) => format!(" to {}://{host}", url.scheme()),
            None => String::new(),
        },
        Some(Err(_relative)) => " on the same host".to_owned(),
    }
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let body = without_byte_order_mark(body).trim_ascii_start();
    let starts = |tag: &[u8]| {
        body.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    let html = || {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        Some(
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html"),
        )
    };
    // Some servers send JSON with this type.
    starts(b"<!doctype html") || starts(b"<html") || body.starts_with(b"<") && html() == Some(true)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_page_is_told_from_json_and_text() {
        let (none, html) = (
            HeaderMap::new(),
            headers(header::CONTENT_TYPE, "text/HTML; charset=x"),
        );
        for (headers, body, is_page) in [
            (&none, "<!DOCTYPE html><p>", true),
            (&none, "\u{feff}\n<HTML>", true),
            (&html, "<head>", true),
            (&none, "<head>", false),
            (&html, "{\"error\":\"x\"}", false),
            (&html, "a=<html>", false),
            (&html, "", false),
        ] {
            assert_eq!(is_html(headers, body.as_bytes()), is_page, "{body}");
            let told = about_status(StatusCode::FORBIDDEN, headers, body.as_bytes());
            assert_eq!(told.is_some(), is_page, "{body}");
        }
        assert_eq!(
            about_status(StatusCode::BAD_GATEWAY, &html, b"<html>"),
            None
        );
    }

    #[test]
    fn a_form_is_told_from_text() {
        let none = HeaderMap::new();
        for (body, is_form) in [
            ("access_token=a&scope=b", true),
            ("this = that", false),
            ("{\"a\":\"=\"}", false),
            ("nothing", false),
            ("", false),
        ] {
            let told = about_body(&none, body.as_bytes(), "is not JSON, at line 1");
            assert_eq!(told.is_some(), is_form, "{body}");
            let told = about_body(
                &none,
                body.as_bytes(),
                "is a form with a duplicate parameter",
            );
            assert_eq!(told, None, "{body}");
        }
    }

    #[test]
    fn a_redirect_names_the_host_alone() {
        for (location, said) in [
            (
                "https://u:hunter2@b.example/hunter2?hunter2#hunter2",
                " to https://b.example",
            ),
            ("/hunter2", " on the same host"),
            ("mailto:hunter2", ""),
        ] {
            assert_eq!(target(&headers(header::LOCATION, location)), said);
        }
        assert_eq!(target(&HeaderMap::new()), "");
    }
}
