//! The blocking seam: everything that differs from `asynchronous.rs`, under the same names.

use std::{
    convert::Infallible,
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use maybe_async::must_be_sync as maybe_async;
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

/// reqwest's blocking half.
mod http {
    pub(crate) use reqwest::blocking::{
        Body, Client, ClientBuilder, Request, RequestBuilder, Response, multipart::Form,
    };
}

/// `sync | async`, in text: the sync one.
macro_rules! by_mode {
    ($sync:expr, $async:expr $(,)?) => {
        $sync
    };
}

/// `pub struct X | AsyncX { .. }` defines `X`.
macro_rules! paired {
    ($(#[$meta:meta])* pub struct $sync:ident | $async:ident $($rest:tt)*) => {
        $(#[$meta])* pub struct $sync $($rest)*
    };
}

/// The value itself.
macro_rules! pending {
    ($T:ty) => {
        $T
    };
}

mod callbacks;
#[path = "client/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "compiled once per mode, on purpose")]
mod client;
#[cfg(feature = "keyring")]
mod keyring_store;
#[cfg(feature = "redis")]
mod redis_connections;
mod threads;
mod token_store;
mod user_store;
use callbacks::{identity_source, subject_source};
#[cfg(feature = "login")]
pub use client::interactive::*;
#[cfg(feature = "redis")]
pub use client::stores::*;
#[cfg(feature = "redis")]
use redis_connections::RedisConnections;
use threads::{
    boxed, in_callback, in_span, is_in_callback, run_blocking, run_detached_for, run_in_background,
    run_to_completion, side_by_side, sleep, spawn_and_forget, wait_for, with_timeout,
};
pub use {callbacks::*, client::*, token_store::TokenStore, user_store::*};

/// reqwest's builder for its blocking client with the TLS of this crate, for a client of your
/// own: under the feature `rustls` alone, reqwest's own `Client::new` finds no crypto provider.
///
/// ```
/// let http = oauth_twin::http_client_builder().user_agent("reports/1.0").build()?;
/// # Ok::<(), oauth_twin::reqwest::Error>(())
/// ```
///
/// If TLS cannot be set up, `build` returns the error.
pub fn http_client_builder() -> reqwest::blocking::ClientBuilder {
    crate::tls::preconfigured_or_own!(reqwest::blocking::ClientBuilder::new())
}

/// Returns the builder: reqwest limits each read by the timeout of the whole.
fn with_stall_limit(builder: http::ClientBuilder, _limit: Duration) -> http::ClientBuilder {
    builder
}

/// Limits a call from its begin to the last byte of its response.
fn with_timeout_of_calls(builder: http::ClientBuilder, limit: Duration) -> http::ClientBuilder {
    builder.timeout(limit)
}

/// The same for one call.
fn limit_by_itself(request: &mut http::Request, limit: Duration) {
    *request.timeout_mut() = Some(limit);
}

/// Returns `done`, whose limit is that of the request.
#[expect(clippy::unnecessary_wraps, reason = "the other seam has a timer")]
fn within<T>(_limit: Duration, done: T) -> std::result::Result<T, Infallible> {
    Ok(done)
}

/// Runs `work` where reqwest's blocking client may run: on a thread of its own if this one
/// belongs to an async runtime, in which reqwest panics.
fn off_runtime<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|panic| resume_unwind(panic))
}

fn http_client(builder: http::ClientBuilder) -> reqwest::Result<http::Client> {
    off_runtime(|| builder.build())
}

/// The async seam's check for a runtime, which this mode does not need.
#[expect(clippy::unnecessary_wraps, reason = "the other seam can fail")]
fn require_runtime() -> Result<()> {
    Ok(())
}

#[inline(always)]
fn execute(client: &http::Client, request: http::Request) -> reqwest::Result<http::Response> {
    // Without a closure, which the request would be copied into.
    match tokio::runtime::Handle::try_current() {
        Err(_none) => client.execute(request),
        Ok(_) => execute_off_runtime(client, request),
    }
}

#[cold]
#[inline(never)]
fn execute_off_runtime(
    client: &http::Client,
    request: http::Request,
) -> reqwest::Result<http::Response> {
    off_runtime(|| client.execute(request))
}

/// The body, unless it is longer than `limit` bytes.
fn read_capped(response: &mut http::Response, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    let read = off_runtime(|| response.take(limit as u64 + 1).read_to_end(&mut body));
    read.map_err(|error| match error.downcast::<reqwest::Error>() {
        Ok(error) => error.into(),
        // reqwest wraps one of its own errors in any case.
        Err(_other) => Error::interrupted("the answer broke off"),
    })?;
    Ok((body.len() <= limit).then_some(body))
}

/// The async seam's result of a call through a pointer.
type Led<'a, T> = T;
type Store = Arc<dyn token_store::AnyStore>;
type UserStore = Arc<dyn Fn(&UserKey) -> Result<Store, BoxError> + Send + Sync>;
type UpdateHook = Arc<dyn Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync>;
type Sign = Arc<dyn Fn(Vec<u8>) -> Result<Vec<u8>, BoxError> + Send + Sync>;
type LogoutTokenIds = Arc<dyn Fn(LogoutToken) -> Result<bool, BoxError> + Send + Sync>;
type LogIn = Arc<dyn Fn(client::Session, AuthorizationRequest) -> Result<Token> + Send + Sync>;
type Visit = Arc<dyn Fn(Url) -> Result<Secret, BoxError> + Send + Sync>;
type Assert = Arc<dyn Fn() -> Result<Secret, BoxError> + Send + Sync>;
type FetchSubject = Arc<dyn Fn(SubjectKind) -> Result<Token, BoxError> + Send + Sync>;
type FetchAssertion = Arc<dyn Fn(SecondRequest) -> Result<Secret, BoxError> + Send + Sync>;

/// A method by which the user logs in.
fn login_method(
    log_in: impl Fn(client::Session, AuthorizationRequest) -> Result<Token> + Send + Sync + 'static,
) -> LogIn {
    Arc::new(log_in)
}

/// `with` of a client, with a doc example from a file.
macro_rules! scoped {
    ($client:ident, $example:literal) => {
        impl $client {
            /// Runs `work` and closes the client, whether that succeeds, fails or panics.
            ///
            #[doc = include_str!($example)]
            ///
            /// # Errors
            ///
            /// The error of `work`, or else that of [`close`](Self::close).
            pub fn with<T, E: From<Error>>(
                self,
                work: impl FnOnce(&Self) -> Result<T, E>,
            ) -> Result<T, E> {
                let done = catch_unwind(AssertUnwindSafe(|| work(&self)));
                let closed = self.close();
                let value = done.unwrap_or_else(|panic| resume_unwind(panic))?;
                closed?;
                Ok(value)
            }
        }
    };
}

scoped!(
    OAuth1Client,
    "../docs/examples/blocking/with_oauth1_client.md"
);
scoped!(
    OAuth2Client,
    "../docs/examples/blocking/with_oauth2_client.md"
);
scoped!(
    AssertionClient,
    "../docs/examples/blocking/with_assertion_client.md"
);
