use super::*;
use crate::jose::{Algorithm, SigningKey};

fn endpoint() -> AuthorizationEndpoint {
    let server = AuthorizationServer::default()
        .with_authorization_endpoint("https://id.example/authorize?tenant=a%20b");
    let client = ClientRegistration::new("i d")
        .with_redirect_uris(["https://app.example/cb", "https://app.example/other"])
        .with_scope("own")
        .with_resource("urn:own");
    AuthorizationEndpoint::new(&server, &client).expect("a URL")
}

fn url(request: AuthorizationRequest) -> Result<Url> {
    Ok(endpoint().request(request)?.url)
}

fn fixed() -> AuthorizationRequest {
    AuthorizationRequest::new()
        .state("s".repeat(22))
        .code_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
}

const START: &str = "https://id.example/authorize?tenant=a%20b&response_type=code\
                     &client_id=i+d&redirect_uri=https%3A%2F%2Fapp.example%2Fcb";

#[test]
fn saying_nothing_is_safe() {
    assert_eq!(
        url(fixed()).expect("a URL").as_str(),
        format!(
            "{START}&scope=own&state=ssssssssssssssssssssss\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
             &code_challenge_method=S256&resource=urn%3Aown"
        )
    );
    let [first, second] = [(); 2].map(|()| {
        let url = url(AuthorizationRequest::new()).expect("a URL");
        url.query_pairs()
            .into_owned()
            .collect::<std::collections::HashMap<_, _>>()
    });
    for name in ["state", "code_challenge"] {
        assert_eq!(first[name].len(), 43);
        assert_ne!(first[name], second[name]);
    }
}

#[test]
fn what_is_asked_for_takes_the_place_of_the_client_s_own() {
    let request = fixed()
        .scope(["a", "b"])
        .resource("urn:1")
        .resource("urn:2")
        .redirect_uri("http://127.0.0.1:7/")
        .param("max_age", "0")
        .param("acr", "1")
        .param("acr", "2")
        .pkce(Pkce::Off);
    assert_eq!(
        url(request).expect("a URL").as_str(),
        "https://id.example/authorize?tenant=a%20b&response_type=code&client_id=i+d\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2F&scope=a+b&state=ssssssssssssssssssssss\
         &resource=urn%3A1&resource=urn%3A2&max_age=0&acr=1&acr=2"
    );
    let plain = url(fixed().pkce(Pkce::Plain)).expect("a URL");
    assert!(plain.as_str().contains(
        "&code_challenge=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code_challenge_method=plain"
    ));
    let implicit = url(fixed().response_type(ResponseType::Token)).expect("a URL");
    assert!(implicit.as_str().contains("response_type=token"));
    assert!(!implicit.as_str().contains("code_challenge"));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    for (word, request) in [
        ("22 characters", AuthorizationRequest::new().state("short")),
        (
            "code_verifier",
            AuthorizationRequest::new().code_verifier("short"),
        ),
        ("scope", AuthorizationRequest::new().scope("\"")),
        ("state", AuthorizationRequest::new().param("state", "x")),
        (
            "client_id",
            AuthorizationRequest::new().param("client_id", "x"),
        ),
        ("tenant", AuthorizationRequest::new().param("tenant", "x")),
    ] {
        let error = url(request).expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn debug_tells_no_secret() {
    let request = fixed()
        .state("hunter2-hunter2-hunter2")
        .nonce("hunter2")
        .login_hint("hunter2")
        .param("a", "hunter2");
    assert_eq!(
        format!("{request:?}"),
        "AuthorizationRequest { response_type: Code, redirect_uri: None, scope: None, \
         resource: [], state: Some([redacted]), code_verifier: Some([redacted]), pkce: S256, \
         nonce: Some([redacted]), require_acr: false, acr_is_challenged: false, own: {\"login_hint\": [redacted]}, \
         parameters: {\"a\": [redacted]}, expires_in: 3600s, dpop_thumbprint: None }"
    );
}

#[test]
fn debug_of_a_prepared_request_tells_no_secret() {
    let request = fixed()
        .state("hunter2-hunter2-hunter2")
        .param("a", "hunter2");
    let prepared = endpoint().prepare(request).expect("a request");
    let shown = format!("{prepared:?}");
    assert!(
        shown.starts_with(
            "PreparedAuthorization { endpoint: \"https://id.example/authorize\", form: \
             {\"response_type\": [redacted], \"client_id\": [redacted]"
        ),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

fn of_bank(profile: Profile) -> AuthorizationEndpoint {
    let server = AuthorizationServer::new("https://bank.example")
        .with_authorization_endpoint("https://bank.example/authorize")
        .with_pushed_authorization_request_endpoint("https://bank.example/par");
    let client = ClientRegistration::new("id").with_redirect_uris(["https://app.example/cb"]);
    let endpoint = AuthorizationEndpoint::new(&server, &client).expect("a URL");
    endpoint.profile(profile)
}

fn key() -> SigningKey {
    let pem = include_str!("../../../../tests/vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem).expect("a key")
}

#[test]
fn the_requests_of_a_profile_are_pushed_or_an_error() {
    let signed = of_bank(Profile::Fapi2MessageSigning).request_object(key());
    for endpoint in [of_bank(Profile::Fapi2), signed] {
        let refused = endpoint.request(AuthorizationRequest::new());
        let error = refused.expect_err("not pushed");
        assert!(error.to_string().contains("5.3.3.2, clause 2"), "{error}");
        let prepared = endpoint.prepare(AuthorizationRequest::new());
        let published = prepared
            .expect("a request")
            .published_at("https://app.example/r");
        let error = published.expect_err("not pushed");
        assert!(error.to_string().contains("clause 2"), "{error}");
        let prepared = endpoint.prepare(AuthorizationRequest::new());
        let created = prepared
            .expect("a request")
            .with_request_uri("urn:1".into(), None);
        assert_eq!(
            created.url.as_str(),
            "https://bank.example/authorize?client_id=id&request_uri=urn%3A1"
        );
    }
    let unsigned = of_bank(Profile::Fapi2MessageSigning);
    let refused = unsigned.prepare(AuthorizationRequest::new());
    let error = refused.expect_err("not signed");
    assert!(
        error
            .to_string()
            .contains("Message Signing section 5.3.2, clause 1"),
        "{error}"
    );
}

#[test]
fn a_server_that_requires_signed_requests_gets_no_other() {
    let server = AuthorizationServer::new("https://id.example")
        .with_authorization_endpoint("https://id.example/authorize")
        .with_require_signed_request_object(true);
    let client = ClientRegistration::new("id");
    let endpoint = AuthorizationEndpoint::new(&server, &client).expect("a URL");
    let refused = endpoint.request(AuthorizationRequest::new());
    let error = refused.expect_err("not signed");
    assert!(error.to_string().contains("set request_object"), "{error}");
    let endpoint = endpoint.request_object(key());
    endpoint
        .request(AuthorizationRequest::new())
        .expect("a signed request");
}
