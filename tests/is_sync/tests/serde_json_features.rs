//! serde_json's `arbitrary_precision` and `preserve_order` are on in this build: a number is read as an
//! object with one member, and members keep their order.

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use oauth_twin::{
    OAuth2Client, Secret, Token,
    jose::{Algorithm, Claims, ClaimsValidation, Jwk, JwkSet, Jws, SigningKey},
    oauth2::{AuthorizationRequest, AuthorizationServer, ClientMetadata, ClientRegistration},
    oidc::IdTokenVerifier,
};
use serde_json::Value;

type TestResult = Result<(), Box<dyn Error>>;

const ISSUER: &str = "https://id.example";

fn key() -> SigningKey {
    let pem = include_str!("../../vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem).expect("a key")
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a time").as_secs()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A token with this payload.
fn signed(payload: &str) -> String {
    let input = key().header().signing_input(payload.as_bytes());
    let signed = input.expect("a header").sign(&key()).expect("a signature");
    signed.expose_secret().to_owned()
}

#[test]
fn both_are_on() -> TestResult {
    for text in [r#"{"b":1,"a":2}"#, "1.10", "12345678901234567890123"] {
        assert_eq!(serde_json::from_str::<Value>(text)?.to_string(), text);
    }
    Ok(())
}

#[test]
fn a_number_is_no_object() -> TestResult {
    for text in ["7", " 7", "-1.5", "\t1e9"] {
        let bytes = text.as_bytes();
        let token = signed(text);
        let jws = Jws::parse(&token)?;
        let payload = jws.verify(&key().verifying_key())?;
        let error = Claims::from_slice(payload).expect_err(text).to_string();
        assert!(
            error.starts_with("the payload is not a JSON object"),
            "{error}"
        );
        assert!(Jwk::from_slice(bytes).is_err(), "{text}");
        assert!(JwkSet::from_slice(bytes).is_err(), "{text}");
        assert!(serde_json::from_str::<Jwk>(text).is_err(), "{text}");
        assert!(serde_json::from_str::<Token>(text).is_err(), "{text}");
        assert!(
            serde_json::from_str::<ClientMetadata>(text).is_err(),
            "{text}"
        );
        assert!(
            serde_json::from_str::<AuthorizationServer>(text).is_err(),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn claims_have_their_times() -> TestResult {
    for (exp, expected) in [("1700000000", 0), ("1700000000.5", 500), ("1.7e9", 0)] {
        let claims = format!(r#"{{"sub":"me","exp":{exp},"nbf":{exp}}}"#);
        let claims = Claims::from_slice(claims.as_bytes())?;
        let time = at(1_700_000_000) + Duration::from_millis(expected);
        assert_eq!(claims.expires_at(), Some(time), "{exp}");
        assert_eq!(claims.not_before(), Some(time), "{exp}");
        assert!(claims.validate(&ClaimsValidation::new()).is_err(), "{exp}");
    }
    let claims = Claims::new()
        .with_expires_at(at(now() + 60))
        .with_issuer(ISSUER);
    let token = claims.sign(&key())?;
    let jws = Jws::parse(token.expose_secret())?;
    let read = Claims::from_slice(jws.verify(&key().verifying_key())?)?;
    assert_eq!(read.expires_at(), claims.expires_at());
    read.validate(&ClaimsValidation::new().issuer(ISSUER))?;
    Ok(())
}

#[test]
fn id_tokens_are_verified() -> TestResult {
    let server =
        AuthorizationServer::new(ISSUER).with_id_token_signing_alg_values_supported(["ES256"]);
    let client = OAuth2Client::builder("me")
        .authorization_endpoint("https://id.example/authorize")
        .token_endpoint("https://id.example/token")
        .redirect_uri("https://app.example/callback")
        .build()?;
    let begun = client.create_authorization_url(AuthorizationRequest::new().scope("openid"))?;
    let asked = begun.pending.authentication();
    let mut query = begun.url.query_pairs();
    let nonce = query.find(|(name, _)| name == "nonce").expect("a nonce").1;
    let (now, logged_in) = (now(), now() - 60);
    let id_token = signed(&format!(
        r#"{{"iss":"{ISSUER}","sub":"alice","aud":"me","exp":{},"iat":{now}.0,
            "auth_time":{logged_in},"nonce":"{nonce}"}}"#,
        now + 300
    ));
    let with = |id_token: &str| {
        let token = format!(r#"{{"access_token":"t","expires_in":600,"id_token":"{id_token}"}}"#);
        serde_json::from_str::<Token>(&token)
    };
    let keys = JwkSet::new([key().public_jwk().expect("a public key")]);
    let keys = JwkSet::from_slice(&serde_json::to_vec(&keys)?)?;
    let verifier = IdTokenVerifier::new(&server, &ClientRegistration::new("me"))?;
    let verified = verifier.verify(&with(&id_token)?, &keys, &asked)?;
    assert_eq!(verified.expires_at(), at(now + 300));
    assert_eq!(verified.auth_time(), Some(at(logged_in)));
    // A number that is signed is no ID token.
    let refused = verifier.verify(&with(&signed("7"))?, &keys, &asked);
    assert!(refused.is_err());
    Ok(())
}

#[test]
fn tokens_and_documents_are_read() -> TestResult {
    let stored = r#"{"zone":1.50,"access_token":"t","expires_at":1700000000,"refresh_token":"r"}"#;
    let token: Token = serde_json::from_str(stored)?;
    assert_eq!(token.expires_at(), Some(at(1_700_000_000)));
    assert_eq!(token.refresh_token().map(Secret::expose_secret), Some("r"));
    let again: Token = serde_json::from_str(&serde_json::to_string(&token)?)?;
    assert_eq!(again.expires_at(), token.expires_at());
    let metadata = r#"{"token_endpoint":"https://id.example/token","issuer":"https://id.example"}"#;
    let server: AuthorizationServer = serde_json::from_str(metadata)?;
    assert_eq!(server.issuer(), Some(ISSUER));
    // RFC 7638 section 3.1, whatever the order of the members.
    let jwk =
        format!(r#"{{"kid":"2011-04-29","e":"AQAB","alg":"RS256","n":"{MODULUS}","kty":"RSA"}}"#);
    let jwk = Jwk::from_slice(jwk.as_bytes())?;
    assert_eq!(
        jwk.thumbprint()?,
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    Ok(())
}

/// RFC 7638 section 3.1.
const MODULUS: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
