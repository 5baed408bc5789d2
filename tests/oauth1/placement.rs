//! Placement of the parameters; everything else stays unchanged.

use oauth_twin::{
    http::{
        Method,
        header::{CONTENT_TYPE, HOST, HeaderMap},
    },
    oauth1::{Body, SignatureMethod, SignatureType},
};

use super::{FORM, form, header, headers, signer};

#[test]
fn the_realm_is_quoted_and_stands_in_the_header_only() {
    let url = "https://a.example/";
    for (realm, quoted) in [
        ("", r#"OAuth realm="", oauth_consumer_key="#),
        (
            r#"a "b" \c, d=e"#,
            r#"OAuth realm="a \"b\" \\c, d=e", oauth_consumer_key="#,
        ),
    ] {
        let signer = signer().realm(realm);
        let signed = signer
            .sign(&Method::GET, url, &HeaderMap::new(), "")
            .expect(realm);
        assert!(header(&signed).starts_with(quoted), "{signed:?}");
        let base_string = signer.base_string(&Method::GET, url, &HeaderMap::new(), "");
        assert!(!base_string.expect(realm).contains("realm"));
        let query = signer.signature_type(SignatureType::Query);
        let signed = query
            .sign(&Method::GET, url, &HeaderMap::new(), "")
            .expect(realm);
        assert!(!signed.url.contains("realm"));
    }
    let signed = signer().realm("a\r\nb");
    let signed = signed.sign(&Method::GET, url, &HeaderMap::new(), "");
    assert!(signed.is_err());
}

#[test]
fn the_host_header_takes_the_place_of_the_url_s() {
    let host = headers([(HOST, "API.example:80")]);
    let base_string = signer().base_string(&Method::GET, "http://127.0.0.1:9/p", &host, "");
    let base_string = base_string.expect("a base string");
    assert!(
        base_string.starts_with("GET&http%3A%2F%2Fapi.example%2Fp&"),
        "{base_string}"
    );
}

#[test]
fn only_what_is_a_form_is_signed_and_nothing_else_is_touched() {
    let url = "https://a.example/";
    let base_string = |content_type: &str, body: &[u8]| {
        let headers = headers([(CONTENT_TYPE, content_type)]);
        let signer = signer();
        let signed = signer
            .sign(&Method::POST, url, &headers, body)
            .expect(content_type);
        assert!(signed.body.is_none() && signed.content_type.is_none());
        signer
            .base_string(&Method::POST, url, &headers, body)
            .expect(content_type)
    };
    for (content_type, signed) in [
        (FORM, true),
        ("Application/X-WWW-Form-URLencoded ; charset=UTF-8", true),
        ("application/json", false),
        ("multipart/form-data; boundary=x", false),
        ("application/x-www-form-urlencoded2", false),
        ("text/plain", false),
    ] {
        let contained = base_string(content_type, b"x=1").contains("%26x%3D1");
        assert_eq!(contained, signed, "{content_type}");
    }
    assert!(!base_string("application/octet-stream", b"\xff\0=&").contains("FF"));
    // No content type is no form, whatever it looks like.
    let base_string = signer().base_string(&Method::POST, url, &HeaderMap::new(), "x=1");
    assert!(!base_string.expect("a base string").contains("x%3D1"));
}

#[test]
fn a_body_is_hashed_when_asked_unless_it_is_a_form() {
    let url = "https://a.example/";
    let json = headers([(CONTENT_TYPE, "application/json")]);
    for (method, headers, body, hash) in [
        (
            SignatureMethod::HmacSha1,
            &json,
            r#"{"a": 1}"#,
            "5K1NqtU6LuwDEzhq2oghHlDWk70%3D",
        ),
        (
            SignatureMethod::HmacSha256,
            &json,
            r#"{"a": 1}"#,
            "%2BdhgKMbg1k4iUYb5astpM4ssWXZN95FiEH9cS7NNExA%3D",
        ),
        // "If the request does not have an entity body, the hash should be taken over the empty
        // string."
        (
            SignatureMethod::HmacSha1,
            &HeaderMap::new(),
            "",
            "2jmj7l5rSw0yVb%2FvlWAYkK%2FYBwk%3D",
        ),
    ] {
        let signer = signer().signature_method(method).force_include_body(true);
        let signed = signer.sign(&Method::POST, url, headers, body).expect(body);
        let expected = format!("OAuth oauth_body_hash=\"{hash}\", ");
        assert!(header(&signed).contains(&expected), "{}", header(&signed));
        let signed = signer.sign(&Method::POST, url, &form(), "a=1").expect(body);
        assert!(!header(&signed).contains("oauth_body_hash"));
    }
    let signed = signer()
        .sign(&Method::POST, url, &json, "{}")
        .expect("a signature");
    assert!(!header(&signed).contains("oauth_body_hash"));
}

#[test]
fn each_placement_sends_each_parameter_once() {
    let url = "https://a.example/p?q=%20+&&r=\u{e4}#f";
    for (placement, headers, body) in [
        (SignatureType::Header, form(), "a=1+2"),
        (SignatureType::Query, form(), "a=1+2"),
        (SignatureType::Body, form(), "a=1+2"),
        (SignatureType::Body, form(), "a=1+2&"),
        (SignatureType::Body, form(), ""),
        (SignatureType::Body, HeaderMap::new(), ""),
    ] {
        let signer = signer().token("t", "s").signature_type(placement);
        let signed = signer.sign(&Method::POST, url, &headers, body).expect(body);
        let header = signed.authorization.as_ref().map(|_| header(&signed));
        let sent = signed.body.as_deref().map(String::from_utf8_lossy);
        let all = [
            header.as_deref().unwrap_or_default(),
            &signed.url,
            sent.as_deref().unwrap_or_default(),
        ]
        .concat();
        for name in [
            "oauth_consumer_key",
            "oauth_token",
            "oauth_signature_method",
            "oauth_timestamp",
            "oauth_nonce",
            "oauth_version",
            "oauth_signature",
        ] {
            assert_eq!(
                all.matches(&format!("{name}=")).count(),
                1,
                "{name} in {all}"
            );
        }
        match placement {
            SignatureType::Query => {
                assert!(
                    signed.url.starts_with(
                        "https://a.example/p?q=%20+&&r=\u{e4}&oauth_consumer_key=key&"
                    )
                );
                assert!(signed.url.ends_with("%3D#f"));
            }
            _ => assert_eq!(signed.url, url),
        }
        if let Some(sent) = sent {
            assert!(sent.starts_with(body) && !sent.contains("&&"), "{sent}");
        }
        let becomes_form = placement == SignatureType::Body && headers.is_empty();
        assert_eq!(signed.content_type.is_some(), becomes_form);
    }
}

#[test]
fn debug_tells_no_secret() {
    let signer = signer()
        .token("t", "s")
        .signature_method(SignatureMethod::Plaintext);
    let url = "https://a.example/p?q=hunter2";
    for (placement, expected) in [
        (
            SignatureType::Header,
            "authorization: Some(Sensitive), body: None, content_type: None }",
        ),
        (
            SignatureType::Query,
            "authorization: None, body: None, content_type: None }",
        ),
        (
            SignatureType::Body,
            "authorization: None, body: Some(Bytes(150 bytes)), \
             content_type: Some(\"application/x-www-form-urlencoded\") }",
        ),
    ] {
        let signer = signer.clone().signature_type(placement);
        let signed = signer
            .sign(&Method::GET, url, &HeaderMap::new(), "")
            .expect(url);
        assert_eq!(
            format!("{signed:?}"),
            format!("SignedRequest {{ url: \"https://a.example/p\", {expected}")
        );
    }
    assert_eq!(
        format!("{:?} {:?}", Body::from("hunter2"), Body::Stream),
        "Bytes(7 bytes) Stream"
    );
}
