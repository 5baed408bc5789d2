#![cfg_attr(
    all(feature = "async", feature = "blocking"),
    doc = include_str!("guide/links.md"),
    doc = "",
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    doc = "OAuth client library on `reqwest`: a blocking and an async client from one source, and \
        the protocol without I/O for any other HTTP library. The guide is the README, which is \
        the front page of the documentation with both features, `blocking` and `async`."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod encoding;
mod error;
pub mod jose;
mod json;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "the clients carry out what is decided there")
)]
pub mod lifecycle;
pub mod oauth1;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "the clients discover servers")
)]
pub mod oauth2;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "the clients fetch the keys and ask the endpoints")
)]
pub mod oidc;
mod pem;
mod random;
mod secret;
#[cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "threads wait in one mode, and tasks in the other")
)]
mod signal;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(
        dead_code,
        unused_imports,
        reason = "the clients send the commands of stores"
    )
)]
mod token_store;
#[cfg_attr(
    not(any(feature = "async", feature = "blocking")),
    allow(dead_code, reason = "the clients fetch documents")
)]
mod wire;

#[cfg(any(feature = "async", feature = "blocking"))]
mod tls;
#[cfg(any(feature = "async", feature = "blocking"))]
#[cfg_attr(feature = "tracing", path = "trace/enabled.rs")]
#[cfg_attr(not(feature = "tracing"), path = "trace/disabled.rs")]
mod trace;

#[cfg(all(feature = "login", any(feature = "async", feature = "blocking")))]
mod login;

#[cfg(feature = "async")]
mod asynchronous;
#[cfg(feature = "blocking")]
mod blocking;

#[cfg(all(doc, feature = "async", feature = "blocking"))]
pub mod guide;

pub use {
    clock::Clock,
    error::{BoxError, Error, ErrorCode, ErrorKind, ErrorResponse, Result},
    lifecycle::update::TokenUpdate,
    oauth2::token::Token,
    secret::Secret,
    token_store::{FileTokenStore, Lease, StoredToken, UserKey},
};

#[cfg(feature = "async")]
pub use asynchronous::{
    AsyncAssertionClient, AsyncAssertionClientBuilder, AsyncExternalSigner, AsyncLogin,
    AsyncOAuth1Client, AsyncOAuth1ClientBuilder, AsyncOAuth2Client, AsyncOAuth2ClientBuilder,
    AsyncRequestBuilder, AsyncTokenStore, IntoAsyncTokenStore, MakeAssertion, UpdateToken,
    async_http_client_builder,
};
#[cfg(feature = "blocking")]
pub use blocking::{
    AssertionClient, AssertionClientBuilder, ExternalSigner, IntoTokenStore, Login, OAuth1Client,
    OAuth1ClientBuilder, OAuth2Client, OAuth2ClientBuilder, RequestBuilder, TokenStore,
    http_client_builder,
};

#[cfg(all(feature = "async", feature = "login"))]
pub use asynchronous::AsyncLoopback;
#[cfg(all(feature = "blocking", feature = "login"))]
pub use blocking::Loopback;
#[cfg(all(feature = "login", any(feature = "async", feature = "blocking")))]
pub use login::{InteractiveLogin, LoginPrompt};

/// Google's credentials.
///
/// [AIP-4110](https://google.aip.dev/auth/4110)
pub mod google {
    pub use crate::oauth2::{ServiceAccount, provider::google::ApplicationDefault};
}

#[cfg(all(feature = "async", feature = "redis"))]
pub use asynchronous::{AsyncRedis, AsyncRedisTokenStore};
#[cfg(all(feature = "blocking", feature = "redis"))]
pub use blocking::{Redis, RedisTokenStore};
#[cfg(feature = "keyring")]
pub use token_store::KeyringTokenStore;
#[cfg(feature = "redis")]
pub use token_store::SealingKeys;

pub use {http, url};

/// HTTP library of the clients.
#[cfg(any(feature = "async", feature = "blocking"))]
pub use reqwest;
