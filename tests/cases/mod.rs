//! The scenarios, written once and run in both modes.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use oauth_twin::{
    BoxError, Error, ErrorKind, FileTokenStore, Token, TokenUpdate, oauth2::ClientCredentials,
};
use serde_json::json;

use super::{
    mode::{
        AssertionClient, AssertionClientBuilder, CLIENT, CROWD, ExternalSigner, OAUTH1_CLIENT,
        OAuth1Client, OAuth1ClientBuilder, OAuth2Client, OAuth2ClientBuilder, Task, TokenClient,
        TokenResult, TokenStore, at_once, http, maybe_async, own_client, received, run_alone,
        run_blocking, sleep, spawn, streaming_body, test,
    },
    support,
};
use support::{
    clock::ManualClock,
    closed_port::ClosedPort,
    gate::Gate,
    server::{Reply, Request, Server},
    updates::{Updates, recording},
};

/// Requests to `$url` by each method that has a name at `$client`, and by one that has none.
macro_rules! every_verb {
    ($client:expr, $url:expr) => {
        [
            $client.get($url),
            $client.options($url),
            $client.head($url),
            $client.post($url),
            $client.put($url),
            $client.patch($url),
            $client.delete($url),
            $client.request(
                oauth_twin::reqwest::Method::from_bytes(b"PROPFIND").expect("a method"),
                $url,
            ),
        ]
    };
}

mod answers;
pub mod assertion;
mod assertion_client;
mod assertion_settings;
mod authorization_code;
mod children;
mod client_assertion;
mod client_credentials;
pub mod close;
mod compliance;
pub mod device;
mod discovery;
mod dpop;
#[cfg(feature = "tracing")]
mod events;
mod exchange;
mod exchange_for;
mod fapi;
mod faults;
mod federated;
mod github_apps;
mod google;
mod grants;
mod hooks;
#[cfg(feature = "login")]
pub mod interactive_login;
mod keys;
mod lifecycle;
mod logins;
#[cfg(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
))]
mod mtls;
mod newcomer;
pub mod oauth1_login;
mod oauth1_redirects;
mod oauth1_requests;
mod oauth1_settings;
mod oauth2_client;
mod oidc;
mod parity;
mod placement;
pub mod protected_resource;
mod providers;
mod proxy;
mod races;
mod redirects;
mod refresh_scope;
pub mod registered_anew;
mod registration;
mod request_budget;
mod requests;
mod revocation;
mod secrets;
pub mod sequences;
mod server;
mod settings;
mod signer;
mod step_up;
#[cfg(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
))]
mod tls;
pub mod token_store;
mod unauthorized;
mod users;

/// URLs that no token and no signature may be sent to.
const INSECURE_URLS: [&str; 3] = [
    "http://api.example/",
    "http://192.0.2.1/",
    "ftp://api.example/",
];

/// Result of a test.
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
        _ => Reply::authorization_of(request),
    })
}

/// The same, but it answers the first token request when `gate` is open.
pub fn first_held(gate: &Gate) -> Server {
    let (gate, issued) = (gate.clone(), AtomicUsize::new(0));
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            if n == 1 {
                gate.wait();
            }
            Reply::json(200, tokens(n, 600))
        }
        _ => Reply::authorization_of(request),
    })
}

/// The same, but its token endpoint answers when `gate` is open.
pub fn gated(gate: &Gate) -> Server {
    let (gate, issued) = (gate.clone(), AtomicUsize::new(0));
    Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
            gate.wait();
            Reply::json(200, tokens(n, 600))
        }
        _ => Reply::authorization_of(request),
    })
}

/// A provider whose API refuses every token but `t1`, which its token endpoint issues.
pub fn accepting_the_renewed_token() -> Server {
    Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        _ if request.header("authorization") == Some("Bearer t1") => Reply::text(200, ""),
        _ => Reply::text(401, ""),
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
    Token::new("t0")
        .with_refresh_token("r0")
        .with_issued_at(clock.now())
        .with_expires_at(clock.now() + seconds(expires_in))
}

/// The same token, long expired by any clock.
pub fn expired_token() -> Token {
    Token::new("t0")
        .with_refresh_token("r0")
        .with_expires_at(UNIX_EPOCH)
}

pub fn access_token(token: &Token) -> &str {
    token.access_token().expose_secret()
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A client of `server`, as most tests have it.
pub fn builder(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(server.url("/token"))
}

/// The same, with the first token of the provider.
fn with_first_token(server: &Server, clock: &ManualClock, expires_in: u64) -> OAuth2ClientBuilder {
    builder(server)
        .token(first_token(clock, expires_in))
        .clock(clock.clock())
}

/// The client of most tests, with a token by client credentials.
pub fn with_credentials(server: &Server) -> OAuth2ClientBuilder {
    builder(server).grant(ClientCredentials::new())
}

/// A client as `builder` has it, with a hook that waits until `gate` is open.
#[maybe_async]
fn with_held_hook(builder: OAuth2ClientBuilder, gate: &Gate) -> OAuth2ClientBuilder {
    let gate = gate.clone();
    builder.update_token(move |_: TokenUpdate| {
        let gate = gate.clone();
        async move {
            run_blocking(move || gate.wait()).await;
            Ok::<(), BoxError>(())
        }
    })
}

/// A call of `ensure_active_token` that runs beside the test.
#[maybe_async]
fn spawn_ensure_active_token<C: TokenClient>(client: &C) -> Task<TokenResult> {
    let client = client.clone();
    spawn(move || async move { client.ensure_active_token().await })
}

/// A call of `refresh_token` that does.
#[maybe_async]
fn spawn_refresh_token<C: TokenClient>(client: &C) -> Task<TokenResult> {
    let client = client.clone();
    spawn(move || async move { client.refresh_token().await })
}

/// The outcome for each of `clients`, which are asked for their token at once.
#[maybe_async]
async fn tokens_at_once<C: TokenClient>(clients: Vec<C>) -> Vec<TokenResult> {
    at_once(clients.len(), |n| {
        let client = clients[n].clone();
        async move { client.ensure_active_token().await }
    })
    .await
}

/// The outcome for each of a crowd that asks `client` for its token while `server` holds the one
/// request back at `gate`, which opens when all of them have joined it.
#[maybe_async]
async fn crowd_at<C: TokenClient>(client: &C, server: &Server, gate: &Gate) -> Vec<TokenResult> {
    let begun = Arc::new(AtomicUsize::new(0));
    let (crowd, counter) = (client.clone(), begun.clone());
    let outcomes = spawn(move || async move {
        at_once(CROWD, |_| {
            let (client, begun) = (crowd.clone(), counter.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client.ensure_active_token().await
            }
        })
        .await
    });
    until(|| begun.load(Ordering::SeqCst) == CROWD && server.count("/token") > 0).await;
    // All have begun; in the time that the last of them needs to join, nothing can end yet.
    sleep(Duration::from_millis(300)).await;
    gate.open();
    outcomes.join().await
}

/// The wait until `holds` does, which fails after a minute.
#[maybe_async]
async fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < seconds(60), "it did not come about");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The source of `error`, as text.
pub fn cause(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.expect("a source").to_string()
}

/// The problems that `build` names.
fn bad_settings<T: Debug>(built: Result<T, Error>) -> String {
    let error = built.expect_err("a bad setting");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error.to_string();
    let problems = text.strip_prefix("invalid settings: ");
    problems.expect("bad settings").to_owned()
}
