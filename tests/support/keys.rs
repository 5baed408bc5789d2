//! Keys of a provider, which are rotated.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use oauth_twin::{
    Secret,
    jose::{Algorithm, Claims, SigningKey},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::{Value, json};

use super::server::Reply;

/// A new key on P-256.
pub fn new_key(key_id: &str) -> SigningKey {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = SigningKey::from_der(Algorithm::ES256, der.expect("a key").as_ref());
    key.expect("a key").with_key_id(key_id)
}

/// A token that `key` has signed.
pub fn signed(key: &SigningKey) -> Secret {
    Claims::new().with_subject("me").sign(key).expect("a token")
}

/// The published set of `keys`.
pub fn published(keys: &[&SigningKey]) -> Value {
    let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
    json!({ "keys": keys })
}

/// The response of a `jwks_uri`, and the number of its requests.
#[derive(Clone, Default)]
pub struct Published(Arc<(Mutex<Option<Answer>>, AtomicUsize)>);

struct Answer {
    status: u16,
    body: String,
    cache_control: String,
}

impl Published {
    pub fn new(keys: &[&SigningKey]) -> Self {
        let published = Self::default();
        published.rotate(keys);
        published
    }

    /// Publishes other keys.
    pub fn rotate(&self, keys: &[&SigningKey]) {
        self.answer(200, published(keys).to_string());
    }

    /// Answers with this from now on.
    pub fn answer(&self, status: u16, body: impl Into<String>) {
        self.answer_for(status, body, "max-age=600");
    }

    pub fn answer_for(&self, status: u16, body: impl Into<String>, cache_control: &str) {
        *self.0.0.lock().expect("a lock") = Some(Answer {
            status,
            body: body.into(),
            cache_control: cache_control.to_owned(),
        });
    }

    pub fn reply(&self) -> Reply {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.0.lock().expect("a lock");
        let answer = answer.as_ref().expect("an answer");
        Reply::text(answer.status, answer.body.clone()).with("cache-control", &answer.cache_control)
    }

    /// The number of its requests.
    pub fn count(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}
