use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::jose::{Header, SigningKey};
use crate::oidc::id_token_claims::PLACEHOLDER_SUBJECT;

mod front_channel;
mod properties;
mod tenants;

const ISSUER: &str = "https://id.example";
const NOW: u64 = 1_700_000_000;
const PEM: &str = include_str!("../../../tests/vectors/p-256.pkcs8.pem");
const RSA_PEM: &str = include_str!("../../../tests/vectors/rsa-2048.pkcs1.pem");
const SECRET: &str = "a secret of at least thirty-two bytes";

fn key() -> SigningKey {
    let key = SigningKey::from_pem(Algorithm::ES256, PEM).expect("a key");
    key.with_key_id("1")
}

fn keys() -> JwkSet {
    JwkSet::new([key().public_jwk().expect("a public key")])
}

fn server() -> AuthorizationServer {
    AuthorizationServer::new(ISSUER).with_id_token_signing_alg_values_supported(["ES256", "HS256"])
}

fn verifier() -> IdTokenVerifier {
    let client = ClientRegistration::new("me").with_client_secret(SECRET);
    let verifier = IdTokenVerifier::new(&server(), &client).expect("an issuer");
    verifier.clock(clock())
}

fn clock() -> Clock {
    Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW))
}

fn asked() -> AuthenticationRequest {
    AuthenticationRequest {
        openid: true,
        nonce: Some("the-nonce".into()),
        pkce: true,
        state: Some("the-state".into()),
        ..AuthenticationRequest::default()
    }
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "alice", "aud": "me", "exp": NOW + 300, "iat": NOW,
        "nonce": "the-nonce", "auth_time": NOW - 60, "acr": "1",
    })
}

/// The good claims with others, `null` for none.
fn with(changes: Value) -> Value {
    let mut claims = good();
    let claims_of = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(claims_of.remove(name)),
            value => drop(claims_of.insert(name.clone(), value.clone())),
        }
    }
    claims
}

fn signed(claims: &Value) -> Secret {
    signed_with(claims, &key().header(), &key())
}

fn signed_with(claims: &Value, header: &Header, key: &SigningKey) -> Secret {
    let input = header.signing_input(claims.to_string().as_bytes());
    input.expect("a header").sign(key).expect("a signature")
}

fn verified_by(
    verifier: &IdTokenVerifier,
    id_token: &Secret,
    asked: &AuthenticationRequest,
) -> Result<IdToken> {
    let token: Token = serde_json::from_value(json!({
        "access_token": "the-token", "id_token": id_token.expose_secret(),
    }))
    .expect("a token");
    verifier.verify(&token, &keys(), asked)
}

fn verified(claims: &Value) -> Result<IdToken> {
    verified_by(&verifier(), &signed(claims), &asked())
}

#[track_caller]
fn refused(claims: &Value, word: &str) {
    let error = verified(claims).expect_err(word).to_string();
    assert!(error.contains(word), "{claims}: {error}");
    assert!(!error.contains("the-nonce"), "{error}");
}

#[test]
fn a_good_id_token_is_accepted() {
    let id_token =
        verified(&with(json!({"amr": ["pwd"], "sid": "s", "email": "a@b"}))).expect("good");
    assert_eq!(id_token.issuer(), ISSUER);
    assert_eq!(id_token.claims().subject(), "alice");
    assert_eq!(id_token.claims().email(), Some("a@b"));
    assert_eq!((id_token.acr(), id_token.amr()), (Some("1"), vec!["pwd"]));
    assert_eq!(id_token.session_id(), Some("s"));
    assert!(id_token.audience().eq(["me"]));
    assert_eq!(id_token.authorized_party(), None);
    let auth_time = UNIX_EPOCH + Duration::from_secs(NOW - 60);
    assert_eq!(id_token.auth_time(), Some(auth_time));
    assert!(!format!("{id_token:?}").contains("alice"));
}

#[test]
fn only_claims_that_are_checked_can_fail_a_login() {
    let id_token = verified(&with(json!({
        "amr": "simulator", "updated_at": "2025-12-23T10:59:07.841Z", "email": 7, "acr": [],
        "auth_time": "yesterday", "_claim_sources": {"a": {"endpoint": "https://evil.example"}},
        "nonce_supported": true, "sid": 7,
    })))
    .expect("none of these is checked");
    assert_eq!(id_token.amr(), ["simulator"]);
    assert_eq!(id_token.claims().updated_at(), None);
    assert_eq!((id_token.acr(), id_token.auth_time()), (None, None));
}

