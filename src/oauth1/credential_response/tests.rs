use http::{HeaderValue, header};
use proptest::prelude::*;

use super::*;
use crate::error::{ErrorCode, ErrorKind, ErrorResponse};

fn signer() -> Signer {
    Signer::new("me")
        .client_secret("hun&ter2")
        .token("the-token", "s3cret")
        .verifier("v3rifier")
}

fn temporary(status: u16, body: &str) -> Result<TemporaryCredentials> {
    let status = StatusCode::from_u16(status).expect("a status");
    signer().read_temporary_credentials(status, &HeaderMap::new(), body.as_bytes())
}

fn token(status: u16, headers: &HeaderMap, body: &str) -> Result<TokenCredentials> {
    let status = StatusCode::from_u16(status).expect("a status");
    signer().read_token_credentials(status, headers, body.as_bytes())
}

#[test]
fn a_form_or_json() {
    for body in [
        "oauth_token=a%20b&oauth_token_secret=c%2Bd&oauth_callback_confirmed=true&x=1",
        "\r\noauth_callback_confirmed=true&x=1&oauth_token=a+b&oauth_token_secret=c%2bd\n",
        r#"{"oauth_token":"a b","oauth_token_secret":"c+d","oauth_callback_confirmed":true,"x":"1"}"#,
        r#" {"oauth_token":"a b","oauth_token_secret":"c+d","oauth_callback_confirmed":"true","x":"1"}"#,
        "\u{feff}oauth_token=a%20b&oauth_token_secret=c%2Bd&oauth_callback_confirmed=true&x=1",
        "\u{feff}{\"oauth_token\":\"a b\",\"oauth_token_secret\":\"c+d\",\"oauth_callback_confirmed\":true,\"x\":\"1\"}",
    ] {
        let credentials = temporary(200, body).expect(body);
        assert_eq!(credentials.token().expose_secret(), "a b");
        assert_eq!(credentials.token_secret().expose_secret(), "c+d");
        assert_eq!(credentials.get("x"), Some(&"1".into()));
    }
    let body = "oauth_token=t&oauth_token_secret=&user_id=7&oauth_session_handle=h";
    let credentials = token(201, &HeaderMap::new(), body).expect(body);
    assert_eq!(credentials.get("user_id"), Some(&"7".into()));
    assert_eq!(credentials.session_handle(), Some(&"h".into()));
}

