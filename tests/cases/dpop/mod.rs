//! DPoP: proofs of possession at both servers, their nonces, and the keys that tokens are bound to.

mod conformance;
mod endpoint;
mod foreign;
mod keys;
mod logins;
mod redirects;
mod requests;
mod userinfo;

use oauth_twin::{
    jose::{Algorithm, Jwk, SigningKey},
    oauth2::{DpopKey, PrivateKeyJwt},
};
use support::{
    dpop::{DpopServer, State, claims_of},
    keys::new_key,
};

use super::*;

fn dpop_key() -> DpopKey {
    DpopKey::generate(Algorithm::ES256).expect("a key")
}

/// A public client with this key.
fn public(server: &DpopServer, key: &DpopKey) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .token_endpoint(server.server.url("/token"))
        .dpop(key.clone())
}

/// A client that authenticates by a new assertion each time.
fn confidential(server: &DpopServer, key: &DpopKey) -> OAuth2ClientBuilder {
    let assertion_key = new_key("1");
    public(server, key).token_endpoint_auth_method(PrivateKeyJwt::new(assertion_key))
}

/// A token of the server, which is bound to `key`.
fn bound_token(server: &DpopServer, key: &DpopKey) -> Token {
    let thumbprint = key.thumbprint().to_owned();
    let mut state = server.state();
    for token in ["t0", "r0"] {
        state.bound.insert(token.to_owned(), thumbprint.clone());
    }
    Token::new("t0").with_refresh_token("r0").with_dpop_key(key)
}

/// The nonces of the proofs for `path`, in order of their arrival.
fn nonces(state: &State, path: &str) -> Vec<Option<String>> {
    let proofs = state.proofs.iter().filter(|(given, _)| given == path);
    let nonce = |claims: &serde_json::Value| claims["nonce"].as_str().map(str::to_owned);
    proofs.map(|(_, claims)| nonce(claims)).collect()
}
