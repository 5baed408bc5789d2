//! Tokens by other libraries: valid and forged ones.

use oauth_twin::jose::{Algorithm, Claims, JwkSet, Jws, SigningKey};
use serde_json::Value;

use super::{VECTORS, algorithms, jwk, key, list, text, verified, verifying_jwk, verifying_key};

#[test]
fn good_tokens_verify() {
    let mut seen = Vec::new();
    for vector in list(&VECTORS, "tokens") {
        let (name, token) = (text(vector, "key"), text(vector, "token"));
        let algorithm: Algorithm = text(vector, "alg").parse().unwrap();
        let verifying = verifying_key(algorithm, key(name));
        let jws = Jws::parse(token).expect(token);
        let payload = jws.verify(&verifying).expect(token);
        let claims = Claims::from_slice(payload).expect(token);
        let read: Value = serde_json::from_str(&claims.to_json()).unwrap();
        assert_eq!(read, vector["claims"]);
        for (member, value) in vector["header"].as_object().unwrap() {
            match member.as_str() {
                "alg" => assert_eq!(jws.header().algorithm().as_str(), value),
                member => assert_eq!(jws.header().get(member), Some(value)),
            }
        }
        seen.push(algorithm);
    }
    for algorithm in Algorithm::ALL {
        let count = seen.iter().filter(|seen| **seen == algorithm).count();
        assert!(count >= 2, "{algorithm}");
    }
}

#[test]
fn a_repeated_signature_is_identical() {
    let mut same = 0;
    for vector in list(&VECTORS, "tokens") {
        let name = text(vector, "key");
        if vector["deterministic"] == false || name == "rsa-2560" {
            continue;
        }
        let algorithm: Algorithm = text(vector, "alg").parse().unwrap();
        let signing = SigningKey::from_jwk(algorithm, &jwk(&key(name)["private_jwk"])).unwrap();
        let (input, signature) = text(vector, "token").rsplit_once('.').unwrap();
        let made = signing.sign(input.as_bytes()).unwrap();
        let made = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, made);
        assert_eq!(made, signature);
        same += 1;
    }
    assert!(same > 20, "{same}");
}

/// Members that stand twice below the top mean nothing to this library, and are not looked for.
const HARMLESS: [&str; 2] = [
    "duplicate member within the header",
    "duplicate member within a claim",
];

#[test]
fn forged_tokens_do_not() {
    let mut refused = 0;
    for vector in list(&VECTORS, "forged") {
        let (why, token) = (text(vector, "why"), text(vector, "token"));
        let key = key(text(vector, "key"));
        for algorithm in algorithms(key) {
            let verifying = verifying_key(algorithm, key);
            let read = verified(token, &verifying).and_then(|payload| Claims::from_slice(&payload));
            match HARMLESS.contains(&why) {
                // It is signed by one of the algorithms.
                true => continue,
                false => {
                    let error = read.expect_err(why);
                    assert!(
                        !format!("{error:?}").contains(token) || token.len() < 3,
                        "{why}"
                    );
                    refused += 1;
                }
            }
        }
        // Nor by way of a set, with everything allowed.
        if let Ok(jws) = Jws::parse(token) {
            let set = JwkSet::new([verifying_jwk(key)]);
            let read = jws.verify_with(&set, &Algorithm::ALL);
            let read = read.and_then(Claims::from_slice);
            assert!(read.is_err() || HARMLESS.contains(&why), "{why}");
        }
    }
    assert!(refused > 500, "{refused}");
}
