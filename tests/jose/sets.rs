//! JWK Sets as servers publish them.

use oauth_twin::jose::{Algorithm, Claims, Header, Jwk, JwkSet, Jws, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{jwk, key};

/// The public JWK of that name with other members.
fn member(name: &str, more: Value) -> Value {
    let mut jwk = key(name)["public_jwk"].clone();
    for name in ["kid", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    for (name, value) in more.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn token(algorithm: Algorithm, name: &str, key_id: Option<&str>) -> String {
    let key = SigningKey::from_jwk(algorithm, &jwk(&key(name)["private_jwk"])).unwrap();
    let mut header = Header::new(algorithm);
    if let Some(key_id) = key_id {
        header = header.with_key_id(key_id);
    }
    let token = Claims::new().sign_with_header(&header, &key).unwrap();
    token.expose_secret().to_owned()
}

fn set(keys: Value) -> JwkSet {
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

/// The error, or that it was verified.
fn verified(set: &JwkSet, token: &str) -> Result<(), String> {
    let jws = Jws::parse(token).unwrap();
    let verified = jws.verify_with(set, &Algorithm::ALL);
    verified.map(drop).map_err(|error| error.to_string())
}

/// ForgeRock AM and OpenAM list one key once for each algorithm, all with one `kid`.
#[test]
fn keys_with_one_kid_are_sorted_out_by_algorithm() {
    let key_id = "RId+oQm2IhmkUI1wTQUBPQm7jXY=";
    for names in [
        ["RS256", "RS512", "RS384"],
        ["RS512", "RS384", "RS256"],
        ["RS384", "RS256", "RS512"],
    ] {
        let keys = names.map(|alg| {
            let more = json!({"kid": key_id, "alg": alg, "use": "sig"});
            member("rsa-2048", more)
        });
        let set = set(json!(keys));
        for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512] {
            let token = token(algorithm, "rsa-2048", Some(key_id));
            assert_eq!(verified(&set, &token), Ok(()));
        }
        let other = token(Algorithm::PS256, "rsa-2048", Some(key_id));
        assert_eq!(
            verified(&set, &other).unwrap_err(),
            "no key of the set has the kid and the algorithm of the token: the key is intended for \
             another algorithm than PS256 (alg)"
        );
    }
}

#[test]
fn keys_with_one_kid_are_sorted_out_by_type_and_use_and_then_tried() {
    let with = |name: &str, more: Value| {
        let mut jwk = member(name, json!({"kid": "1"}));
        jwk.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        jwk
    };
    let token = token(Algorithm::RS256, "rsa-2048", Some("1"));
    let good = with("rsa-2048", json!({}));
    let other = with("rsa-3072", json!({}));
    for keys in [
        json!([with("p-256", json!({})), good]),
        json!([with("rsa-3072", json!({"use": "enc"})), good]),
        json!([other, good]),
        json!([good, other]),
        json!([good, good, good]),
    ] {
        assert_eq!(verified(&set(keys.clone()), &token), Ok(()), "{keys}");
    }
    for (keys, problem) in [
        (
            json!([other, other]),
            "no key of the set has signed the token",
        ),
        (
            json!([with("p-256", json!({}))]),
            "no key of the set has the kid and the algorithm of the token: the key is an EC key on \
             P-256, but RS256 needs an RSA key",
        ),
        (
            json!([
                with("rsa-2048", json!({"use": "enc"})),
                with("p-256", json!({}))
            ]),
            "no key of the set has the kid and the algorithm of the token: the key is not intended \
             for signatures (use)",
        ),
        (
            json!([]),
            "no key of the set has the kid and the algorithm of the token",
        ),
    ] {
        assert_eq!(verified(&set(keys), &token).unwrap_err(), problem);
    }
}

#[test]
fn a_kid_is_compared_as_text() {
    let token = token(Algorithm::ES256, "p-256", Some("a+b/c=="));
    for other in [
        "a-b_c",
        "a-b_c==",
        "a+b/c=",
        "a+b/c",
        "A+B/C==",
        "a%2Bb/c==",
        "",
    ] {
        let set = set(json!([member("p-256", json!({"kid": other}))]));
        assert!(verified(&set, &token).is_err(), "{other}");
        assert!(set.find("a+b/c==").is_none() && set.find(other).is_some());
    }
}

#[test]
fn an_invalid_entry_is_passed_over_and_named_where_no_key_fits() {
    let rsa = member("rsa-2048", json!({"kid": "b"}));
    let no_y = json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA"});
    let set = set(json!([no_y, null, {"kid": "c"}, {"kty": 1}, rsa]));
    assert_eq!(set.keys().len(), 2);
    let signed = |key_id| token(Algorithm::RS256, "rsa-2048", key_id);
    assert_eq!(verified(&set, &signed(Some("b"))), Ok(()));
    assert_eq!(verified(&set, &signed(None)), Ok(()));
    let invalid = "; invalid entries in the set: 3 (the first: it is not a JSON object)";
    let unfit = "no key of the set has the kid and the algorithm of the token";
    for (algorithm, name, key_id, problem) in [
        (Algorithm::RS256, "rsa-2048", Some("c"), ""),
        (
            Algorithm::ES256,
            "p-256",
            Some("a"),
            ": the JWK of type EC has no y, or one that is empty or not base64url",
        ),
        (
            Algorithm::ES256,
            "p-256",
            None,
            ": the JWK of type EC has no y, or one that is empty or not base64url",
        ),
    ] {
        let error = verified(&set, &token(algorithm, name, key_id)).unwrap_err();
        assert_eq!(error, format!("{unfit}{problem}{invalid}"));
    }
    // Content of the set is not quoted.
    let set = JwkSet::from_slice(br#"{"keys":["hunter2",{"kty":"hunter2"}]}"#).unwrap();
    let error = verified(&set, &signed(None)).unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
    assert!(error.contains("kty) is unknown"), "{error}");
}

/// The numbers of a key are decoded when it is read.
#[test]
fn a_key_is_written_as_it_was_read() {
    for name in ["rsa-2048", "p-256", "p-384", "ed25519"] {
        let more =
            json!({"kid": "1", "use": "sig", "x5t": "a", "issuer": "b", "key_ops": ["verify"]});
        let value = member(name, more);
        let key = jwk(&value);
        assert_eq!(serde_json::to_value(&key).unwrap(), value);
        assert_eq!(key.get("issuer"), Some(&json!("b")));
        let of_the_key = ["kty", "crv", "n", "e", "x", "y", "kid", "use"];
        assert!(of_the_key.iter().all(|name| key.get(name).is_none()));
        assert_eq!(serde_json::from_value::<Jwk>(value).unwrap(), key);
    }
    // As far as it is not understood it stays as it is, and so does what belongs to another type.
    for value in [
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "not base64url!"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "AKP", "pub": "AA", "n": "AA", "kid": "1"}),
        member("ed25519", json!({"n": "AA", "y": 7})),
        member("rsa-2048", json!({"crv": "P-256"})),
    ] {
        assert_eq!(serde_json::to_value(jwk(&value)).unwrap(), value);
    }
}

proptest! {
    /// The index finds what a look at each key finds.
    #[test]
    fn a_key_is_found_among_others(
        key_ids in prop::collection::vec(prop::option::of("[ab]{0,3}"), 0..40),
        wanted in "[abc]{0,3}",
    ) {
        let keys: Vec<Jwk> = (0_u8..).zip(&key_ids).map(|(n, key_id)| {
            let mut key = json!({"kty": "oct", "n": n});
            if let Some(key_id) = key_id {
                key["kid"] = json!(key_id);
            }
            jwk(&key)
        }).collect();
        let set = JwkSet::new(keys.clone());
        prop_assert_eq!(set.keys(), keys.as_slice());
        let found = keys.iter().find(|key| key.key_id() == Some(&wanted));
        prop_assert_eq!(set.find(&wanted), found);
        for key_id in key_ids.iter().flatten() {
            let found = keys.iter().find(|key| key.key_id() == Some(key_id));
            prop_assert_eq!(set.find(key_id), found);
        }
    }

    /// The key that has signed is found in any order of the keys.
    #[test]
    fn a_token_is_verified_by_its_key(
        order in Just(vec!["p-256", "ed25519", "p-384", "rsa-2048"]).prop_shuffle(),
        key_ids in prop::collection::vec("[ab]", 4),
        named in any::<bool>(),
    ) {
        let keys = order.iter().zip(&key_ids);
        let keys: Vec<_> = keys.map(|(name, kid)| member(name, json!({"kid": kid}))).collect();
        let set = set(json!(keys));
        for (name, key_id) in order.iter().zip(&key_ids) {
            let algorithm = super::algorithms(key(name))[0];
            let signed = token(algorithm, name, named.then_some(key_id));
            prop_assert_eq!(verified(&set, &signed), Ok(()));
            let other = token(algorithm, name, Some("c"));
            prop_assert!(verified(&set, &other).is_err());
        }
    }
}