#[test]
fn a_claim_that_is_missing_or_wrong_is_refused() {
    for (changes, word) in [
        (json!({"iss": null}), "(iss)"),
        (json!({"iss": "https://id.example/"}), "(iss)"),
        (json!({"iss": "https://ID.example"}), "(iss)"),
        (json!({"iss": "https://evil.example"}), "(iss)"),
        (json!({"sub": null}), "(sub)"),
        (json!({"sub": ""}), "(sub)"),
        (json!({"sub": 123}), "sub"),
        (json!({"sub": PLACEHOLDER_SUBJECT}), "oid"),
        (json!({"aud": null}), "(aud)"),
        (json!({"aud": []}), "(aud)"),
        (json!({"aud": "other"}), "(aud)"),
        (json!({"aud": "Me"}), "(aud)"),
        (json!({"aud": ["me", "api"]}), "trusted_audience"),
        (json!({"aud": ["me", 7]}), "aud"),
        (json!({"aud": "other", "azp": "me"}), "(aud)"),
        (json!({"azp": "other"}), "(azp)"),
        (json!({"azp": 7}), "(azp)"),
        (json!({"azp": ""}), "(azp)"),
        (json!({"exp": null}), "(exp)"),
        (json!({"exp": NOW - 30}), "expired"),
        (json!({"exp": (NOW + 300).to_string()}), "exp"),
        (json!({"iat": null}), "(iat)"),
        (json!({"iat": NOW + 31}), "future"),
        (json!({"iat": NOW - 3601}), "too long ago"),
        (json!({"iat": NOW.to_string()}), "iat"),
        (json!({"nbf": NOW + 31}), "(nbf)"),
        (json!({"nbf": "0"}), "nbf"),
        (json!({"nonce": null}), "no nonce"),
        (json!({"nonce": null, "nonce_supported": false}), "no nonce"),
        (json!({"nonce": "other", "nonce_supported": false}), "nonce"),
        (json!({"nonce": "The-nonce"}), "nonce"),
        (json!({"nonce": ["the-nonce"]}), "nonce"),
        (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "at_hash"),
        (json!({"s_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "s_hash"),
    ] {
        refused(&with(changes), word);
    }
}

#[test]
fn times_are_numbers_with_fractions_and_a_leeway() {
    for changes in [
        json!({"exp": NOW - 29}),
        json!({"exp": NOW as f64 + 0.5, "iat": NOW as f64 + 29.5}),
        json!({"iat": NOW + 30, "nbf": NOW + 30}),
        json!({"iat": NOW - 3600}),
    ] {
        verified(&with(changes)).expect("within the leeway");
    }
    let strict = IdTokenRules::new()
        .leeway(Duration::ZERO)
        .issued_within(Duration::from_secs(5));
    let verifier = verifier().rules(strict);
    for changes in [
        json!({"exp": NOW}),
        json!({"iat": NOW + 1}),
        json!({"iat": NOW - 6}),
    ] {
        verified_by(&verifier, &signed(&with(changes)), &asked()).expect_err("no leeway");
    }
}

#[test]
fn an_audience_or_party_that_is_trusted_by_name() {
    let rules = IdTokenRules::new().trusted_audience("api");
    let verifier = verifier().rules(rules);
    let accepted = |changes| verified_by(&verifier, &signed(&with(changes)), &asked()).is_ok();
    assert!(accepted(json!({"aud": ["me", "api"]})));
    assert!(accepted(json!({"aud": ["me", "api"], "azp": "api"})));
    assert!(!accepted(json!({"aud": "api"})));
    assert!(!accepted(json!({"aud": ["me", "api", "more"]})));
    assert!(!accepted(json!({"azp": "more"})));
}

#[test]
fn what_was_asked_for_is_enforced() {
    let refused = |asked: AuthenticationRequest, changes, word: &str| {
        let error = verified_by(&verifier(), &signed(&with(changes)), &asked);
        let error = error.expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    };
    let max_age = |max_age| AuthenticationRequest { max_age, ..asked() };
    verified_by(&verifier(), &signed(&good()), &max_age(Some(30))).expect("within the leeway");
    refused(max_age(Some(29)), json!({}), "too long ago");
    refused(
        max_age(Some(300)),
        json!({"auth_time": null}),
        "optional claim",
    );
    refused(max_age(Some(300)), json!({"auth_time": "1"}), "auth_time");
    // Milliseconds lie in the future.
    refused(
        max_age(Some(300)),
        json!({"auth_time": NOW * 1000}),
        "future",
    );
    let fraction = with(json!({"auth_time": NOW as f64 - 0.877}));
    verified_by(&verifier(), &signed(&fraction), &max_age(Some(0))).expect("a fraction");
    let anew = || AuthenticationRequest {
        not_before: Some(NOW - 10),
        ..asked()
    };
    verified_by(
        &verifier(),
        &signed(&with(json!({"auth_time": NOW - 40}))),
        &anew(),
    )
    .expect("new");
    refused(anew(), json!({"auth_time": NOW - 41}), "too long ago");
    let essential = AuthenticationRequest {
        auth_time: true,
        ..asked()
    };
    refused(essential, json!({"auth_time": null}), "auth_time");
    for acr in [json!("2"), json!(null), json!(["1"]), json!(1)] {
        let acr_values = AuthenticationRequest {
            acr: vec!["1".to_owned()],
            ..asked()
        };
        verified_by(&verifier(), &signed(&good()), &acr_values).expect("the class");
        refused(acr_values, json!({"acr": acr}), "(acr)");
    }
    let subject = AuthenticationRequest {
        subject: Some("bob".to_owned()),
        ..asked()
    };
    refused(subject, json!({}), "another end-user");
    let without_nonce = AuthenticationRequest {
        nonce: None,
        ..asked()
    };
    refused(without_nonce, json!({}), "AuthorizationCode::nonce");
}

#[test]
fn an_exception_is_for_one_issuer() {
    let rules = |issuer| {
        let rules = IdTokenRules::new().dangerous_without_nonce(issuer);
        verifier().rules(rules.issuer_alias(issuer, "id.example"))
    };
    let without = signed(&with(json!({"nonce": null, "iss": "id.example"})));
    verified_by(&rules(ISSUER), &without, &asked()).expect("two exceptions");
    verified_by(&rules("https://other.example"), &without, &asked()).expect_err("another issuer");
    let without = signed(&with(json!({"nonce": null})));
    verified_by(&rules("https://other.example"), &without, &asked()).expect_err("another issuer");
    let without_pkce = AuthenticationRequest {
        pkce: false,
        ..asked()
    };
    verified_by(&rules(ISSUER), &without, &without_pkce).expect_err("no PKCE");
    let other = signed(&with(json!({"nonce": "other"})));
    verified_by(&rules(ISSUER), &other, &asked()).expect_err("another nonce");
}

#[test]
fn no_other_key_algorithm_or_kind_of_token() {
    let es256 = key();
    let rsa = SigningKey::from_pem(Algorithm::RS256, RSA_PEM).expect("a key");
    let hmac = SigningKey::hmac(Algorithm::HS256, SECRET).expect("a secret");
    let refused = |id_token: Secret, word: &str| {
        let error = verified_by(&verifier(), &id_token, &asked()).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    };
    refused(signed_with(&good(), &rsa.header(), &rsa), "RS256");
    // The server lists it, but it has to be registered.
    refused(signed_with(&good(), &hmac.header(), &hmac), "HS256");
    refused(
        signed_with(&good(), &es256.header().with_key_id("2"), &es256),
        "kid",
    );
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", ""] {
        refused(
            signed_with(&good(), &es256.header().with_typ(typ), &es256),
            "typ",
        );
    }
    for typ in ["JWT", "jwt"] {
        let id_token = signed_with(&good(), &es256.header().with_typ(typ), &es256);
        verified_by(&verifier(), &id_token, &asked()).expect(typ);
    }
    let good = signed(&good());
    let good = good.expose_secret();
    let input = good.rsplit_once('.').expect("three parts").0;
    let other = signed(&with(json!({"sub": "bob"})));
    let other = other
        .expose_secret()
        .rsplit_once('.')
        .expect("three parts")
        .1;
    let payload = input.split_once('.').expect("three parts").1;
    for (id_token, word) in [
        (format!("{good}.a.b"), "encrypted"),
        (format!("eyJhbGciOiJub25lIn0.{payload}."), "never accepted"),
        (format!("{input}."), "signed"),
        (format!("{input}.{other}"), "signed"),
        (format!("{good}="), "base64url"),
        (format!(" {good}"), "base64url"),
        ("not-a-jwt".to_owned(), "three parts"),
    ] {
        refused(id_token.into(), word);
    }
}

#[test]
fn hs256_is_for_a_confidential_client_that_registered_it() {
    let hmac = SigningKey::hmac(Algorithm::HS256, SECRET).expect("a secret");
    let id_token = signed_with(&good(), &hmac.header(), &hmac);
    let with_client = |client: &ClientRegistration| {
        let verifier = IdTokenVerifier::new(&server(), client).expect("an issuer");
        let rules = IdTokenRules::new().algorithms([Algorithm::HS256]);
        let now = Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(NOW));
        verified_by(&verifier.rules(rules).clock(now), &id_token, &asked())
    };
    let public = ClientRegistration::new("me");
    with_client(&public.clone().with_client_secret(SECRET)).expect("registered");
    for (client, word) in [
        (public.clone(), "needs a secret"),
        (public.clone().with_client_secret("short"), "at least 32"),
        (public.clone().with_client_secret(SECRET.repeat(2)), "key"),
    ] {
        let error = with_client(&client).expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn without_issuer_or_client_id_there_is_nothing_to_verify_against() {
    let client = ClientRegistration::new("me");
    let unknown = AuthorizationServer::default();
    assert!(IdTokenVerifier::new(&unknown, &client).is_err());
    assert!(IdTokenVerifier::new(&server(), &ClientRegistration::default()).is_err());
}
