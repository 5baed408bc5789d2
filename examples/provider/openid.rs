//! OpenID Connect of the provider: its metadata, its keys, which are changed, and ID tokens.

use std::{collections::HashMap, time::SystemTime};

use oauth_twin::{
    jose::{Algorithm, Claims, SigningKey},
    url::Url,
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::{Value, json};

use super::{CLIENT_ID, LIFETIME};

pub struct OpenId {
    /// The key that signs, and the only one that is published.
    key: SigningKey,
    /// Number of keys so far.
    generation: usize,
}

impl Default for OpenId {
    fn default() -> Self {
        Self {
            key: new_key(1),
            generation: 1,
        }
    }
}

impl OpenId {
    /// Replaces the key, as a provider does after a leak: without notice.
    pub fn rotate_keys(&mut self) {
        self.generation += 1;
        self.key = new_key(self.generation);
    }

    /// The response of the `jwks_uri`.
    pub fn keys(&self) -> Value {
        json!({ "keys": [self.key.public_jwk()] })
    }

    /// An ID token of a user who has logged in now.
    ///
    /// [OpenID Connect Core section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
    pub fn id_token(&self, issuer: &str, user: &str, nonce: &str, now: SystemTime) -> String {
        let claims = Claims::new()
            .with_issuer(issuer)
            .with_subject(subject(user))
            .with_audience(CLIENT_ID)
            .with_issued_at(now)
            .with_expires_at(now + LIFETIME)
            .with("nonce", nonce);
        let id_token = claims.sign(&self.key).expect("a signature");
        id_token.expose_secret().to_owned()
    }
}

fn new_key(generation: usize) -> SigningKey {
    let random = SystemRandom::new();
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = SigningKey::from_der(Algorithm::ES256, der.expect("a key"));
    key.expect("a key").with_key_id(format!("key {generation}"))
}

/// The response of the UserInfo endpoint.
pub fn claims(user: &str) -> Value {
    json!({
        "sub": subject(user),
        "name": user,
        "email": format!("{user}@example.com"),
        "email_verified": true,
    })
}

/// The subject identifier of a user, which stays if name and e-mail address change.
fn subject(user: &str) -> String {
    format!("user-of-{user}")
}

/// The metadata of a provider with this issuer identifier.
///
/// [OpenID Connect Discovery section 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)
pub fn metadata(issuer: &str) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/keys"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "device_authorization_endpoint": at("/device_authorization"),
        "end_session_endpoint": at("/logout"),
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    })
}

/// The URL to which a user returns who has logged out.
///
/// [OpenID Connect RP-Initiated Logout section 3](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RedirectionAfterLogout)
pub fn logged_out(url: &Url) -> Option<String> {
    let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let back = asked.get("post_logout_redirect_uri")?;
    Some(format!("{back}?state={}", asked.get("state")?))
}
