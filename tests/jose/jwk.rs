//! Invalid and unusual JWKs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::jose::{Algorithm, Jwk, JwkSet, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::{algorithms, jwk, key};

fn changed(name: &str, member: &str, value: Value) -> Value {
    let mut jwk = key(name)["private_jwk"].clone();
    jwk[member] = value;
    jwk
}

fn without(name: &str, member: &str) -> Value {
    let mut jwk = key(name)["private_jwk"].clone();
    jwk.as_object_mut().unwrap().remove(member).expect(member);
    jwk
}

#[test]
fn invalid_jwks_are_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"kty":7}"#,
        r#"{"kty":"RSA","kid":7}"#,
        r#"{"kty":"RSA","alg":[]}"#,
        r#"{"kty":"oct","k":7}"#,
        r#"{"kty":"RSA","oth":[{"r":"x"}]}"#,
        r#"{"kty":"RSA","key_ops":"sign"}"#,
        r#"{"kty":"RSA","key_ops":[7]}"#,
        r#"{"kty":"oct","kty":"RSA"}"#,
        r#"{"kty":"oct","k":"a","k":"b"}"#,
    ] {
        assert!(serde_json::from_str::<Jwk>(text).is_err(), "{text}");
    }
}

#[test]
fn a_member_that_is_missing_or_broken_is_named() {
    for (name, member) in [
        ("rsa-2048", "n"),
        ("rsa-2048", "e"),
        ("rsa-2048", "p"),
        ("rsa-2048", "q"),
        ("rsa-2048", "dp"),
        ("rsa-2048", "dq"),
        ("rsa-2048", "qi"),
        ("p-256", "x"),
        ("p-256", "y"),
        ("p-256", "crv"),
        ("ed25519", "x"),
        ("oct-32", "k"),
    ] {
        let algorithm = algorithms(key(name))[0];
        for broken in [
            without(name, member),
            changed(name, member, "not base64url!".into()),
            changed(name, member, "".into()),
        ] {
            let error = SigningKey::from_jwk(algorithm, &jwk(&broken)).expect_err(member);
            let text = error.to_string();
            assert!(
                text.contains(member) || text.contains("curve"),
                "{member}: {text}"
            );
            assert!(!format!("{error:?}").contains("base64url!"));
        }
    }
    let error = SigningKey::from_jwk(Algorithm::RS256, &jwk(&without("rsa-2048", "d")));
    assert!(error.unwrap_err().to_string().contains("public key"));
}

#[test]
fn more_than_two_primes_are_named_as_such() {
    let jwk = r#"{"kty":"RSA","oth":[{"r":"x"}]}"#;
    let error = serde_json::from_str::<Jwk>(jwk).unwrap_err().to_string();
    assert!(error.contains("more than two primes"), "{error}");
}

#[test]
fn numbers_that_do_not_belong_together_are_refused() {
    let other = |name: &str, member: &str| key(name)["private_jwk"][member].clone();
    for (name, member, value) in [
        ("p-256", "x", other("p-256", "y")),
        ("p-256", "d", other("ed25519", "d")),
        ("p-384", "y", other("p-384", "x")),
        ("ed25519", "x", other("p-256", "x")),
        ("rsa-2048", "p", other("rsa-2048", "q")),
        ("rsa-2048", "n", other("rsa-3072", "n")),
    ] {
        let jwk = jwk(&changed(name, member, value));
        assert!(
            SigningKey::from_jwk(algorithms(key(name))[0], &jwk).is_err(),
            "{name} {member}"
        );
    }
}

/// Java's numbers begin with a zero where their first bit is set.
#[test]
fn a_leading_zero_is_lenient() {
    let n = super::text(&key("rsa-2048")["public_jwk"], "n");
    let mut bytes = vec![0];
    bytes.extend(URL_SAFE_NO_PAD.decode(n).unwrap());
    let padded = jwk(&changed(
        "rsa-2048",
        "n",
        URL_SAFE_NO_PAD.encode(bytes).into(),
    ));
    let signing = SigningKey::from_jwk(Algorithm::RS256, &padded).unwrap();
    let verifying = VerifyingKey::from_jwk(Algorithm::RS256, &padded).unwrap();
    super::assert_pair(&signing, &verifying);
}

