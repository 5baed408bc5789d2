use std::time::Duration;

use http::HeaderMap;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::json;

use super::*;
use crate::{
    jose::{Claims, SigningKey},
    secret::Secret,
};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn url() -> Url {
    Url::parse("https://id.example/keys").expect("a URL")
}

fn new_key(key_id: Option<&str>) -> SigningKey {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = SigningKey::from_der(Algorithm::ES256, der.expect("a key").as_ref());
    let key = key.expect("a key");
    match key_id {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    }
}

fn token(key: &SigningKey) -> Secret {
    Claims::new().with_subject("me").sign(key).expect("a token")
}

fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<KeySet> {
    let status = StatusCode::from_u16(status).expect("a status");
    let response = EndpointResponse::new(status, HeaderMap::new(), body);
    KeySet::read_response(&url(), &response, at(1000))
}

fn set(keys: &[&SigningKey]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
    read(200, json!({ "keys": keys }).to_string()).expect("keys")
}

fn verifies(keys: &KeySet, key: &SigningKey) -> bool {
    let token = token(key);
    let jws = Jws::parse(token.expose_secret()).expect("a token");
    keys.verify(&jws, &[Algorithm::ES256]).is_ok()
}

fn decide(keys: &KeySet, key: &SigningKey, now: u64) -> KeyDecision {
    let token = token(key);
    let jws = Jws::parse(token.expose_secret()).expect("a token");
    keys.decide(jws.header(), at(now))
}

#[test]
fn a_set_is_used_fetched_again_or_refused() {
    let [old, new] = ["1", "2"].map(|id| new_key(Some(id)));
    let mut keys = set(&[&old]);
    // In its lifetime the key that fits is used, and the one that does not is asked for once.
    assert_eq!(decide(&keys, &old, 1000), KeyDecision::Use);
    assert_eq!(decide(&keys, &new, 1000), KeyDecision::Refetch);
    keys.refetched(Some(set(&[&old])), at(1000));
    assert_eq!(decide(&keys, &new, 1000), KeyDecision::Refuse);
    assert_eq!(decide(&keys, &new, 1059), KeyDecision::Refuse);
    assert_eq!(decide(&keys, &new, 1060), KeyDecision::Refetch);
    keys.refetched(Some(set(&[&old, &new])), at(1060));
    assert_eq!(decide(&keys, &new, 1060), KeyDecision::Use);
    // After it, all of them are fetched again, and kept if that fails.
    let mut keys = set(&[&old]);
    assert_eq!(decide(&keys, &old, 4600), KeyDecision::Refetch);
    keys.refetched(None, at(4600));
    assert!(keys.has_failed(at(4659)) && !keys.has_failed(at(4660)));
    assert_eq!(decide(&keys, &old, 4600), KeyDecision::Use);
    assert_eq!(decide(&keys, &new, 4600), KeyDecision::Refuse);
    assert_eq!(decide(&keys, &old, 4660), KeyDecision::Refetch);
    // A clock that was set back does not keep them for ever.
    assert_eq!(decide(&keys, &old, 10), KeyDecision::Refetch);
}

#[test]
fn keys_that_just_arrived_are_fetched_again_for_a_token_that_they_do_not_fit() {
    let [old, new] = ["1", "2"].map(|id| new_key(Some(id)));
    let mut keys = set(&[&old]);
    // Their lifetime had ended, which no token caused.
    keys.refetched(Some(set(&[&old])), at(9000));
    let mut fresh = set(&[&old]);
    fresh.freshness = Freshness::for_seconds(3600, at(9000));
    keys.refetched(Some(fresh), at(9000));
    assert_eq!(decide(&keys, &new, 9000), KeyDecision::Refetch);
    assert_eq!(keys.decide_after_failure(at(9000)), KeyDecision::Refetch);
}

#[test]
fn a_key_id_that_is_used_again_is_found_out_by_the_signature() {
    for key_id in [Some("1"), None] {
        let [old, new] = [(); 2].map(|()| new_key(key_id));
        let mut keys = set(&[&old]);
        assert_eq!(decide(&keys, &new, 1000), KeyDecision::Use);
        assert!(!verifies(&keys, &new));
        assert_eq!(keys.decide_after_failure(at(1000)), KeyDecision::Refetch);
        keys.refetched(Some(set(&[&new])), at(1000));
        assert!(verifies(&keys, &new) && !verifies(&keys, &old));
        // The second failure is final.
        assert_eq!(keys.decide_after_failure(at(1059)), KeyDecision::Refuse);
        assert_eq!(keys.decide_after_failure(at(1060)), KeyDecision::Refetch);
    }
}

#[test]
fn a_key_is_found_by_type_use_and_algorithm_before_its_id() {
    let key = new_key(Some("a+b="));
    let right = serde_json::to_value(key.public_jwk()).expect("a JWK");
    let other = serde_json::to_value(new_key(Some("a+b=")).public_jwk()).expect("a JWK");
    let with = |name: &str, value: &str| {
        let mut key = other.clone();
        key[name] = value.into();
        key
    };
    let entries = json!({"keys": [
        with("alg", "ES384"), with("use", "enc"), with("kid", "a b="), other, right,
    ]});
    let keys = read(200, entries.to_string()).expect("keys");
    assert!(verifies(&keys, &key));
    let unescaped = new_key(Some("a%2Bb%3D"));
    assert!(!verifies(&keys, &unescaped));
}

