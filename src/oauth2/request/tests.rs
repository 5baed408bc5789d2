use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::{jose::Algorithm, oauth2::dpop::key::DpopKey};

fn request(method: Method, form: &[(&'static str, &str)]) -> EndpointRequest {
    let url = Url::parse("https://id.example/token?a=%20").expect("a URL");
    let (server, client) = (
        AuthorizationServer::default(),
        ClientRegistration::new("me"),
    );
    let mut request = EndpointRequest::new(
        "token_endpoint",
        method,
        Arc::new(url),
        server,
        client,
        Clock::system(),
    );
    for (name, value) in form {
        request.form_mut().push(*name, *value);
    }
    request
}

fn headers(request: &EndpointRequest) -> Vec<String> {
    let headers = request.headers();
    let line = |(name, value): (_, &HeaderValue)| format!("{name}: {value:?}");
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

const ACCEPT: &str = "accept: \"application/json\"";
const EMPTY: &str = "content-length: \"0\"";
const FORM: &str = "content-type: \"application/x-www-form-urlencoded\"";

#[test]
fn the_headers_go_with_the_body() {
    let form = &[("grant_type", "password")][..];
    for (method, form, expected) in [
        (Method::POST, form, &[ACCEPT, FORM][..]),
        (Method::PUT, form, &[ACCEPT, FORM]),
        (Method::GET, form, &[ACCEPT]),
        (Method::POST, &[], &[ACCEPT, EMPTY]),
        (Method::PUT, &[], &[ACCEPT]),
        (Method::GET, &[], &[ACCEPT]),
    ] {
        let request = request(method, form);
        assert_eq!(headers(&request), expected, "{request:?}");
    }
}

#[test]
fn the_headers_follow_a_hook_that_changes_the_method_or_the_form() {
    let mut request = request(Method::POST, &[("a", "1")]);
    *request.method_mut() = Method::GET;
    assert_eq!(headers(&request), [ACCEPT]);
    *request.method_mut() = Method::POST;
    request.form_mut().remove("a");
    assert_eq!(headers(&request), [ACCEPT, EMPTY]);
    request.form_mut().push("b", "2");
    assert_eq!(headers(&request), [ACCEPT, FORM]);
}

#[test]
fn a_content_type_that_was_set_is_not_replaced() {
    for method in [Method::POST, Method::GET] {
        let mut request = request(method, &[("a", "1")]);
        let own = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        let set = request.headers_mut().insert(header::CONTENT_TYPE, own);
        assert_eq!(set, None);
        let content_type = format!("{}; charset=utf-8\"", FORM.trim_end_matches('"'));
        assert_eq!(headers(&request), [ACCEPT, &content_type]);
    }
}

#[test]
fn as_a_request_of_the_crate_http() {
    let sent = request(Method::POST, &[("a", "1 2")]).to_http();
    let sent = sent.expect("a request");
    assert_eq!(sent.method(), Method::POST);
    assert_eq!(sent.uri(), "https://id.example/token?a=%20");
    assert_eq!(sent.body(), b"a=1+2");
    assert_eq!(sent.headers().len(), 2);
    let sent = request(Method::GET, &[("b", "1 2")]).to_http();
    let sent = sent.expect("a request");
    assert_eq!(sent.uri(), "https://id.example/token?a=%20&b=1+2");
    assert!(sent.body().is_empty());
    // What a URL may hold and a URI must not is sent as a browser would.
    let mut odd = request(Method::GET, &[]);
    odd.url_mut().set_path("/a|b\"c{}^`[ü]");
    odd.url_mut().set_query(Some("a|b\"c{}^`[ü]<>"));
    let sent = odd.to_http().expect("a request");
    assert_eq!(sent.uri().path(), odd.url().path());
    let long = "hunter2".repeat(10_000);
    let error = request(Method::GET, &[("b", &long)]).to_http();
    let error = error.expect_err("too long");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

/// The algorithm in the proof for a server that lists these, or the refusal.
fn proved(listed: &[&str], algorithm: Algorithm) -> Result<String> {
    let mut request = request(Method::POST, &[]);
    let listed = listed.iter().copied();
    request.server = AuthorizationServer::default().with_dpop_signing_alg_values_supported(listed);
    request.prove(&DpopKey::generate(algorithm)?, None)?;
    let headers = request.headers();
    let proof = headers["dpop"].to_str().expect("text");
    let header = proof.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    Ok(header["alg"].as_str().unwrap_or_default().to_owned())
}

/// `EdDSA` and `Ed25519` are two names of one algorithm.
#[test]
fn the_algorithm_of_a_proof_has_a_name_that_the_server_lists() {
    for (listed, algorithm, name) in [
        (&[][..], Algorithm::EdDSA, Some("EdDSA")),
        (&["ES256", "EdDSA"], Algorithm::EdDSA, Some("EdDSA")),
        (&["Ed25519", "EdDSA"], Algorithm::EdDSA, Some("EdDSA")),
        (&["ES256", "Ed25519"], Algorithm::EdDSA, Some("Ed25519")),
        (&["ES256", "Ed25519"], Algorithm::ES256, Some("ES256")),
        (&["of-the-future"], Algorithm::ES256, Some("ES256")),
        (&["of-the-future", "ES384"], Algorithm::ES256, None),
        (&["ES256"], Algorithm::EdDSA, None),
        (&["Ed25519"], Algorithm::ES256, None),
    ] {
        match (proved(listed, algorithm), name) {
            (Ok(found), _) => assert_eq!(Some(&*found), name, "{listed:?}"),
            (Err(error), None) => {
                let list = "dpop_signing_alg_values_supported";
                assert!(error.to_string().contains(list), "{error}");
            }
            (Err(error), Some(name)) => panic!("{name} for {listed:?}: {error}"),
        }
    }
}
