//! Keys: those of `tests/vectors/jose.json`, others of the same kind, and one that is elsewhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{
    BoxError,
    jose::{Algorithm, ExternalKey, Jwk, SigningKey},
};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    },
};
use serde_json::Value;

use crate::mode::{ExternalSigner, maybe_async};

/// All keys of the vectors.
pub fn vectors() -> Vec<Value> {
    let vectors: Value =
        serde_json::from_str(include_str!("../../vectors/jose.json")).expect("vectors");
    vectors["keys"].as_array().expect("keys").clone()
}

/// A member of a key of the vectors.
fn vector(name: &str, member: &str) -> Value {
    let found = vectors().into_iter().find(|key| key["name"] == name);
    found.expect("a key")[member].clone()
}

/// The name of the key for an algorithm.
fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "oct-32",
        Algorithm::HS384 => "oct-48",
        Algorithm::HS512 => "oct-64",
        Algorithm::ES256 => "p-256",
        Algorithm::ES384 => "p-384",
        Algorithm::EdDSA => "ed25519",
        _ => "rsa-2048",
    }
}

/// The algorithms that sign with a private key.
pub fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_symmetric())
}

/// The private key for an algorithm, or the shared secret, as a JWK of joserfc's.
pub fn jwk(algorithm: Algorithm) -> Jwk {
    serde_json::from_value(vector(name(algorithm), "private_jwk")).expect("a JWK")
}

/// The private key for an algorithm, from its PEM.
pub fn key(algorithm: Algorithm) -> SigningKey {
    let pem = vector(name(algorithm), "pkcs8_pem");
    let key = SigningKey::from_pem(algorithm, pem.as_str().expect("a PEM")).expect("a key");
    key.with_key_id("first")
}

/// Another private key of the same kind, under the same name.
pub fn another_key(algorithm: Algorithm) -> SigningKey {
    let random = SystemRandom::new();
    let der = match algorithm {
        Algorithm::ES256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        Algorithm::ES384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random),
        Algorithm::EdDSA => Ed25519KeyPair::generate_pkcs8(&random),
        _ => {
            let pem = vector("rsa-3072", "pkcs8_pem");
            let key = SigningKey::from_pem(algorithm, pem.as_str().expect("a PEM"));
            return key.expect("a key").with_key_id("first");
        }
    };
    let der = der.expect("a key");
    let key = SigningKey::from_der(algorithm, der.as_ref()).expect("a key");
    key.with_key_id("first")
}

/// A service that keeps the key for ES256 and signs in DER, as those of AWS and Google do.
pub struct Kms(EcdsaKeyPair);

impl Kms {
    pub fn new() -> Self {
        let der = vector(name(Algorithm::ES256), "pkcs8_der");
        let der = STANDARD
            .decode(der.as_str().expect("base64"))
            .expect("base64");
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random);
        Self(key.expect("a key"))
    }
}

#[maybe_async(AFIT)]
impl ExternalSigner for Kms {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256).with_key_id("first")
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_unspecified| "the service is away")?;
        Ok(signature.as_ref().to_vec())
    }
}