/// Some servers leave out the zeros before a coordinate.
#[test]
fn a_short_coordinate_is_written_at_full_length() {
    let given = json!({"kty": "EC", "crv": "P-256", "x": "RSA", "y": "AQ"});
    let zeros = |bytes: &[u8]| {
        let mut full = vec![0; 32 - bytes.len()];
        full.extend(bytes);
        URL_SAFE_NO_PAD.encode(full)
    };
    let [x, y] = [zeros(&URL_SAFE_NO_PAD.decode("RSA").unwrap()), zeros(&[1])];
    let written = serde_json::to_value(jwk(&given)).unwrap();
    assert_eq!(
        written,
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    );
}

#[test]
fn a_set_leaves_out_what_it_does_not_understand() {
    let good = key("p-256")["public_jwk"].clone();
    let set = json!({"keys": [7, null, {}, {"kty": 1}, {"kty": "PQC"}, good], "more": true});
    let set: JwkSet = serde_json::from_value(set).unwrap();
    assert_eq!(set.keys().len(), 2);
    assert_eq!(set.keys()[0].key_type(), "PQC");
    assert!(set.keys()[0].thumbprint().is_err());
    for text in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert!(serde_json::from_str::<JwkSet>(text).is_err(), "{text}");
    }
}

#[test]
fn the_private_members_can_be_removed() {
    for name in ["rsa-2048", "p-256", "ed25519", "oct-32"] {
        let private = jwk(&key(name)["private_jwk"]);
        assert!(private.is_private());
        assert_eq!(
            serde_json::to_value(&private).unwrap(),
            key(name)["private_jwk"]
        );
        let public = serde_json::to_value(private.public()).unwrap();
        for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(public.get(member).is_none(), "{name} {member}");
        }
    }
}

/// Keys of a type that this library does not know yet.
#[test]
fn private_members_of_future_key_types_are_private() {
    let jwk: Jwk = serde_json::from_str(r#"{"kty":"AKP","pub":"a","priv":"hunter2"}"#).unwrap();
    assert!(jwk.is_private() && !format!("{jwk:?}").contains("hunter2"));
    let public = serde_json::to_value(jwk.public()).unwrap();
    assert_eq!(public, json!({"kty": "AKP", "pub": "a"}));
}

#[test]
fn a_key_may_be_there_for_one_operation() {
    for (operations, signs, verifies) in [
        (json!(["sign"]), true, true),
        (json!(["verify"]), false, true),
        (json!(["sign", "verify"]), true, true),
        (json!(["encrypt"]), false, false),
        (json!([]), false, false),
    ] {
        let jwk = jwk(&changed("p-256", "key_ops", operations.clone()));
        let signing = SigningKey::from_jwk(Algorithm::ES256, &jwk);
        assert_eq!(signing.is_ok(), signs, "{operations}");
        let verifying = VerifyingKey::from_jwk(Algorithm::ES256, &jwk);
        assert_eq!(verifying.is_ok(), verifies, "{operations}");
    }
}

#[test]
fn an_invalid_public_exponent_is_refused() {
    for e in ["AQ", "AA", "Ag", "AQAA", "AQAAAAAB"] {
        let jwk = jwk(&changed("rsa-2048", "e", e.into()));
        let error = VerifyingKey::from_jwk(Algorithm::RS256, &jwk).expect_err(e);
        assert!(error.to_string().contains("exponent"), "{e}: {error}");
    }
}

#[test]
fn a_short_secret_is_refused() {
    let error = SigningKey::from_jwk(Algorithm::HS256, &jwk(&key("oct-16")["private_jwk"]));
    assert!(error.unwrap_err().to_string().contains("16 bytes"));
    let error = SigningKey::from_jwk(Algorithm::HS512, &jwk(&key("oct-48")["private_jwk"]));
    assert!(error.unwrap_err().to_string().contains("at least 64"));
}
