//! `jose` against the RFCs' examples, and against keys and tokens by Python's `cryptography` and
//! joserfc (`vectors/jose.py` says how they are made).

#![allow(clippy::unwrap_used, reason = "a test program may panic")]

use std::sync::LazyLock;

use oauth_twin::jose::{Algorithm, Jwk, Jws, SigningKey, VerifyingKey};
use serde_json::Value;

mod claims;
mod confusion;
mod files;
mod jwk;
mod properties;
mod rfcs;
mod sets;
mod tokens;

static RFCS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/rfc_jose.json")).unwrap());
static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/jose.json")).unwrap());

/// The forms of a private key in the vectors, each in PEM and in DER.
const SIGNING_FORMS: &[&str] = &[
    "pkcs1",
    "pkcs8",
    "pkcs8_v2",
    "pkcs8_v2_explicit",
    "sec1",
    "sec1_with_parameters",
];
/// The forms of a public key.
const VERIFYING_FORMS: &[&str] = &["certificate", "certificate_v1", "pkcs1_public", "spki"];

/// The list of that name, which is not empty.
fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let list = vectors[name].as_array().expect(name);
    assert!(!list.is_empty(), "{name}");
    list
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect(name)
}

fn jwk(vector: &Value) -> Jwk {
    serde_json::from_value(vector.clone()).expect("a JWK")
}

fn key(name: &str) -> &'static Value {
    let named = |key: &&Value| key["name"] == name;
    list(&VECTORS, "keys").iter().find(named).expect(name)
}

/// The algorithms that a key is there for, if it is one that is supported.
fn algorithms(key: &Value) -> Vec<Algorithm> {
    let names = key["algs"].as_array().unwrap().iter();
    let names = names.map(|name| name.as_str().unwrap());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// The JWK that verifies, which for a shared secret is the secret.
fn verifying_jwk(key: &Value) -> Jwk {
    let public = key.get("public_jwk").filter(|key| !key.is_null());
    jwk(public.unwrap_or(&key["private_jwk"]))
}

fn verifying_key(algorithm: Algorithm, key: &Value) -> VerifyingKey {
    VerifyingKey::from_jwk(algorithm, &verifying_jwk(key)).expect("a key that verifies")
}

/// The payload, if the key has signed it.
fn verified(token: &str, key: &VerifyingKey) -> oauth_twin::Result<Vec<u8>> {
    Ok(Jws::parse(token)?.verify(key)?.to_vec())
}

/// A signature of each verifies with the other.
fn assert_pair(signing: &SigningKey, verifying: &VerifyingKey) {
    let signature = signing.sign(b"a message").expect("a signature");
    verifying
        .verify(b"a message", &signature)
        .expect("the same key");
    assert!(verifying.verify(b"another", &signature).is_err());
}
