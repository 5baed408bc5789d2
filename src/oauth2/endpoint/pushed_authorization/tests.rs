use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oauth2::{
    authorization::{
        endpoint::AuthorizationEndpoint, request::AuthorizationRequest,
        request_object::RequestObject,
    },
    client::ClientRegistration,
    client_auth::secret::ClientSecretBasic,
};

fn server() -> AuthorizationServer {
    AuthorizationServer::new("https://as.example.com")
        .with_authorization_endpoint("https://as.example.com/authorize")
        .with_pushed_authorization_request_endpoint("https://as.example.com/as/par")
}

/// The request of RFC 9126 section 2.1 and the response of section 2.2, with the code verifier of
/// RFC 7636 appendix B.
#[test]
fn the_example_of_section_2() {
    let client = ClientRegistration::new("s6BhdRkqt3")
        .with_client_secret("7Fjfp0ZBr1KtDRbnfVdmIw")
        .with_redirect_uris(["https://client.example.org/cb"]);
    let prepared = AuthorizationEndpoint::new(&server(), &client)
        .expect("an endpoint")
        .prepare(
            AuthorizationRequest::new()
                .state("af0ifjsldkj-of-22-characters")
                .code_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
                .scope("account-information"),
        )
        .expect("a request");
    let endpoint = PushedAuthorizationEndpoint::new(&server(), &client)
        .expect("an endpoint")
        .auth_method(ClientSecretBasic);
    let request = endpoint
        .request(&prepared)
        .expect("a request")
        .to_http()
        .expect("a request");
    assert_eq!(request.uri(), "https://as.example.com/as/par");
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.headers()["authorization"],
        "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    );
    assert_eq!(
        String::from_utf8_lossy(request.body()),
        "response_type=code&client_id=s6BhdRkqt3\
         &redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb&scope=account-information\
         &state=af0ifjsldkj-of-22-characters\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );

    let request = endpoint.request(&prepared).expect("a request");
    let body = r#"{
        "request_uri": "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
        "expires_in": 60
    }"#;
    let response = EndpointResponse::new(StatusCode::CREATED, HeaderMap::new(), body);
    let pushed = endpoint
        .read_response(&request, response)
        .expect("a response");
    assert!(pushed.expires_at().is_some());
    assert_eq!(
        format!("{pushed:?}").split(", expires_at").next(),
        Some("PushedAuthorization { request_uri: [redacted]")
    );
    assert_eq!(
        prepared.pushed(pushed).url.as_str(),
        "https://as.example.com/authorize?client_id=s6BhdRkqt3\
         &request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c"
    );
}

fn id_with(key: RequestObject) -> (AuthorizationEndpoint, PushedAuthorizationEndpoint) {
    use crate::jose::{Algorithm, ExternalKey};
    let client = ClientRegistration::new("id")
        .with_client_secret("secret")
        .with_external_key(ExternalKey::new(Algorithm::ES256));
    let endpoint = AuthorizationEndpoint::new(&server(), &client).expect("an endpoint");
    let push = PushedAuthorizationEndpoint::new(&server(), &client).expect("an endpoint");
    (
        endpoint.request_object(key),
        push.auth_method(ClientSecretBasic),
    )
}

fn names(request: &EndpointRequest) -> Vec<&str> {
    request.form().iter().map(|(name, _)| name).collect()
}

/// RFC 9126 section 3: the request object is sent instead of the parameters.
#[test]
fn an_external_key_signs_a_new_request_object_for_each_push() {
    let (endpoint, push) = id_with(RequestObject::external());
    let mut prepared = endpoint
        .prepare(AuthorizationRequest::new())
        .expect("a request");
    let mut inputs = Vec::new();
    for _ in 0..2 {
        let mut request = push.request(&prepared).expect("a request");
        assert_eq!(names(&request), ["client_id"]);
        let input = request.unsigned().expect("it is to be signed");
        inputs.push(input.as_str().to_owned());
        assert!(request.sign(&[7; 63]).is_err());
        request.sign(&[7; 64]).expect("a signature");
        assert!(request.unsigned().is_none());
        assert_eq!(names(&request), ["client_id", "request"]);
    }
    assert_ne!(inputs[0], inputs[1]);
    // One that the calling code has signed before.
    assert!(prepared.sign(&[7; 63]).is_err());
    assert!(prepared.unsigned().is_some());
    prepared.sign(&[7; 64]).expect("a signature");
    assert!(prepared.unsigned().is_none());
    let request = push.request(&prepared).expect("a request");
    assert!(request.unsigned().is_none());
    assert_eq!(
        request.form().value("request"),
        prepared.request_object().expect("it is signed")
    );
}

#[test]
fn a_local_key_signs_a_new_request_object_for_each_push() {
    let pem = include_str!("../../../../tests/vectors/p-256.pkcs8.pem");
    let key = crate::jose::SigningKey::from_pem(crate::jose::Algorithm::ES256, pem);
    let (endpoint, push) = id_with(RequestObject::new(key.expect("a key")));
    let prepared = endpoint
        .prepare(AuthorizationRequest::new())
        .expect("a request");
    let [first, second] = [(); 2].map(|()| push.request(&prepared).expect("a request"));
    assert_eq!(names(&first), ["client_id", "request"]);
    assert_ne!(
        first.form().value("request"),
        second.form().value("request")
    );
}

#[test]
fn the_setting_and_the_metadata_decide() {
    let plain = AuthorizationServer::new("https://as.example.com");
    let nothing = plain.clone().with_member(ENDPOINT, Value::Null);
    let required = server().with_require_pushed_authorization_requests(true);
    for (push, server, applies) in [
        (Push::WhenRequired, &plain, false),
        (Push::WhenRequired, &server(), false),
        (Push::WhenRequired, &required, true),
        (Push::WhenOffered, &plain, false),
        (Push::WhenOffered, &nothing, false),
        (Push::WhenOffered, &server(), true),
        (Push::Always, &plain, true),
        (Push::Never, &required, false),
    ] {
        assert_eq!(push.applies_to(server, false), applies, "{push:?}");
        let demanded = push.applies_to(server, true);
        assert_eq!(demanded, push != Push::Never, "{push:?}");
    }
}

#[test]
fn a_lifetime_is_a_positive_whole_number_or_not_there() {
    let now = Duration::from_secs(10);
    for (expires_in, is_good) in [
        (json!(60), true),
        (json!(null), false),
        (json!(0), false),
        (json!(-1), false),
        (json!(1.5), false),
        (json!("60"), false),
    ] {
        let members = json!({"request_uri": "urn:x", "expires_in": expires_in});
        let members = members.as_object().expect("an object");
        let read = PushedAuthorization::from_members(members, now);
        assert_eq!(read.is_ok(), is_good, "{expires_in}");
    }
    let members = json!({"request_uri": "urn:x"});
    let members = members.as_object().expect("an object");
    let read = PushedAuthorization::from_members(members, now).expect("a reference");
    assert_eq!(
        (read.expires_at(), read.request_uri()),
        (None, &"urn:x".into())
    );
}

proptest! {
    #[test]
    fn no_answer_panics(uri in any::<String>(), seconds in any::<f64>(), whole in any::<u64>()) {
        for expires_in in [json!(seconds), json!(whole), json!(uri)] {
            let answer = json!({"request_uri": uri, "expires_in": expires_in});
            let members = answer.as_object().expect("an object");
            let now = Duration::from_secs(1_800_000_000);
            if let Ok(pushed) = PushedAuthorization::from_members(members, now) {
                prop_assert!(!pushed.request_uri().is_empty());
                let _ = pushed.expires_at();
            }
        }
    }
}
