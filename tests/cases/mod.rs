//! The scenarios, written once and run in both modes.

use std::sync::atomic::{AtomicUsize, Ordering};

use oauth_twin::{FileTokenStore, Token, oauth2::ClientCredentials};
use serde_json::json;

use super::{
    mode::{
        AssertionClient, AssertionClientBuilder, CLIENT, CROWD, ExternalSigner, OAUTH1_CLIENT,
        OAuth1Client, OAuth1ClientBuilder, OAuth2Client, OAuth2ClientBuilder, TokenStore, at_once,
        begin, endless, http, maybe_async, meanwhile, own_client, pause, received, test,
    },
    support,
};
use support::{
    clock::ManualClock,
    gate::Gate,
    server::{Reply, Request, Server},
};

pub mod assertion;
mod assertion_settings;
mod authorization_code;
mod children;
mod client_assertion;
mod client_credentials;
pub mod close;
mod compliance;
#[cfg(feature = "tracing")]
mod events;
mod faults;
mod github_apps;
mod grants;
mod hooks;
mod lifecycle;
pub mod oauth1_login;
mod oauth1_redirects;
mod oauth1_requests;
mod oauth1_settings;
mod parity;
mod placement;
mod proxy;
mod races;
mod redirects;
mod requests;
mod revocation;
mod secrets;
mod settings;
mod signer;
#[cfg(feature = "rustls")]
mod tls;
pub mod token_store;
mod unauthorized;

/// What a test may fail with.
pub type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A server that answers the n-th token request with the access token `t<n>` and the refresh token
/// `r<n>`, for `expires_in` seconds, and everything else with the `Authorization` header it got.
pub fn provider(expires_in: u64) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, tokens(n, expires_in))
        }
        _ => Reply::text(200, request.header("authorization").unwrap_or_default()),
    })
}

/// The n-th answer of a token endpoint.
pub fn tokens(n: usize, expires_in: u64) -> serde_json::Value {
    json!({
        "access_token": format!("t{n}"), "refresh_token": format!("r{n}"),
        "token_type": "Bearer", "expires_in": expires_in,
    })
}

/// The token that a provider issued at first, which lives for `expires_in` seconds from now on.
pub fn first_token(clock: &ManualClock, expires_in: u64) -> Token {
    let expires_in = std::time::Duration::from_secs(expires_in);
    Token::new("t0")
        .with_refresh_token("r0")
        .with_issued_at(clock.now())
        .with_expires_at(clock.now() + expires_in)
}

/// A client of `server`, as most tests have it.
pub fn builder(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(server.url("/token"))
}

/// The same, with a token by client credentials.
pub fn with_credentials(server: &Server) -> OAuth2ClientBuilder {
    builder(server).grant(ClientCredentials::new())
}
