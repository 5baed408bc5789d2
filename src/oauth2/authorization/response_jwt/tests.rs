use super::*;
use crate::{
    jose::SigningKey,
    oauth2::{
        authorization::{
            endpoint::AuthorizationEndpoint, request::AuthorizationRequest,
            response_type::ResponseMode,
        },
        server::AuthorizationServer,
    },
};

fn server() -> AuthorizationServer {
    AuthorizationServer::new("https://accounts.example.com")
        .with_authorization_endpoint("https://accounts.example.com/authorize")
        .with_authorization_signing_alg_values_supported(["ES256"])
}

fn client() -> ClientRegistration {
    ClientRegistration::new("s6BhdRkqt3")
}

fn verifier() -> SignedResponseVerifier {
    let verifier = SignedResponseVerifier::new(&server(), &client()).expect("a verifier");
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_311_281_000);
    verifier.clock(Clock::from_fn(move || at))
}

fn pending(mode: ResponseMode) -> PendingAuthorization {
    let endpoint = AuthorizationEndpoint::new(&server(), &client()).expect("an endpoint");
    let request = AuthorizationRequest::new()
        .state("S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw")
        .response_mode(mode);
    endpoint.request(request).expect("a URL").pending
}

fn key() -> SigningKey {
    let pem = include_str!("../../../../tests/vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem).expect("a key")
}

fn signed(claims: &str) -> String {
    let input = key()
        .header()
        .signing_input(claims.as_bytes())
        .expect("a header");
    input
        .sign(&key())
        .expect("a JWT")
        .expose_secret()
        .to_owned()
}

fn verified(callback: &str) -> Result<AuthorizationCode> {
    let keys = JwkSet::new([key().public_jwk().expect("a public key")]);
    verifier().verify(pending(ResponseMode::QueryJwt), callback, &keys)
}

/// The claims of JARM section 2.1, for a code.
#[test]
fn the_example_of_section_2_1() {
    let claims = r#"{
        "iss":"https://accounts.example.com",
        "aud":"s6BhdRkqt3",
        "exp":1311281970,
        "code":"PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA",
        "state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"
    }"#;
    let callback = format!("https://client.example.com/cb?response={}", signed(claims));
    let grant = verified(&callback).expect("a code");
    let form = format!("{:?}", grant.expected_id_token().code);
    assert_eq!(form, "Some([redacted])");
    assert_eq!(
        grant.expected_id_token().code,
        Some("PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA".into())
    );
}

/// The claims of an error in the same section.
#[test]
fn an_error_that_is_signed() {
    let claims = r#"{
        "error":"access_denied",
        "state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw",
        "iss":"https://accounts.example.com",
        "aud":"s6BhdRkqt3",
        "exp":1311281970
    }"#;
    let error = verified(&format!("?response={}", signed(claims))).expect_err("denied");
    assert_eq!(error.code(), Some(&crate::error::ErrorCode::AccessDenied));
}

