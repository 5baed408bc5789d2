use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::*;
use crate::{
    clock::Clock,
    jose::{Header, SigningKey},
    oauth2::client::ClientRegistration,
};

const ISSUED_AT: u64 = 1_514_797_892;

fn server() -> AuthorizationServer {
    AuthorizationServer::new("https://as.example.com/")
        .with_introspection_endpoint("https://as.example.com/introspect")
        .with_introspection_signing_alg_values_supported(["ES256"])
}

fn endpoint(rules: IntrospectionRules) -> IntrospectionEndpoint {
    let client = ClientRegistration::new("https://rs.example.com/resource");
    let now = UNIX_EPOCH + Duration::from_secs(ISSUED_AT);
    let endpoint = IntrospectionEndpoint::new(&server(), &client).expect("an endpoint");
    endpoint.rules(rules).clock(Clock::from_fn(move || now))
}

fn key() -> SigningKey {
    let pem = include_str!("../../../../tests/vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem).expect("a key")
}

fn response(content_type: &'static str, body: &str) -> EndpointResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    EndpointResponse::new(StatusCode::OK, headers, body)
}

fn signed(header: &Header, claims: &Value) -> EndpointResponse {
    let input = header
        .signing_input(claims.to_string().as_bytes())
        .expect("a header");
    let jwt = input.sign(&key()).expect("a JWT");
    response(SIGNED, jwt.expose_secret())
}

fn read(rules: IntrospectionRules, response: &EndpointResponse) -> Result<Introspection> {
    let endpoint = endpoint(rules);
    let request = endpoint.request(&"token".into(), None).expect("a request");
    let keys = JwkSet::new([key().public_jwk().expect("a public key")]);
    endpoint.read_signed_response(&request, response, &keys)
}

fn registered() -> IntrospectionRules {
    IntrospectionRules::new().signed([Algorithm::ES256])
}

fn header() -> Header {
    key().header().with_typ("token-introspection+jwt")
}

/// The claims of the example of RFC 9701 section 5, without its personal data.
fn claims() -> Value {
    json!({
        "iss": "https://as.example.com/",
        "aud": "https://rs.example.com/resource",
        "iat": ISSUED_AT,
        "token_introspection": {
            "active": true,
            "iss": "https://as.example.com/",
            "aud": "https://rs.example.com/resource",
            "iat": 1_514_797_822,
            "exp": 1_514_797_942,
            "client_id": "paiB2goo0a",
            "scope": "read write dolphin",
            "sub": "Z5O3upPC88QrAjx00dis",
            "birthdate": "1982-02-01",
            "jti": "t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w"
        }
    })
}

#[test]
fn the_example_of_section_5() {
    for rules in [registered(), IntrospectionRules::new()] {
        let introspection = read(rules, &signed(&header(), &claims())).expect("a response");
        assert!(introspection.is_active());
        assert_eq!(introspection.client_id(), Some("paiB2goo0a"));
        assert_eq!(introspection.subject(), Some("Z5O3upPC88QrAjx00dis"));
        assert_eq!(introspection.scope(), Some("read write dolphin"));
        assert_eq!(introspection.get("birthdate"), Some(&json!("1982-02-01")));
    }
    let inactive = json!({"token_introspection": {"active": false}});
    let mut claims = claims();
    claims["token_introspection"] = inactive["token_introspection"].clone();
    let introspection = read(registered(), &signed(&header(), &claims)).expect("a response");
    assert!(!introspection.is_active());
}

/// "the client sets the Accept HTTP header field [...] to application/token-introspection+jwt".
#[test]
fn a_signed_response_is_asked_for_where_it_was_registered() {
    for (rules, accept) in [
        (registered(), SIGNED),
        (IntrospectionRules::new(), "application/json"),
    ] {
        let request = endpoint(rules)
            .request(&"token".into(), None)
            .expect("a request");
        assert_eq!(request.headers()[header::ACCEPT], accept);
    }
}

#[test]
fn a_plain_response_is_refused_where_a_signed_one_was_registered() {
    let plain = response("application/json", r#"{"active":true}"#);
    let error = read(registered(), &plain).expect_err("it is plain");
    assert!(error.to_string().contains("not signed"), "{error}");
    assert!(
        read(IntrospectionRules::new(), &plain)
            .expect("a response")
            .is_active()
    );
    // An error is an error.
    let refused = EndpointResponse::new(
        StatusCode::UNAUTHORIZED,
        HeaderMap::new(),
        r#"{"error":"invalid_client"}"#,
    );
    let error = read(registered(), &refused).expect_err("an error");
    assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
}

#[test]
fn a_token_of_another_kind_server_or_client_is_refused() {
    for (name, value, word) in [
        ("iss", json!("https://evil.example/"), "(iss)"),
        ("iss", json!(null), "iss"),
        ("aud", json!("another"), "(aud)"),
        ("aud", json!(["another"]), "(aud)"),
        ("iat", json!(ISSUED_AT + 61), "future"),
        ("iat", json!("1514797892"), "iat"),
        ("token_introspection", json!(null), "token_introspection"),
        ("token_introspection", json!([]), "token_introspection"),
        ("token_introspection", json!({}), "active"),
        ("token_introspection", json!({"active": "true"}), "active"),
    ] {
        let mut claims = claims();
        claims[name] = value;
        let error = read(registered(), &signed(&header(), &claims)).expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    for name in ["iss", "aud", "iat", "token_introspection"] {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        let error = read(registered(), &signed(&header(), &claims)).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
    for header in [
        key().header(),
        key().header().with_typ("JWT"),
        key().header().with_typ("at+jwt"),
    ] {
        let error = read(registered(), &signed(&header, &claims())).expect_err("another kind");
        assert!(error.to_string().contains("another kind"), "{error}");
    }
    let full = key()
        .header()
        .with_typ("application/token-introspection+jwt");
    assert!(read(registered(), &signed(&full, &claims())).is_ok());
}

#[test]
fn a_signature_that_is_not_the_servers_is_refused() {
    let good = signed(&header(), &claims());
    let jwt = String::from_utf8_lossy(good.body()).into_owned();
    let (input, _) = jwt.rsplit_once('.').expect("a signature");
    let forged = response(SIGNED, &format!("{input}.{}", "A".repeat(86)));
    assert!(read(registered(), &forged).is_err());
    let encrypted = response(SIGNED, "a.b.c.d.e");
    let error = read(registered(), &encrypted).expect_err("it is encrypted");
    assert!(error.to_string().contains("encrypted"), "{error}");
    let other = IntrospectionRules::new().signed([Algorithm::PS256]);
    let error = read(other, &good).expect_err("ES256");
    assert!(error.to_string().contains("ES256"), "{error}");
    let hmac = SigningKey::hmac(Algorithm::HS256, [7; 32]).expect("a key");
    let input = hmac
        .header()
        .with_typ(TYP)
        .signing_input(claims().to_string().as_bytes());
    let jwt = input.expect("a header").sign(&hmac).expect("a JWT");
    let rules = IntrospectionRules::new().signed([Algorithm::HS256]);
    assert!(read(rules, &response(SIGNED, jwt.expose_secret())).is_err());
}

#[test]
fn a_signed_response_is_not_read_without_keys() {
    let endpoint = endpoint(IntrospectionRules::new());
    let request = endpoint.request(&"token".into(), None).expect("a request");
    let error = endpoint.read_response(&request, signed(&header(), &claims()));
    assert!(
        error
            .expect_err("no keys")
            .to_string()
            .contains("read_signed_response")
    );
}
