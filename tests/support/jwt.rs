//! Assertions as a server sees them: verified, and taken apart.

use std::{
    collections::HashSet,
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use oauth_twin::jose::{Algorithm, Claims, Header, Jwk, Jws, SigningKey, VerifyingKey};
use serde_json::Value;

use super::server::Request;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../vectors/jose.json")).expect("JSON"));

/// The file of a service account, whose key is `rsa-2048`.
pub const SERVICE_ACCOUNT: &str = include_str!("../vectors/service_account.json");

/// The key of that name in the vectors.
fn jwk(name: &str) -> Jwk {
    let keys = VECTORS["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["name"] == name).expect(name);
    serde_json::from_value(key["private_jwk"].clone()).expect("a JWK")
}

/// It has no identifier of its own.
pub fn signing_key(algorithm: Algorithm, name: &str) -> SigningKey {
    let mut jwk = serde_json::to_value(jwk(name)).expect("JSON");
    jwk.as_object_mut().expect("an object").remove("kid");
    let jwk = serde_json::from_value(jwk).expect("a JWK");
    SigningKey::from_jwk(algorithm, &jwk).expect(name)
}

/// A JWT that a key has signed.
pub struct Assertion {
    pub header: Header,
    pub claims: Claims,
}

impl Assertion {
    /// The parameter `name` of `request`, which `key` has signed.
    pub fn of(request: &Request, name: &str, key: &VerifyingKey) -> Self {
        Self::read(&request.parameter(name).expect(name), key)
    }

    pub fn read(token: &str, key: &VerifyingKey) -> Self {
        let jws = Jws::parse(token).expect("a token");
        let payload = jws.verify(key).expect("a signature of the key");
        Self {
            header: jws.header().clone(),
            claims: Claims::from_slice(payload).expect("claims"),
        }
    }

    /// All claims but those that are new each time.
    pub fn lasting(&self) -> Value {
        let mut claims: Value = serde_json::from_str(&self.claims.to_json()).expect("JSON");
        let members = claims.as_object_mut().expect("an object");
        for name in ["jti", "iat", "exp"] {
            assert!(members.remove(name).is_some(), "{name} is missing");
        }
        claims
    }

    /// Its lifetime.
    pub fn lifetime(&self) -> Duration {
        let (from, to) = (self.claims.issued_at(), self.claims.expires_at());
        to.expect("exp")
            .duration_since(from.expect("iat"))
            .expect("later")
    }

    /// Its time of issue, in seconds.
    pub fn issued_at(&self) -> u64 {
        let issued_at = self.claims.issued_at().expect("iat");
        issued_at
            .duration_since(UNIX_EPOCH)
            .expect("later")
            .as_secs()
    }
}

/// The different identifiers of `assertions`.
pub fn ids(assertions: &[Assertion]) -> HashSet<&str> {
    assertions
        .iter()
        .map(|one| one.claims.id().expect("a jti"))
        .collect()
}
