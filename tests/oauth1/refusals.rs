//! Requests that cannot be signed correctly are errors.

use oauth_twin::{
    Error, ErrorKind,
    http::{
        Method,
        header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap},
    },
    oauth1::{Body, SignatureMethod, SignatureType, Signer},
};

use super::{form, header, headers, signer};

fn refusal(signer: &Signer, url: &str, headers: &HeaderMap, body: Body<'_>) -> String {
    let error: Error = signer
        .sign(&Method::POST, url, headers, body)
        .expect_err(url);
    assert_eq!(error.kind(), ErrorKind::Usage);
    error.to_string()
}

#[test]
fn requests_that_cannot_be_signed_correctly_are_refused() {
    let (url, none) = ("https://a.example/", HeaderMap::new());
    let [header, query, body] = [
        SignatureType::Header,
        SignatureType::Query,
        SignatureType::Body,
    ]
    .map(|placement| signer().signature_type(placement));
    let hashed = signer().force_include_body(true);
    let json = headers([(CONTENT_TYPE, "application/json")]);
    let bearer = headers([(AUTHORIZATION, "Bearer x")]);
    let oauth = headers([(AUTHORIZATION, "oauth oauth_token=\"x\"")]);
    for (signer, url, headers, content, problem) in [
        (
            &header,
            "https://a.example/?a&oauth_token=x",
            &none,
            "".into(),
            "query of the request already has a parameter oauth_token",
        ),
        (
            &query,
            "https://a.example/?oauth%5fx",
            &none,
            "".into(),
            "query of the request already has a parameter oauth_x",
        ),
        (
            &query,
            url,
            &form(),
            "oauth_nonce=x".into(),
            "body of the request already has a parameter oauth_nonce",
        ),
        (
            &header,
            url,
            &bearer,
            "".into(),
            "has an Authorization header",
        ),
        (
            &header,
            "https://u:p@a.example/",
            &none,
            "".into(),
            "a user name in its URL",
        ),
        (
            &query,
            url,
            &oauth,
            "".into(),
            "header with OAuth parameters",
        ),
        (&body, url, &json, "{}".into(), "need a form body"),
        (&body, url, &json, "".into(), "need a form body"),
        (&body, url, &none, "a=1".into(), "need a form body"),
        (&body, url, &form(), Body::Stream, "need a form body"),
        (
            &header,
            url,
            &form(),
            Body::Stream,
            "is a stream and cannot be",
        ),
        (
            &hashed,
            url,
            &json,
            Body::Stream,
            "is a stream and cannot be",
        ),
        (
            &Signer::new(""),
            url,
            &none,
            "".into(),
            "the client key is empty; set the one that the server has issued",
        ),
        (&header, "/p", &none, "".into(), "must be an absolute"),
        (
            &header,
            url,
            &headers([(HOST, "a:b")]),
            "".into(),
            "the port",
        ),
    ] {
        let error = refusal(signer, url, headers, content);
        assert!(error.contains(problem), "{error}");
    }
    // Beside another placement, credentials of another scheme are the caller's.
    assert!(query.sign(&Method::POST, url, &bearer, "").is_ok());
    assert!(header.sign(&Method::POST, url, &json, Body::Stream).is_ok());
}

#[test]
fn plaintext_does_not_leave_the_machine_unprotected() {
    let signer = signer()
        .token("t", "s&s")
        .signature_method(SignatureMethod::Plaintext);
    let none = HeaderMap::new();
    for url in [
        "https://a.example/",
        "http://127.0.0.1:8/",
        "http://[::1]/",
        "http://localhost/",
    ] {
        let signed = signer.sign(&Method::GET, url, &none, "").expect(url);
        assert!(header(&signed).contains("oauth_signature=\"secret%26s%2526s\""));
    }
    let url = "http://a.example/";
    assert!(refusal(&signer, url, &none, "".into()).contains("dangerous_allow_http"));
    // Where a URL leads is decided by a URL parser, for which a backslash is a slash.
    for url in [
        r"http://evil.example\@localhost/",
        r"http://evil.example\@127.0.0.1/",
        r"http://evil.example\:80@[::1]/",
    ] {
        assert!(refusal(&signer, url, &none, "".into()).contains("backslash"));
        let placed = signer.clone().signature_type(SignatureType::Query);
        assert!(refusal(&placed, url, &none, "".into()).contains("backslash"));
    }
    // A Host header does not say where it goes.
    let host = headers([(HOST, "localhost")]);
    assert!(refusal(&signer, url, &host, "".into()).contains("dangerous_allow_http"));
    assert!(
        signer
            .dangerous_allow_http()
            .sign(&Method::GET, url, &none, "")
            .is_ok()
    );
}
