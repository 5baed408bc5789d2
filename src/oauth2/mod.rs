//! OAuth 2.0 without I/O: what is sent, what comes back, and how a token lives.
//!
//! Each file is a piece of the RFC 6749 family. Nothing here knows of a connection: the clients
//! carry out what is decided here. With any other HTTP library, an [`AuthorizationServer`] and a
//! [`ClientRegistration`] make an [`AuthorizationEndpoint`], a [`TokenEndpoint`] and others, each of
//! which builds a `request`, and where there is a response, reads it by `read_response`.

pub(crate) mod assertion;
pub(crate) mod authorization;
pub(crate) mod client;
pub(crate) mod client_auth;
pub(crate) mod endpoint;
pub(crate) mod grant;
pub(crate) mod hook;
pub(crate) mod provider;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod scope;
pub(crate) mod server;
pub(crate) mod token;

pub use crate::wire::{challenge::Challenge, form::Form};
pub use {
    assertion::audience::Audience,
    authorization::{
        endpoint::{AuthorizationEndpoint, AuthorizationUrl},
        pkce::Pkce,
        request::{AuthorizationRequest, ResponseType},
        response::PendingAuthorization,
    },
    client::ClientRegistration,
    client_auth::{
        ClientAuth,
        jwt::{ClientSecretJwt, PrivateKeyJwt},
        none::{NoClientAuthentication, PublicClient},
        secret::{ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost},
    },
    endpoint::{
        introspection::{Introspection, IntrospectionEndpoint, TokenTypeHint},
        revocation::RevocationEndpoint,
        token::TokenEndpoint,
    },
    grant::{
        Grant, authorization_code::AuthorizationCode, client_credentials::ClientCredentials,
        extension::ExtensionGrant, jwt_bearer::JwtBearer, password::Password,
        refresh_token::RefreshToken,
    },
    hook::{Hook, ProtectedRequest},
    provider::{fixes as compliance, google::ServiceAccount, refresh::refresh_needs_scope},
    request::{EndpointRequest, TokenRequest},
    response::EndpointResponse,
    scope::Scope,
    server::AuthorizationServer,
    token::{Token, bearer::TokenPlacement, refresh::RefreshPolicy},
};
