//! OAuth 2.0 without I/O: what is sent, what comes back, and how a token lives.
//!
//! Each file is a piece of the RFC 6749 family. Nothing here knows of a connection: the clients
//! carry out what is decided here, and with any other HTTP library [`AuthorizationEndpoint`] makes
//! the URL, [`TokenEndpoint`] builds the request and reads the answer.

mod audience;
mod authorization_code;
mod authorization_endpoint;
mod authorization_request;
mod authorization_response;
#[cfg(any(feature = "async", feature = "blocking"))]
mod bearer;
mod client_assertion;
mod client_auth;
mod client_credentials;
mod client_registration;
pub mod compliance;
mod compliance_hook;
mod endpoint;
mod endpoint_request;
mod endpoint_response;
mod extension_grant;
mod form;
mod grant;
mod introspection;
mod jwt_assertion;
mod jwt_bearer;
#[cfg(any(feature = "async", feature = "blocking"))]
mod lifecycle;
mod password;
mod pkce;
mod refresh_token;
mod revocation;
mod scope;
mod secure_url;
mod service_account;
pub(crate) mod token;
mod token_endpoint;
mod token_members;
mod token_response;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) mod token_update;

pub use {
    audience::Audience,
    authorization_code::AuthorizationCode,
    authorization_endpoint::{AuthorizationEndpoint, AuthorizationUrl},
    authorization_request::{AuthorizationRequest, ResponseType},
    authorization_response::PendingAuthorization,
    client_assertion::{ClientSecretJwt, PrivateKeyJwt},
    client_auth::{
        ClientAuth, ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost, PublicClient,
        Unidentified,
    },
    client_credentials::ClientCredentials,
    client_registration::ClientRegistration,
    compliance_hook::{Hook, ProtectedRequest},
    endpoint_request::EndpointRequest,
    endpoint_response::EndpointResponse,
    extension_grant::ExtensionGrant,
    form::Form,
    grant::Grant,
    introspection::{Introspection, IntrospectionEndpoint, TokenTypeHint},
    jwt_bearer::JwtBearer,
    password::Password,
    pkce::Pkce,
    refresh_token::RefreshToken,
    revocation::RevocationEndpoint,
    scope::Scope,
    service_account::ServiceAccount,
    token_endpoint::{TokenEndpoint, TokenRequest},
};
#[cfg(any(feature = "async", feature = "blocking"))]
pub use {bearer::TokenPlacement, lifecycle::RefreshPolicy};

pub(crate) use token::Token;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use {
    bearer::{authorization, body_with_token, is_invalid_token, query_with_token},
    client_auth::default_client_auth,
    compliance_hook::Hooks,
    endpoint::Endpoint,
    endpoint_request::Outstanding,
    jwt_bearer::{CallersAssertion, JWT_BEARER},
    lifecycle::{Backoff, Decision, Lifetime, Situation, decide},
    secure_url::{check_endpoint, is_loopback, is_secure},
    token_update::TokenUpdate,
};