#[test]
fn an_answer_that_is_none_says_status_and_kind_and_no_secret() {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=x"),
    );
    for (body, problem) in [
        ("<html a=hunter2>", "is neither a form nor a JSON object"),
        ("hunter2", "is neither a form nor a JSON object"),
        (r#"["hunter2"]"#, "is neither a form nor a JSON object"),
        (r#"{"hunter2""#, "is truncated JSON, at line 1, column 10"),
        (
            r#"{"oauth_token":"hunter2","oauth_token":"b"}"#,
            "is not a JSON object, or has a duplicate member, at line 1, column 43",
        ),
        (
            "oauth_token=hunter2&oauth_token=b",
            "is a form with a duplicate parameter",
        ),
    ] {
        let error = token(200, &headers, body).expect_err(body);
        let length = body.len();
        assert_eq!(
            error.to_string(),
            format!(
                "the response {problem} (text/html, {length} bytes) (status 200 OK){}",
                match body.starts_with('<') {
                    true => "; this is an HTML page; check that the URL is that of the endpoint",
                    false => "",
                }
            )
        );
        assert_eq!(error.kind(), ErrorKind::Answer);
    }
    for (status, body, problem) in [
        (200, "", "the response has no body (status 200 OK)"),
        (
            200,
            "oauth_token=hunter2",
            "the response has no oauth_token_secret (status 200 OK)",
        ),
        (
            200,
            "oauth_token_secret=hunter2",
            "the response has no oauth_token (status 200 OK)",
        ),
        (
            302,
            "oauth_token=hunter2&oauth_token_secret=b",
            "the endpoint redirects, and redirects of endpoints are not followed; set \
             the URL that it redirects to \
             (status 302 Found)",
        ),
    ] {
        let error = token(status, &headers, body).expect_err(body);
        assert_eq!(error.to_string(), problem);
    }
}

/// A replacement character would make another credential of it.
#[test]
fn credentials_that_cannot_be_decoded_are_an_error() {
    let none = HeaderMap::new();
    for bad in ["%FF", "%ZZ", "a%", "%C3%28", "\u{fffd}%E4"] {
        for name in ["oauth_token", "oauth_token_secret", "oauth_session_handle"] {
            let mut fields = vec!["oauth_token=a", "oauth_token_secret=b"];
            fields.retain(|field| !field.starts_with(&format!("{name}=")));
            let field = format!("{name}={bad}");
            fields.push(&field);
            let error = token(200, &none, &fields.join("&")).expect_err(&field);
            assert_eq!(
                error.to_string(),
                format!("the {name} of the response is not percent-encoded UTF-8 (status 200 OK)")
            );
        }
        // What the client does not need does not cost it the credentials.
        let body = format!("oauth_token=a&oauth_token_secret=b&screen_name={bad}");
        let credentials = token(200, &none, &body).expect(bad);
        assert_eq!(credentials.get("screen_name"), None);
        let body = format!("oauth_problem=nonce_used&oauth_problem_advice={bad}");
        let error = token(401, &none, &body).expect_err(bad);
        assert_eq!(
            error.to_string(),
            "the server refused the request: 401 nonce_used"
        );
    }
    let body = b"oauth_token=a&oauth_token_secret=\xff";
    let error = signer().read_token_credentials(StatusCode::OK, &none, body);
    assert!(error.is_err());
}

#[test]
fn an_error_says_what_the_server_said_in_text() {
    let none = HeaderMap::new();
    for (body, said) in [
        (
            "Invalid signature for s3cret\nstack trace",
            "401 Unauthorized: Invalid signature for [redacted]",
        ),
        (
            "\u{feff}\r\n Timestamp is off \r\n",
            "401 Unauthorized: Timestamp is off",
        ),
        (
            "<html><h1>s3cret</h1>oauth_problem=signature_invalid</html>",
            "401 signature_invalid",
        ),
        ("", "401 Unauthorized"),
        (
            r#"{"errors":[{"code":32}]}"#,
            "401 Unauthorized, with the members errors",
        ),
    ] {
        let error = token(401, &none, body).expect_err(body);
        assert_eq!(
            error.to_string(),
            format!("the server refused the request: {said}")
        );
    }
    let long = "x".repeat(10_000);
    let error = token(400, &none, &long).expect_err("too long");
    assert!(error.to_string().len() < 400);
    let error = token(200, &none, "Invalid signature").expect_err("no credentials");
    assert_eq!(error.kind(), ErrorKind::Answer);
}

#[test]
fn an_unconfirmed_callback_is_refused() {
    for confirmed in [
        "",
        "&oauth_callback_confirmed=false",
        "&oauth_callback_confirmed=True",
    ] {
        let body = format!("oauth_token=a&oauth_token_secret=b{confirmed}");
        let error = temporary(200, &body).expect_err(confirmed);
        assert_eq!(
            error.to_string(),
            "the response lacks oauth_callback_confirmed=true; the server may speak the insecure \
             first version of OAuth 1.0, which dangerous_allow_unconfirmed_callback permits \
             (status 200 OK)"
        );
        let signer = signer().dangerous_allow_unconfirmed_callback();
        let none = HeaderMap::new();
        assert!(
            signer
                .read_temporary_credentials(StatusCode::OK, &none, body.as_bytes())
                .is_ok()
        );
    }
}

#[test]
fn problems_are_reported() {
    let mut challenge = HeaderMap::new();
    let value = "OAuth realm=\"a, oauth_problem=b\", oauth_problem=\"token_expired\", \
                 oauth_problem_advice=\"log%20in+again\"";
    challenge.append(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"x\""),
    );
    challenge.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
    let none = HeaderMap::new();
    for (status, headers, body, code, description) in [
        (
            401,
            &none,
            "oauth_problem=nonce_used",
            Some("nonce_used"),
            None,
        ),
        (
            200,
            &none,
            r#"{"oauth_problem":"token_revoked"}"#,
            Some("token_revoked"),
            None,
        ),
        (
            400,
            &none,
            "oauth_problem=parameter_absent&oauth_parameters_absent=oauth_nonce%26oauth_token",
            Some("parameter_absent"),
            Some("oauth_nonce&oauth_token"),
        ),
        (
            401,
            &challenge,
            "no",
            Some("token_expired"),
            Some("log in+again"),
        ),
        (
            401,
            &none,
            "oauth_problem=signature_invalid&oauth_problem_advice=hun%2526ter2%26s3cret,+v3rifier",
            Some("signature_invalid"),
            Some("[redacted]&[redacted], [redacted]"),
        ),
        (
            401,
            &none,
            "Invalid request token",
            None,
            Some("Invalid request token"),
        ),
        (503, &none, "", None, None),
    ] {
        let error = token(status, headers, body).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(error.code().map(ErrorCode::as_str), code, "{body}");
        let said = error.response().and_then(ErrorResponse::description);
        assert_eq!(said, description, "{body}");
    }
}

proptest! {
    #[test]
    fn any_answer_is_read(body: Vec<u8>, status in 100..600u16) {
        let status = StatusCode::from_u16(status).expect("a status");
        let _ = signer().read_token_credentials(status, &HeaderMap::new(), &body);
    }
}
