#![cfg_attr(
    all(feature = "async", feature = "blocking"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "async", feature = "blocking")),
    doc = "OAuth for programs that use it, on `reqwest`: a blocking and an async client from one \
           source, and the protocol without I/O for any other HTTP library. The guide is in the \
           README, which the documentation with both features `blocking` and `async` begins with."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod encoding;
mod error;
pub mod jose;
mod json;
pub mod oauth1;
pub mod oauth2;
mod pem;
mod random;
mod secret;

#[cfg(any(feature = "async", feature = "blocking"))]
mod tls;
#[cfg(any(feature = "async", feature = "blocking"))]
mod token_store;
#[cfg(any(feature = "async", feature = "blocking"))]
#[cfg_attr(feature = "tracing", path = "trace/events.rs")]
#[cfg_attr(not(feature = "tracing"), path = "trace/silent.rs")]
mod trace;

#[cfg(feature = "async")]
mod asynchronous;
#[cfg(feature = "blocking")]
mod blocking;

/// The examples of the guide to providers, which are tested as those of the documentation are.
#[cfg(all(doctest, feature = "async", feature = "blocking"))]
#[doc = include_str!("../docs/providers.md")]
mod providers {}

pub use {
    clock::Clock,
    error::{BoxError, Error, ErrorCode, ErrorKind, ErrorResponse, Result},
    oauth2::token::Token,
    secret::Secret,
};

#[cfg(feature = "async")]
pub use asynchronous::{
    AsyncAssertionClient, AsyncAssertionClientBuilder, AsyncLogin, AsyncOAuth1Client,
    AsyncOAuth1ClientBuilder, AsyncOAuth2Client, AsyncOAuth2ClientBuilder, AsyncRequestBuilder,
    AsyncSigner, AsyncTokenStore, MakeAssertion, UpdateToken, async_http_client_builder,
};
#[cfg(feature = "blocking")]
pub use blocking::{
    AssertionClient, AssertionClientBuilder, Login, OAuth1Client, OAuth1ClientBuilder,
    OAuth2Client, OAuth2ClientBuilder, RequestBuilder, Signer, TokenStore, http_client_builder,
};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use {
    oauth2::token_update::TokenUpdate,
    token_store::{FileTokenStore, Lease, StoredToken},
};

pub use reqwest;