#[test]
fn what_is_not_a_response_to_this_request_is_refused() {
    let whole = r#"{"iss":"https://accounts.example.com","aud":["s6BhdRkqt3"],"exp":1311281970,"code":"c","state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"}"#;
    verified(&format!("?response={}", signed(whole))).expect("a code");
    for (from, to, word) in [
        ("1311281970", "1311280969", "expired"),
        ("1311281970", "\"1311281970\"", "exp"),
        ("\"exp\"", "\"x\"", "(exp)"),
        ("\"iss\"", "\"x\"", "(iss)"),
        (
            "https://accounts.example.com",
            "https://accounts.example.com/",
            "(iss)",
        ),
        ("\"aud\"", "\"x\"", "(aud)"),
        ("s6BhdRkqt3", "another", "(aud)"),
        ("\"state\"", "\"x\"", "state"),
        ("S8NJ7", "Another", "state"),
        ("\"code\"", "\"x\"", "code"),
        ("\"c\"", "\"\"", "code"),
        ("\"c\"", "[\"c\"]", "code"),
        ("{", "{\"iss\":\"https://evil.example\",", "two values"),
        ("{", "[{", "JSON"),
    ] {
        let claims = whole.replacen(from, to, 1);
        let error = verified(&format!("?response={}", signed(&claims))).expect_err(word);
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    // Thirty seconds of leeway.
    let late = whole.replace("1311281970", "1311280971");
    verified(&format!("?response={}", signed(&late))).expect("a code");
    for callback in [
        "?response=",
        "?response=a",
        "?response=a.b.c",
        "?response=a.b.c.d.e",
        "?",
    ] {
        verified(callback).expect_err(callback);
    }
}

#[test]
fn the_place_is_that_of_the_mode() {
    let claims = r#"{"iss":"https://accounts.example.com","aud":"s6BhdRkqt3","exp":1311281970,"code":"c","state":"S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"}"#;
    let response = signed(claims);
    for (mode, callback) in [
        (
            ResponseMode::Jwt,
            format!("https://a/cb?response={response}"),
        ),
        (
            ResponseMode::FragmentJwt,
            format!("https://a/cb#response={response}"),
        ),
        (ResponseMode::FormPostJwt, format!("response={response}")),
    ] {
        let pending = pending(mode);
        assert!(pending.is_signed);
        let found = signed_response(&pending, &callback).expect("a response");
        assert_eq!(found.expose_secret(), response);
    }
}

#[test]
fn a_server_without_an_issuer_and_a_client_without_an_identifier_are_refused() {
    let unknown = AuthorizationServer::default();
    assert!(SignedResponseVerifier::new(&unknown, &client()).is_err());
    let nobody = ClientRegistration::default();
    assert!(SignedResponseVerifier::new(&server(), &nobody).is_err());
}

#[test]
fn an_algorithm_that_is_not_allowed_is_named() {
    let rules = SignedResponseRules::new().algorithms([Algorithm::PS256, Algorithm::HS256]);
    let verifier = verifier().rules(rules);
    let response = Secret::from(signed("{}").as_str());
    let error = verifier.parse(&response).expect_err("ES256").to_string();
    assert!(error.contains("ES256"), "{error}");
    let hmac = SigningKey::hmac(Algorithm::HS256, [7; 32]).expect("a key");
    let response = Claims::new().sign(&hmac).expect("a JWT");
    let error = verifier.parse(&response).expect_err("HS256").to_string();
    assert!(error.contains("HS256"), "{error}");
}

/// Nothing that another server says of the login is displayed.
#[test]
fn a_plain_error_is_named_unless_it_is_of_another_issuer() {
    for (iss, is_named) in [
        ("", true),
        ("&iss=https%3A%2F%2Faccounts.example.com", true),
        ("&iss=https%3A%2F%2Fevil.example", false),
        ("&iss=%FF", false),
    ] {
        let error = verified(&format!("?error=access_denied{iss}"));
        let error = error.expect_err(iss).to_string();
        assert!(error.contains("`response`"), "{error}");
        assert_eq!(error.contains("access_denied"), is_named, "{iss}: {error}");
    }
}

#[test]
fn a_plain_error_names_its_code_only_with_the_issuer_that_the_server_always_sends() {
    let server = server().with_member("authorization_response_iss_parameter_supported", true);
    let endpoint = AuthorizationEndpoint::new(&server, &client()).expect("an endpoint");
    let own = "iss=https%3A%2F%2Faccounts.example.com&";
    for (always_sent, iss, is_named) in [
        (false, "", true),
        (false, own, true),
        (false, "iss=https%3A%2F%2Fevil.example&", false),
        (true, "", false),
        (true, own, true),
        (true, "iss=https%3A%2F%2Fevil.example&", false),
    ] {
        let request = || AuthorizationRequest::new().response_mode(ResponseMode::QueryJwt);
        let pending = match always_sent {
            true => endpoint.request(request()).expect("a URL").pending,
            false => pending(ResponseMode::QueryJwt),
        };
        let error = signed_response(&pending, &format!("?{iss}error=access_denied"));
        let error = error.expect_err("a plain error").to_string();
        assert!(error.contains("no signed response"), "{error}");
        assert_eq!(error.contains("access_denied"), is_named, "{iss}: {error}");
    }
}
