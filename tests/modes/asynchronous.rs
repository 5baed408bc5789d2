//! The async seam of the tests: all that differs from `blocking.rs`, under the same names.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

pub use maybe_async::must_be_async as maybe_async;
#[cfg(feature = "login")]
pub use oauth_twin::AsyncLoopback as Loopback;
#[allow(unused_imports, reason = "not every half of every feature needs it")]
pub use oauth_twin::AsyncTokenStore as TokenStore;
pub use oauth_twin::{
    AsyncAssertionClient as AssertionClient, AsyncAssertionClientBuilder as AssertionClientBuilder,
    AsyncExternalSigner as ExternalSigner, AsyncLogin as Login, AsyncOAuth1Client as OAuth1Client,
    AsyncOAuth1ClientBuilder as OAuth1ClientBuilder, AsyncOAuth2Client as OAuth2Client,
    AsyncOAuth2ClientBuilder as OAuth2ClientBuilder, reqwest,
};
#[cfg(feature = "redis")]
#[allow(unused_imports, reason = "only the tests with a server need it")]
pub use oauth_twin::{AsyncRedis as Redis, AsyncRedisTokenStore as RedisTokenStore};
pub use tokio::test;

/// The name of this half's client in `Debug`.
pub const CLIENT: &str = "AsyncOAuth2Client";
/// The same of its OAuth 1.0 client.
pub const OAUTH1_CLIENT: &str = "AsyncOAuth1Client";
/// Number of concurrent callers with an expired token.
pub const CROWD: usize = 1000;

pub mod http {
    #[allow(unused_imports, reason = "not every half of every feature needs each")]
    pub use super::reqwest::{Body, Client, ClientBuilder, Request, Response, multipart::Form};
}

/// A client of OAuth 2.0 of either kind, which gets its token by itself.
pub trait TokenClient: Clone + Send + Sync + 'static {
    fn ensure_active_token(&self) -> impl Future<Output = TokenResult> + Send;
    fn refresh_token(&self) -> impl Future<Output = TokenResult> + Send;
}

/// Result of a token method.
pub type TokenResult = oauth_twin::Result<oauth_twin::Token>;

impl TokenClient for OAuth2Client {
    async fn ensure_active_token(&self) -> TokenResult {
        self.ensure_active_token().await
    }

    async fn refresh_token(&self) -> TokenResult {
        self.refresh_token().await
    }
}

impl TokenClient for AssertionClient {
    async fn ensure_active_token(&self) -> TokenResult {
        self.ensure_active_token().await
    }

    async fn refresh_token(&self) -> TokenResult {
        self.refresh_token().await
    }
}

/// Runs `count` jobs at once and gives what they return.
pub async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    job: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(job(n))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("a task"));
    }
    done
}

/// Spawns a job that runs beside the test.
pub fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    job: impl FnOnce() -> F,
) -> Task<T> {
    Task(tokio::spawn(job()))
}

pub struct Task<T>(tokio::task::JoinHandle<T>);

impl<T> Task<T> {
    pub async fn join(self) -> T {
        self.outcome().await.expect("a task")
    }

    /// An error if it panicked.
    pub async fn outcome(self) -> Result<T, ()> {
        self.0
            .await
            .map_err(|error| assert!(error.is_panic(), "{error}"))
    }
}

/// Runs `wait`, which blocks, while tasks go on.
pub async fn run_blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(wait).await.expect("a thread")
}

/// Runs `job` to its end on a thread of its own, for code that cannot wait otherwise.
pub fn run_alone<T: Send, F: Future<Output = T>>(job: impl FnOnce() -> F + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(job())
    };
    std::thread::scope(|scope| scope.spawn(run).join()).expect("a thread")
}

pub async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A body of `size` bytes whose length is not known beforehand.
pub fn streaming_body(size: usize) -> http::Body {
    struct Stream(usize);
    impl http_body::Body for Stream {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            let size = self.0.min(10_000);
            self.0 -= size;
            let data = bytes::Bytes::from(vec![b'x'; size]);
            Poll::Ready((size > 0).then(|| Ok(http_body::Frame::data(data))))
        }
    }
    http::Body::wrap(Stream(size))
}

/// Reads an answer bit by bit and counts its bytes.
pub async fn received(mut response: http::Response) -> usize {
    let mut size = 0;
    while let Some(chunk) = response.chunk().await.expect("a chunk") {
        size += chunk.len();
    }
    size
}

/// A reqwest client of the caller's own.
pub fn own_client() -> http::Client {
    own_client_with(|builder| builder)
}

/// The same, as `configure` sets it up.
pub fn own_client_with(
    configure: impl FnOnce(http::ClientBuilder) -> http::ClientBuilder,
) -> http::Client {
    let builder = oauth_twin::async_http_client_builder();
    configure(builder).build().expect("a client")
}
