//! The attacks of RFC 8725: a token must not choose how it is verified.
//!
//! [RFC 8725 section 2](https://www.rfc-editor.org/rfc/rfc8725#section-2)

use oauth_twin::{
    ErrorKind,
    jose::{Algorithm, Claims, JwkSet, Jws, SigningKey, VerifyingKey},
};

use super::{VECTORS, jwk, key, list, text, verified, verifying_key};

fn signing(algorithm: Algorithm, name: &str) -> SigningKey {
    SigningKey::from_jwk(algorithm, &jwk(&key(name)["private_jwk"])).unwrap()
}

fn token(key: &SigningKey) -> String {
    let token = Claims::new().with_subject("me").sign(key).unwrap();
    token.expose_secret().to_owned()
}

/// Section 2.1: a token by another algorithm than the key's is refused, even one of the same key.
#[test]
fn an_algorithm_belongs_to_its_key() {
    let token = token(&signing(Algorithm::RS256, "rsa-2048"));
    for algorithm in Algorithm::ALL {
        let name = match algorithm {
            _ if algorithm.is_symmetric() => "oct-64",
            Algorithm::ES256 => "p-256",
            Algorithm::ES384 => "p-384",
            Algorithm::EdDSA => "ed25519",
            _ => "rsa-2048",
        };
        let read = verified(&token, &verifying_key(algorithm, key(name)));
        if algorithm == Algorithm::RS256 {
            assert!(read.is_ok());
            continue;
        }
        let error = read.expect_err("another algorithm");
        assert_eq!(error.kind(), ErrorKind::Answer);
        assert_eq!(
            error.to_string(),
            format!("the token names the algorithm RS256, but the key verifies {algorithm}")
        );
    }
}

/// Section 2.1: "changing the algorithm from "RS256" to "HS256" and using the public key as the
/// HMAC secret".
#[test]
fn a_public_key_is_never_a_shared_secret() {
    let rsa = key("rsa-2048");
    for form in [
        "spki_pem",
        "pkcs1_public_pem",
        "certificate_pem",
        "pkcs8_pem",
    ] {
        for error in [
            SigningKey::hmac(Algorithm::HS256, text(rsa, form)).expect_err(form),
            VerifyingKey::hmac(Algorithm::HS256, text(rsa, form)).expect_err(form),
        ] {
            assert!(error.to_string().contains("in PEM"), "{error}");
        }
    }
    for jwk in [&rsa["public_jwk"], &rsa["private_jwk"]] {
        let error = VerifyingKey::from_jwk(Algorithm::HS256, &super::jwk(jwk)).unwrap_err();
        assert!(error.to_string().contains("not a shared secret"), "{error}");
    }
    let forged: Vec<_> = list(&VECTORS, "forged")
        .iter()
        .filter(|vector| text(vector, "why").starts_with("HS256 by the public key's"))
        .collect();
    assert!(forged.len() >= 6);
    for vector in forged {
        let key = key(text(vector, "key"));
        for algorithm in super::algorithms(key) {
            let read = verified(text(vector, "token"), &verifying_key(algorithm, key));
            assert!(read.is_err(), "{}", text(vector, "why"));
        }
    }
}

/// Section 3.1: "libraries MUST enable the caller to specify a supported set of algorithms".
#[test]
fn only_allowed_algorithms_count() {
    let set = JwkSet::new([jwk(&key("rsa-2048")["public_jwk"])]);
    let token = token(&signing(Algorithm::RS256, "rsa-2048"));
    let jws = Jws::parse(&token).unwrap();
    assert!(jws.verify_with(&set, &[Algorithm::RS256]).is_ok());
    for allowed in [&[] as &[_], &[Algorithm::PS256, Algorithm::ES256]] {
        let error = jws.verify_with(&set, allowed).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the token names the algorithm RS256, which is not allowed"
        );
    }
}

/// A set is public, so a secret in it is none.
#[test]
fn a_shared_secret_in_a_set_does_not_count() {
    let set = JwkSet::new([jwk(&key("oct-32")["private_jwk"])]);
    let token = token(&signing(Algorithm::HS256, "oct-32"));
    let jws = Jws::parse(&token).unwrap();
    let error = jws.verify_with(&set, &Algorithm::ALL);
    assert!(error.unwrap_err().to_string().contains("no key of the set"));
}

#[test]
fn a_key_is_chosen_by_kid_use_and_algorithm() {
    let member = |name: &str, more: serde_json::Value| {
        let mut jwk = key(name)["public_jwk"].clone();
        let jwk_members = jwk.as_object_mut().unwrap();
        jwk_members.remove("kid");
        jwk_members.extend(more.as_object().unwrap().clone());
        super::jwk(&jwk)
    };
    let named = signing(Algorithm::RS256, "rsa-2048").with_key_id("b");
    let token = token(&named);
    let jws = Jws::parse(&token).unwrap();
    for (why, more, good) in [
        ("its kid", serde_json::json!({"kid": "b"}), true),
        ("another kid", serde_json::json!({"kid": "a"}), false),
        ("no kid", serde_json::json!({}), false),
        ("use", serde_json::json!({"kid": "b", "use": "sig"}), true),
        (
            "another use",
            serde_json::json!({"kid": "b", "use": "enc"}),
            false,
        ),
        ("alg", serde_json::json!({"kid": "b", "alg": "RS256"}), true),
        (
            "another alg",
            serde_json::json!({"kid": "b", "alg": "PS256"}),
            false,
        ),
        (
            "an unknown alg",
            serde_json::json!({"kid": "b", "alg": "RSA-OAEP"}),
            false,
        ),
        (
            "key_ops",
            serde_json::json!({"kid": "b", "key_ops": ["verify"]}),
            true,
        ),
        (
            "other key_ops",
            serde_json::json!({"kid": "b", "key_ops": ["encrypt"]}),
            false,
        ),
    ] {
        let others = [
            member("p-256", serde_json::json!({"kid": "b"})),
            member("rsa-3072", serde_json::json!({"kid": "c"})),
        ];
        let set = JwkSet::new(others.into_iter().chain([member("rsa-2048", more)]));
        assert_eq!(
            jws.verify_with(&set, &[Algorithm::RS256]).is_ok(),
            good,
            "{why}"
        );
    }
    // Without a kid in the token every key of its kind is tried.
    let unnamed = Claims::new();
    let header = oauth_twin::jose::Header::new(Algorithm::RS256);
    let token = unnamed.sign_with_header(&header, &named).unwrap();
    let set = JwkSet::new([
        member("rsa-3072", serde_json::json!({"kid": "c"})),
        member("rsa-2048", serde_json::json!({"kid": "b"})),
    ]);
    let jws = Jws::parse(token.expose_secret()).unwrap();
    assert!(jws.verify_with(&set, &[Algorithm::RS256]).is_ok());
}
