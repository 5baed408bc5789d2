//! Our JOSE and joserfc: each verifies what the other has signed, and refuses what was changed.

use oauth_twin::{
    ErrorKind,
    jose::{Algorithm, Claims, Jwk, JwkSet, Jws, SigningKey, VerifyingKey},
};
use serde_json::{Value, json};

use super::{TestResult, address, keys};
use crate::mode::{maybe_async, own_client, test};

/// Result of joserfc: its output, or its error.
#[maybe_async]
async fn theirs(operation: &str, question: Value) -> Result<Value, String> {
    let url = format!("{}/jose/{operation}", address("AUTHLIB_SERVER"));
    let response = own_client().post(url).json(&question).send().await;
    let response = response.expect("the server answers");
    let is_good = response.status().is_success();
    let answer: Value = response.json().await.expect("JSON");
    match is_good {
        true => Ok(answer),
        false => Err(answer["error"].as_str().expect("an error").to_owned()),
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example.com", "sub": "Zo\u{eb} \u{c6}r\u{f8}", "aud": ["reports", "\u{1f511}"],
        "exp": 4_102_444_800_u64, "nbf": 1_577_836_800, "iat": 1_577_836_800, "jti": "a\u{0}b\"\\/",
        "nested": {"list": [1, -2.5, true, null, {}], "": ""},
    })
}

/// Signing keys: private keys from PEM, secrets from JWK.
fn signing_key(algorithm: Algorithm) -> SigningKey {
    match algorithm.is_symmetric() {
        true => SigningKey::from_jwk(algorithm, &keys::jwk(algorithm)).expect("a key"),
        false => keys::key(algorithm),
    }
}

/// Verification keys: the public key that servers are given, or the secret.
fn told(algorithm: Algorithm) -> Jwk {
    let public = signing_key(algorithm).public_jwk();
    public.unwrap_or_else(|| keys::jwk(algorithm))
}

/// The token with another claim under the same signature.
fn changed(token: &str) -> String {
    let parts: Vec<_> = token.split('.').collect();
    let other = Claims::new()
        .with_subject("mallory")
        .sign(&keys::key(Algorithm::EdDSA));
    let other = other.expect("a token");
    let payload = other.expose_secret().split('.').nth(1).expect("a payload");
    [parts[0], payload, parts[2]].join(".")
}

#[maybe_async]
#[test]
async fn they_verify_what_we_have_signed() -> TestResult {
    for algorithm in Algorithm::ALL {
        let key = signing_key(algorithm);
        let ours = Claims::from_slice(claims().to_string().as_bytes())?;
        let header = key
            .header()
            .with_typ("at+jwt")
            .with("x", json!({"y": "\u{e4}"}));
        let token = ours.sign_with_header(&header, &key)?;
        let question =
            |token: &str, jwk: &Jwk| json!({"token": token, "key": jwk, "alg": algorithm.as_str()});
        let token = token.expose_secret();
        let verified = theirs("verify", question(token, &told(algorithm))).await;
        let verified = verified.map_err(|error| format!("{algorithm}: {error}"))?;
        assert_eq!(verified["claims"], claims(), "{algorithm}");
        let header = &verified["header"];
        assert_eq!(
            (&header["alg"], &header["typ"], &header["x"]["y"]),
            (
                &json!(algorithm.as_str()),
                &json!("at+jwt"),
                &json!("\u{e4}")
            )
        );
        assert_eq!(header["kid"].as_str(), key.key_id());

        // Or their yes would say nothing.
        let refused = theirs("verify", question(&changed(token), &told(algorithm))).await;
        let error = refused.expect_err("another payload");
        assert!(error.contains("BadSignature"), "{algorithm}: {error}");
        if !algorithm.is_symmetric() {
            let other = keys::another_key(algorithm).public_jwk().expect("a JWK");
            let refused = theirs("verify", question(token, &other)).await;
            let error = refused.expect_err("another key");
            assert!(error.contains("BadSignature"), "{algorithm}: {error}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn we_verify_what_they_have_signed() -> TestResult {
    for algorithm in Algorithm::ALL {
        let jwk = keys::jwk(algorithm);
        let question = json!({
            "key": jwk, "alg": algorithm.as_str(), "claims": claims(),
            "header": {"kid": jwk.key_id(), "typ": "at+jwt", "x": {"y": "\u{e4}"}},
        });
        let answer = theirs("sign", question).await?;
        let token = answer["token"].as_str().expect("a token");
        let jws = Jws::parse(token)?;
        let header = jws.header();
        assert_eq!(header.algorithm(), algorithm);
        assert_eq!(
            (header.key_id(), header.typ()),
            (jwk.key_id(), Some("at+jwt"))
        );
        assert_eq!(header.get("x"), Some(&json!({"y": "\u{e4}"})));

        let public = match algorithm.is_symmetric() {
            true => jwk.clone(),
            false => jwk.public(),
        };
        let key = VerifyingKey::from_jwk(algorithm, &public)?;
        let payload = jws.verify(&key)?;
        assert_eq!(serde_json::from_slice::<Value>(payload)?, claims());
        let theirs = Claims::from_slice(payload)?;
        let subject = claims()["sub"].as_str().map(str::to_owned);
        assert_eq!(theirs.subject(), subject.as_deref());
        if !algorithm.is_symmetric() {
            // Among all keys of a set, of which several are for other algorithms.
            let set = JwkSet::new(keys::asymmetric().map(told).chain([public]));
            assert_eq!(jws.verify_with(&set, &[algorithm])?, payload);
        }

        let changed = changed(token);
        let error = Jws::parse(&changed)?.verify(&key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains("signature"), "{error}");
        if !algorithm.is_symmetric() {
            let error = jws.verify(&keys::another_key(algorithm).verifying_key());
            let error = error.unwrap_err();
            assert!(error.to_string().contains("signature"), "{error}");
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn thumbprints_are_the_same() -> TestResult {
    for key in keys::vectors() {
        // A shared secret has no public half.
        for jwk in [&key["public_jwk"], &key["private_jwk"]] {
            if jwk.is_null() {
                continue;
            }
            let ours: Jwk = serde_json::from_value(jwk.clone())?;
            let answer = theirs("thumbprint", json!({"key": jwk})).await;
            let answer = answer.map_err(|error| format!("{}: {error}", key["name"]))?;
            let ours = ours.thumbprint()?;
            assert_eq!(answer["thumbprint"], ours, "{}", key["name"]);
        }
    }
    // Those that we make of a key pair.
    for algorithm in keys::asymmetric() {
        let answer = theirs("thumbprint", json!({"key": told(algorithm)})).await?;
        assert_eq!(answer["thumbprint"], told(algorithm).thumbprint()?);
        let jwk = keys::jwk(algorithm);
        assert_eq!(told(algorithm).thumbprint()?, jwk.thumbprint()?);
    }
    Ok(())
}