#[test]
fn keys_that_cannot_be_used_are_skipped_and_named_when_none_fits() {
    let key = new_key(Some("b"));
    let entries = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA"},
        null, 7, {}, {"kty": "of the future", "kid": "c"},
        {"kty": "OKP", "crv": "Ed448", "kid": "d", "x": "AA"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "kid": 7},
        key.public_jwk(),
    ]});
    let keys = read(200, entries.to_string()).expect("keys");
    assert_eq!(keys.keys().keys().len(), 1);
    assert_eq!(keys.skipped().count(), 9);
    assert!(verifies(&keys, &key));
    let other = token(&new_key(Some("c")));
    let jws = Jws::parse(other.expose_secret()).expect("a token");
    let error = keys.verify(&jws, &[Algorithm::ES256]).expect_err("no key");
    let text = error.to_string();
    assert!(text.contains("key 2: it is not a JSON object"), "{text}");
    assert!(!text.contains("c2VjcmV0"), "{text}");
}

#[test]
fn what_is_no_set_or_has_no_key_is_an_error() {
    let key = serde_json::to_value(new_key(None).public_jwk()).expect("a JWK");
    let many = json!({"keys": vec![key.clone(); KEYS_LIMIT + 1]}).to_string();
    let large = json!({"keys": [key.clone()], "x": "x".repeat(SIZE_LIMIT)}).to_string();
    for (status, body, problem) in [
        (200, "", "not a JSON object"),
        (200, "<html>", "not a JSON object"),
        (200, "[]", "not a JSON object"),
        (200, r#"{"error":"busy"}"#, "not a JSON object"),
        (200, r#"{"keys":{}}"#, "not a JSON object"),
        (200, r#"{"keys":[],"keys":[]}"#, "duplicate member"),
        (200, r#"{"keys":[]}"#, "has no keys"),
        (
            200,
            r#"{"keys":[null]}"#,
            "no key that can be used: key 1: it is not",
        ),
        (
            200,
            r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#,
            "no key that can be used",
        ),
        (200, &*many, "more than 256 keys"),
        (200, &*large, "larger than 512 KiB"),
        (204, "", "has no document"),
        (302, "", "redirects"),
        (404, "", "404"),
        (503, "", "503"),
    ] {
        let error = read(status, body).expect_err(problem);
        assert!(error.to_string().contains(problem), "{problem}: {error}");
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }
    assert!(read(200, json!({"keys": vec![key; KEYS_LIMIT]}).to_string()).is_ok());
}

#[test]
fn a_set_is_kept_without_private_members() {
    let key = new_key(Some("1"));
    let mut private = serde_json::to_value(key.public_jwk()).expect("a JWK");
    private["d"] = "hunter2".into();
    let keys = read(200, json!({"keys": [private]}).to_string()).expect("keys");
    let kept = serde_json::to_string(&keys).expect("JSON");
    assert!(!kept.contains("hunter2") && !format!("{keys:?}").contains("hunter2"));
    let again: KeySet = serde_json::from_str(&kept).expect("keys");
    assert_eq!(again, keys);
    assert!(verifies(&again, &key));
    assert_eq!(again.fetched_at(), at(1000));
    assert_eq!(again.jwks_uri(), "https://id.example/keys");
    for text in ["{}", "[]", r#"{"jwks_uri":"a","jwks":{},"freshness":{}}"#] {
        assert!(serde_json::from_str::<KeySet>(text).is_err(), "{text}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_bytes_are_read_or_refused(body: Vec<u8>, status in 100_u16..600) {
            let _ = read(status, body);
        }

        #[test]
        fn any_entries_are_read_within_bounds(
            texts in prop::collection::vec("(\\{\"(kty|kid|x|y|n|e|crv)\":\"[A-Za-z0-9_-]{0,8}\"\\}|null|7|\\[\\])", 0..300),
        ) {
            let key = new_key(Some("1"));
            let key = serde_json::to_string(&key.public_jwk()).expect("a JWK");
            let body = format!("{{\"keys\":[{}{key}]}}", texts.iter().map(|text| format!("{text},")).collect::<String>());
            match read(200, body) {
                Ok(keys) => {
                    prop_assert!(texts.len() < KEYS_LIMIT);
                    prop_assert_eq!(keys.keys().keys().len() + keys.skipped().count(), texts.len() + 1);
                }
                Err(_) => prop_assert!(texts.len() >= KEYS_LIMIT),
            }
        }

        #[test]
        fn no_sequence_of_tokens_causes_more_than_a_fetch_a_minute(
            steps in prop::collection::vec(0_u64..40, 1..60),
        ) {
            let [known, unknown] = ["1", "2"].map(|id| new_key(Some(id)));
            let mut keys = set(&[&known]);
            let (mut now, mut fetches) = (1000, 0);
            for step in steps {
                now += step;
                if decide(&keys, &unknown, now) == KeyDecision::Refetch {
                    fetches += 1;
                    let mut fresh = set(&[&known]);
                    fresh.freshness = Freshness::for_seconds(3600, at(now));
                    keys.refetched(Some(fresh), at(now));
                }
                prop_assert_ne!(decide(&keys, &known, now), KeyDecision::Refuse);
            }
            prop_assert!(fetches <= (now - 1000) / 60 + 1);
        }
    }
}

#[test]
fn kept_keys_with_absurd_times_are_old() {
    let kept = r#"{"jwks_uri":"https://id.example/keys","jwks":{"keys":[]},
        "freshness":{"fetched_at":18446744073709551615,"expires_at":18446744073709551615}}"#;
    let keys: KeySet = serde_json::from_str(kept).expect("JSON");
    assert_eq!(keys.fetched_at(), UNIX_EPOCH);
    assert!(!keys.is_fresh(SystemTime::now()));
}
