//! The async seam: everything that differs from `blocking.rs`, under the same names.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use maybe_async::must_be_async as maybe_async;
use url::Url;

use crate::{
    error::{BoxError, Error, Result},
    lifecycle::update::TokenUpdate,
    oauth2::{
        authorization::request::AuthorizationRequest, grant::id_jag::SecondRequest,
        request::SubjectKind, token::Token,
    },
    oidc::LogoutToken,
    secret::Secret,
    token_store::UserKey,
};

/// reqwest's async half.
mod http {
    pub(crate) use reqwest::{
        Body, Client, ClientBuilder, Request, RequestBuilder, Response, multipart::Form,
    };
}

/// `sync | async`, in text: the async one.
macro_rules! by_mode {
    ($sync:expr, $async:expr $(,)?) => {
        $async
    };
}

/// `pub struct X | AsyncX { .. }` defines `AsyncX`, which the shared source calls `X`.
macro_rules! paired {
    ($(#[$meta:meta])* pub struct $sync:ident | $async:ident $($rest:tt)*) => {
        $(#[$meta])* pub struct $async $($rest)*
        pub(crate) type $sync = $async;
    };
}

/// What becomes a `T` by `.await`.
macro_rules! pending {
    ($T:ty) => {
        impl Future<Output = $T> + Send
    };
}

mod callbacks;
#[path = "client/mod.rs"]
mod client;
#[cfg(feature = "keyring")]
mod keyring_store;
#[cfg(feature = "redis")]
mod redis_connections;
mod tasks;
mod token_store;
mod user_store;
use callbacks::{identity_source, subject_source};
#[cfg(feature = "login")]
pub use client::interactive::*;
#[cfg(feature = "redis")]
pub use client::stores::*;
#[cfg(feature = "redis")]
use redis_connections::RedisConnections;
use tasks::{
    boxed, catch_panic, in_callback, in_span, is_in_callback, run_blocking, run_detached_for,
    run_in_background, run_to_completion, side_by_side, sleep, spawn_and_forget, wait_for,
    with_timeout,
};
#[cfg(feature = "redis")]
use token_store::AsyncTokenStore as TokenStore;
pub use {callbacks::*, client::*, token_store::AsyncTokenStore, user_store::*};

/// reqwest's builder for its async client with the TLS of this crate, for a client of your own:
/// under the feature `rustls` alone, reqwest's own `Client::new` finds no crypto provider.
///
/// ```
/// let http = oauth_twin::async_http_client_builder().user_agent("reports/1.0").build()?;
/// # Ok::<(), oauth_twin::reqwest::Error>(())
/// ```
///
/// If TLS cannot be set up, `build` returns the error.
pub fn async_http_client_builder() -> reqwest::ClientBuilder {
    crate::tls::preconfigured_or_own!(reqwest::ClientBuilder::new())
}

/// Limits how long a response may stall.
fn with_stall_limit(builder: http::ClientBuilder, limit: Duration) -> http::ClientBuilder {
    builder.read_timeout(limit)
}

/// Returns the builder: there is one timer for a request and the reading of its response, [`within`].
fn with_timeout_of_calls(builder: http::ClientBuilder, _limit: Duration) -> http::ClientBuilder {
    builder
}

/// Does nothing, for the same reason.
fn limit_by_itself(_request: &mut http::Request, _limit: Duration) {}

/// The result of `work`, whose end is waited for until `limit`.
fn within<F: Future>(limit: Duration, work: F) -> tokio::time::Timeout<F> {
    tokio::time::timeout(limit, work)
}

fn http_client(builder: http::ClientBuilder) -> reqwest::Result<http::Client> {
    builder.build()
}

/// Whether there is a runtime, without which reqwest and tokio panic.
#[inline]
fn require_runtime() -> Result<()> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_none) => Err(Error::no_runtime()),
    }
}

/// Not an `async fn`: that would keep a copy of the request in a state of its own.
#[inline]
fn execute(
    client: &http::Client,
    request: http::Request,
) -> impl Future<Output = reqwest::Result<http::Response>> + use<> {
    client.execute(request)
}

/// The body, unless it is longer than `limit` bytes.
async fn read_capped(response: &mut http::Response, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

type Store = Arc<dyn token_store::AnyStore>;
type UserStore = Arc<dyn Fn(&UserKey) -> Result<Store, BoxError> + Send + Sync>;
type UpdateHook = Arc<dyn Fn(TokenUpdate) -> BoxFuture<()> + Send + Sync>;
type Sign = Arc<dyn Fn(Vec<u8>) -> BoxFuture<Vec<u8>> + Send + Sync>;
type LogoutTokenIds = Arc<dyn Fn(LogoutToken) -> BoxFuture<bool> + Send + Sync>;
type Assert = Arc<dyn Fn() -> BoxFuture<Secret> + Send + Sync>;
type FetchSubject = Arc<dyn Fn(SubjectKind) -> BoxFuture<Token> + Send + Sync>;
type FetchAssertion = Arc<dyn Fn(SecondRequest) -> BoxFuture<Secret> + Send + Sync>;
type LogIn = Arc<dyn Fn(client::Session, AuthorizationRequest) -> LoginFuture + Send + Sync>;
type LoginFuture = Pin<Box<dyn Future<Output = Result<Token>> + Send>>;
type Visit = Arc<dyn Fn(Url) -> BoxFuture<Secret> + Send + Sync>;
/// Result of a call through a pointer, which only clients with a certain setting have: the others need
/// no code for it.
type Led<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// A method by which the user logs in.
fn login_method<F>(
    log_in: impl Fn(client::Session, AuthorizationRequest) -> F + Send + Sync + 'static,
) -> LogIn
where
    F: Future<Output = Result<Token>> + Send + 'static,
{
    Arc::new(move |session, request| Box::pin(log_in(session, request)))
}

/// `with` of a client, with a doc example from a file.
macro_rules! scoped {
    ($client:ident, $example:literal) => {
        impl $client {
            /// Runs `work` and closes the client, whether that succeeds, fails, panics or is
            /// dropped.
            ///
            #[doc = include_str!($example)]
            ///
            /// # Errors
            ///
            /// The error of `work`, or else that of [`close`](Self::close).
            pub async fn with<T, E: From<Error>>(
                self,
                work: impl AsyncFnOnce(&Self) -> Result<T, E>,
            ) -> Result<T, E> {
                let mut closing = OnDrop(Some(|| self.session.abandon()));
                let done = catch_panic(pin!(work(&self))).await;
                let closed = self.close().await;
                closing.0 = None;
                let value = done.unwrap_or_else(|panic| resume_unwind(panic))?;
                closed?;
                Ok(value)
            }
        }
    };
}

/// For a future that is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

scoped!(
    AsyncOAuth1Client,
    "../docs/examples/async/with_oauth1_client.md"
);
scoped!(
    AsyncOAuth2Client,
    "../docs/examples/async/with_oauth2_client.md"
);
scoped!(
    AsyncAssertionClient,
    "../docs/examples/async/with_assertion_client.md"
);
