use serde_json::json;

use super::*;
use crate::jose::{Jws, VerifyingKey};

fn form(pairs: &[(&'static str, &str)]) -> Form {
    let mut form = Form::new();
    for (name, value) in pairs {
        form.push(*name, *value);
    }
    form
}

fn key() -> SigningKey {
    let pem = include_str!("../../../../tests/vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem).expect("a key")
}

fn server() -> AuthorizationServer {
    AuthorizationServer::new("https://server.example.com")
}

fn client() -> ClientRegistration {
    ClientRegistration::new("s6BhdRkqt3")
}

/// The claims of a request object, and its header.
fn signed(settings: &RequestObject, form: &Form) -> (Value, String) {
    let now = Duration::from_secs(1_700_000_000);
    let object = settings
        .prepare(form, &client(), &server(), [now, now])
        .expect("an object");
    let token = object.token().expect("a signature");
    let jws = Jws::parse(token.expose_secret()).expect("a JWT");
    let payload = jws.verify(&key().verifying_key()).expect("a signature");
    let claims = serde_json::from_slice(payload).expect("claims");
    (claims, format!("{:?}", jws.header()))
}

/// The request object of RFC 9101 section 4, which is verified with the key in it, has the claims of
/// ours, but for those of its lifetime.
#[test]
fn the_example_of_section_4() {
    let form = form(&[
        ("response_type", "code id_token"),
        ("client_id", "s6BhdRkqt3"),
        ("redirect_uri", "https://client.example.org/cb"),
        ("scope", "openid"),
        ("state", "af0ifjsldkj"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("max_age", "86400"),
    ]);
    let (mut claims, header) = signed(&RequestObject::new(key()), &form);
    assert!(
        header.contains(r#""typ": String("oauth-authz-req+jwt")"#),
        "{header}"
    );
    let members = claims.as_object_mut().expect("an object");
    assert_eq!(members.remove("nbf"), Some(json!(1_700_000_000)));
    assert_eq!(members.remove("iat"), Some(json!(1_700_000_000)));
    assert_eq!(members.remove("exp"), Some(json!(1_700_000_300)));
    assert!(members.remove("jti").is_some_and(|id| id.is_string()));
    let vectors = include_str!("../../../../tests/vectors/rfc_jose.json");
    let vectors: Value = serde_json::from_str(vectors).expect("JSON");
    let vector = &vectors["request_objects"][0];
    let jwk = serde_json::from_value(vector["key"].clone()).expect("a JWK");
    let key = VerifyingKey::from_jwk(Algorithm::RS256, &jwk).expect("a key");
    let jws = Jws::parse(vector["token"].as_str().expect("a token")).expect("a JWT");
    let payload = jws.verify(&key).expect("a signature");
    let expected: Value = serde_json::from_slice(payload).expect("claims");
    assert_eq!(expected.as_object().map(|it| it.len()), Some(9));
    assert_eq!(claims, expected);
}

#[test]
fn values_have_the_types_of_json() {
    let form = form(&[
        ("resource", "urn:a"),
        ("a", "7"),
        ("resource", "urn:b"),
        ("resource", "urn:c"),
        ("claims", r#"{"userinfo":{"email":null}}"#),
        ("authorization_details", r#"[{"type":"a"}]"#),
        ("max_age", "0"),
    ]);
    let expected = json!({
        "resource": ["urn:a", "urn:b", "urn:c"],
        "a": "7",
        "claims": {"userinfo": {"email": null}},
        "authorization_details": [{"type": "a"}],
        "max_age": 0,
    });
    assert_eq!(Value::Object(parameters(&form)), expected);
}

/// The user is redirected by the clock of the client, and the server reads its own.
#[test]
fn a_request_expires_by_the_clock_of_the_client() {
    let form = form(&[("client_id", "id")]);
    let [now, at_server] = [1_700_000_000, 1_700_003_600].map(Duration::from_secs);
    let settings = RequestObject::new(key()).lifetime(Duration::from_secs(60));
    let object = settings
        .prepare(&form, &client(), &server(), [now, at_server])
        .expect("an object");
    assert_eq!(object.expires_at, 1_700_000_060);
    let token = object.token().expect("a signature");
    let jws = Jws::parse(token.expose_secret()).expect("a JWT");
    let payload = jws.verify(&key().verifying_key()).expect("a signature");
    let claims: Value = serde_json::from_slice(payload).expect("claims");
    for (name, time) in [
        ("iat", 1_700_003_600),
        ("nbf", 1_700_003_600),
        ("exp", 1_700_003_660),
    ] {
        assert_eq!(claims[name], json!(time), "{name}");
    }
}

#[test]
fn no_two_request_objects_are_the_same() {
    let form = form(&[("client_id", "id")]);
    let [one, other] = [(); 2].map(|()| signed(&RequestObject::new(key()), &form).0);
    assert_ne!(one["jti"], other["jti"]);
}

#[test]
fn the_lifetime_has_bounds() {
    for (seconds, is_good) in [(0, false), (1, true), (3600, true), (3601, false)] {
        let settings = RequestObject::new(key()).lifetime(Duration::from_secs(seconds));
        assert_eq!(
            settings.check(&client(), &server()).is_ok(),
            is_good,
            "{seconds}"
        );
    }
    let fraction = RequestObject::new(key()).lifetime(Duration::from_millis(999));
    assert!(fraction.check(&client(), &server()).is_err());
}

#[test]
fn what_is_missing_is_named() {
    let settings = RequestObject::new(key());
    let nobody = ClientRegistration::default();
    for (error, word) in [
        (settings.check(&nobody, &server()), "client_id"),
        (
            settings.check(&client(), &AuthorizationServer::default()),
            "issuer",
        ),
        (
            RequestObject::external().check(&client(), &server()),
            "signer",
        ),
    ] {
        let error = error.expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
    // The metadata that Entra ID has for all its tenants.
    let template = AuthorizationServer::new("https://login.example/{tenantid}/v2.0");
    let error = settings.check(&client(), &template);
    let error = error.expect_err("no audience").to_string();
    assert!(error.contains("RequestObject::audience"), "{error}");
    let settings = settings.audience("urn:server");
    for server in [AuthorizationServer::default(), template] {
        assert!(settings.check(&client(), &server).is_ok());
    }
}

#[test]
fn an_algorithm_that_the_server_does_not_list_is_named() {
    let settings = RequestObject::new(key());
    for (listed, is_good) in [
        (&[][..], true),
        (&["ES256"], true),
        (&["none", "ES256"], true),
        (&["none"], false),
        (&["PS256"], false),
        (&["of_the_future"], false),
    ] {
        let listed = listed.iter().copied();
        let server = server().with_request_object_signing_alg_values_supported(listed);
        let checked = settings.check(&client(), &server);
        assert_eq!(checked.is_ok(), is_good, "{server:?}");
        if let Err(error) = checked {
            assert!(error.to_string().contains("ES256"), "{error}");
        }
    }
}

#[test]
fn debug_tells_no_key() {
    let shown = format!("{:?}", RequestObject::external().audience("urn:server"));
    assert_eq!(
        shown,
        "RequestObject { key: External, audience: Some(\"urn:server\"), lifetime: 300s }"
    );
    let shown = format!("{:?}", RequestObject::new(key()));
    assert!(
        shown.contains("SigningKey") && !shown.contains("PRIVATE"),
        "{shown}"
    );
}
