use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn response(status: u16, body: impl Into<Vec<u8>>) -> EndpointResponse {
    let status = StatusCode::from_u16(status).expect("a status");
    EndpointResponse::new(status, HeaderMap::new(), body)
}

#[test]
fn debug_tells_no_secret() {
    assert_eq!(
        format!("{:?}", response(200, "hunter2")),
        "EndpointResponse { status: 200, headers: [], body: 7 bytes }"
    );
}

#[test]
fn only_forms_become_json() {
    for (before, after) in [
        ("a=1&b=x%20y&c", r#"{"a":"1","b":"x y","c":""}"#),
        ("\u{feff}\r\na=1\r\n", r#"{"a":"1"}"#),
        ("a=%ZZ&b=%FF&c=1", r#"{"c":"1"}"#),
        (r#"{"a":"b=c"}"#, r#"{"a":"b=c"}"#),
        ("<html a=b>", "<html a=b>"),
        ("", ""),
        ("no form", "no form"),
        ("a=1&a=2", "a=1&a=2"),
        ("a=1&a=%ZZ", "a=1&a=%ZZ"),
    ] {
        let mut response = response(200, before);
        response.form_to_json();
        assert_eq!(response.body(), after.as_bytes());
    }
}

#[test]
fn the_status_counts_before_the_body_and_after_the_error() {
    let read = |status, error: Option<ErrorResponse>| {
        let response = response(status, "{}");
        response.answer().read(Ok(7), |_| error)
    };
    for status in [200, 201, 204, 299] {
        assert_eq!(read(status, None).expect("members"), 7);
    }
    for (status, kind) in [
        (100, ErrorKind::Answer),
        (302, ErrorKind::Answer),
        (304, ErrorKind::Answer),
        (404, ErrorKind::Server),
        (503, ErrorKind::Server),
        (600, ErrorKind::Answer),
    ] {
        let error = read(status, None).expect_err("an error");
        assert_eq!((error.kind(), error.code()), (kind, None), "{status}");
    }
    for status in [200, 302, 400, 503] {
        let error = response(400, "")
            .answer()
            .error()
            .with_error("e", None, None);
        let error = read(status, Some(error)).expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.code().is_some());
    }
}

#[test]
fn an_unreadable_body_is_described_and_not_quoted() {
    let html = header::HeaderValue::from_static("text/html; charset=x");
    for (body, json, form_or_json) in [
        ("", "has no body", "has no body"),
        (
            "hunter2",
            "is not JSON, at line 1, column 1 (text/html, 7 bytes)",
            "is neither a form nor a JSON object (text/html, 7 bytes)",
        ),
        (
            "[7]",
            "is not a JSON object, or has a duplicate member, at line 1, column 1 (text/html, \
             3 bytes)",
            "is neither a form nor a JSON object (text/html, 3 bytes)",
        ),
        (
            "{\"a\":1",
            "is truncated JSON, at line 1, column 6 (text/html, 6 bytes)",
            "is truncated JSON, at line 1, column 6 (text/html, 6 bytes)",
        ),
        (
            r#"{"a":1,"a":2}"#,
            "is not a JSON object, or has a duplicate member, at line 1, column 13 \
             (text/html, 13 bytes)",
            "is not a JSON object, or has a duplicate member, at line 1, column 13 \
             (text/html, 13 bytes)",
        ),
        (
            "a=1&a=2",
            "is not JSON, at line 1, column 1 (text/html, 7 bytes)",
            "is a form with a duplicate parameter (text/html, 7 bytes)",
        ),
    ] {
        let mut response = response(200, body);
        response.headers.insert(header::CONTENT_TYPE, html.clone());
        let answer = response.answer();
        let error = answer.read(answer.json(), |_| None).expect_err(body);
        assert_eq!(
            error.to_string(),
            match json.starts_with("is not JSON") && body.contains('=') {
                true => format!(
                    "the response {json} (status 200 OK); this is a form; convert it by \
                     EndpointResponse::form_to_json in a hook, as compliance::github does"
                ),
                false => format!("the response {json} (status 200 OK)"),
            }
        );
        let error = answer
            .read(answer.form_or_json(), |_| None)
            .expect_err(body);
        assert_eq!(
            error.to_string(),
            format!("the response {form_or_json} (status 200 OK)")
        );
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for body in ["{\"a\":\"1\"}", " {\"a\":\"1\"}\r\n", "a=1", "\r\na=1\r\n"] {
        let response = response(200, format!("\u{feff}{body}"));
        let form = response.answer().form_or_json().expect(body);
        assert_eq!(form.members["a"], "1", "{body}");
        assert_eq!(response.json().is_some(), body.contains('{'));
    }
}

#[test]
fn what_cannot_be_decoded_is_named_and_not_replaced() {
    let response = response(200, "a=%FF&b=%ZZ&c=1&d=%C3%A4");
    let form = response.answer().form_or_json().expect("a form");
    assert!(form.unreadable.iter().eq(["a", "b"]));
    assert_eq!(
        Value::Object(form.members),
        serde_json::json!({"c": "1", "d": "\u{e4}"})
    );
}

/// A body is read in a time that grows with its length, and not with its square.
#[test]
fn many_parameters_that_cannot_be_decoded_take_no_long_time() {
    use std::time::{Duration, Instant};
    let body: Vec<_> = (0..60_000).map(|n| format!("{n:x}=%FF")).collect();
    let twice = response(200, "a=%FF&a=%FF");
    assert!(twice.answer().form_or_json().is_err());
    let response = response(200, body.join("&"));
    let started = Instant::now();
    let form = response.answer().form_or_json().expect("a form");
    assert_eq!(form.unreadable.len(), 60_000);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

proptest! {
    #[test]
    fn any_body_is_read(body: Vec<u8>) {
        let mut response = response(200, body);
        let _ = response.answer().json();
        let _ = response.answer().form_or_json();
        response.form_to_json();
    }
}
