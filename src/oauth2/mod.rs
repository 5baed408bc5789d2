//! OAuth 2.0 without I/O: what is sent, what comes back, and how a token lives.
//!
//! Each file is a piece of the RFC 6749 family. Nothing here knows of a connection: the clients
//! carry out what is decided here, and with any other HTTP library [`TokenEndpoint`] builds the
//! request and reads the answer.

#[cfg(any(feature = "async", feature = "blocking"))]
mod bearer;
mod client_auth;
mod client_credentials;
mod endpoint;
mod form;
mod grant;
#[cfg(any(feature = "async", feature = "blocking"))]
mod lifecycle;
mod refresh_token;
mod scope;
mod secure_url;
pub(crate) mod token;
mod token_endpoint;
mod token_response;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) mod token_update;

#[cfg(any(feature = "async", feature = "blocking"))]
pub use lifecycle::RefreshPolicy;
pub use {
    client_auth::{
        ClientAuth, ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost, PublicClient,
    },
    client_credentials::ClientCredentials,
    endpoint::EndpointRequest,
    form::Form,
    grant::Grant,
    refresh_token::RefreshToken,
    scope::Scope,
    token_endpoint::{TokenEndpoint, TokenRequest},
};

pub(crate) use token::Token;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use {
    bearer::{authorization, is_invalid_token},
    lifecycle::{Backoff, Decision, Lifetime, Situation, decide},
    secure_url::{check_endpoint, is_secure},
    token_update::TokenUpdate,
};
