//! The blocking seam of the tests: all that differs from `asynchronous.rs`, under the same names.

use std::time::Duration;

pub use ::core::prelude::v1::test;
pub use maybe_async::must_be_sync as maybe_async;
#[cfg(feature = "login")]
pub use oauth_twin::Loopback;
#[allow(unused_imports, reason = "not every half of every feature needs it")]
pub use oauth_twin::TokenStore;
pub use oauth_twin::{
    AssertionClient, AssertionClientBuilder, ExternalSigner, Login, OAuth1Client,
    OAuth1ClientBuilder, OAuth2Client, OAuth2ClientBuilder, reqwest,
};
#[cfg(feature = "redis")]
#[allow(unused_imports, reason = "only the tests with a server need it")]
pub use oauth_twin::{Redis, RedisTokenStore};

/// The name of this half's client in `Debug`.
pub const CLIENT: &str = "OAuth2Client";
/// The same of its OAuth 1.0 client.
pub const OAUTH1_CLIENT: &str = "OAuth1Client";
/// Number of concurrent callers with an expired token.
pub const CROWD: usize = 64;

pub mod http {
    #[allow(unused_imports, reason = "not every half of every feature needs each")]
    pub use super::reqwest::blocking::{
        Body, Client, ClientBuilder, Request, Response, multipart::Form,
    };
}

/// A client of OAuth 2.0 of either kind, which gets its token by itself.
pub trait TokenClient: Clone + Send + Sync + 'static {
    fn ensure_active_token(&self) -> TokenResult;
    fn refresh_token(&self) -> TokenResult;
}

/// Result of a token method.
pub type TokenResult = oauth_twin::Result<oauth_twin::Token>;

impl TokenClient for OAuth2Client {
    fn ensure_active_token(&self) -> TokenResult {
        self.ensure_active_token()
    }

    fn refresh_token(&self) -> TokenResult {
        self.refresh_token()
    }
}

impl TokenClient for AssertionClient {
    fn ensure_active_token(&self) -> TokenResult {
        self.ensure_active_token()
    }

    fn refresh_token(&self) -> TokenResult {
        self.refresh_token()
    }
}

/// Runs `count` jobs at once and gives what they return.
pub fn at_once<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let job = &job;
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || job(n))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().expect("a thread");
        threads.into_iter().map(join).collect()
    })
}

/// Spawns a job that runs beside the test.
pub fn spawn<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Task<T> {
    Task(std::thread::spawn(job))
}

pub struct Task<T>(std::thread::JoinHandle<T>);

impl<T> Task<T> {
    pub fn join(self) -> T {
        self.outcome().expect("a thread")
    }

    /// An error if it panicked.
    pub fn outcome(self) -> Result<T, ()> {
        self.0.join().map_err(|_| ())
    }
}

/// Runs `wait`, which blocks.
pub fn run_blocking<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}

/// Runs `job` to its end on a thread of its own.
pub fn run_alone<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(job).join()).expect("a thread")
}

pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// A body of `size` bytes whose length is not known beforehand.
pub fn streaming_body(size: usize) -> http::Body {
    http::Body::new(std::io::Read::take(std::io::repeat(b'x'), size as u64))
}

/// Reads an answer bit by bit and counts its bytes.
pub fn received(mut response: http::Response) -> usize {
    let size = std::io::copy(&mut response, &mut std::io::sink()).expect("a body");
    usize::try_from(size).expect("a size")
}

/// A reqwest client of the caller's own.
pub fn own_client() -> http::Client {
    own_client_with(|builder| builder)
}

/// The same, as `configure` sets it up.
pub fn own_client_with(
    configure: impl FnOnce(http::ClientBuilder) -> http::ClientBuilder,
) -> http::Client {
    let builder = oauth_twin::http_client_builder();
    configure(builder).build().expect("a client")
}
