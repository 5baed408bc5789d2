//! OAuth 2.0 without I/O: requests, responses and tokens.
//!
//! The modules follow the RFC 6749 family, and make no connections: the clients of this crate send
//! what is built here. With any other HTTP library, an [`AuthorizationServer`] and a
//! [`ClientRegistration`] make an [`AuthorizationEndpoint`], a [`TokenEndpoint`] and others. Each
//! builds requests by `request`, and reads responses by `read_response`.

pub(crate) mod assertion;
pub(crate) mod authentication;
pub(crate) mod authorization;
pub(crate) mod client;
pub(crate) mod client_auth;
pub(crate) mod dpop;
pub(crate) mod endpoint;
pub(crate) mod grant;
pub(crate) mod hook;
pub(crate) mod protected_resource;
pub(crate) mod provider;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod scope;
pub(crate) mod server;
pub(crate) mod token;

pub use crate::wire::{challenge::Challenge, form::Form};
pub use {
    assertion::audience::Audience,
    authentication::AuthenticationRequest,
    authorization::{
        details::{AuthorizationDetail, AuthorizationDetails},
        endpoint::{AuthorizationEndpoint, AuthorizationUrl},
        pending::{PendingAuthorization, callback_state},
        pkce::Pkce,
        prepared::PreparedAuthorization,
        request::AuthorizationRequest,
        request_object::RequestObject,
        response::AuthenticationResponse,
        response_jwt::{SignedResponseRules, SignedResponseVerifier},
        response_type::{ResponseMode, ResponseType},
    },
    client::{ClientMetadata, ClientRegistration, RegisteredClient},
    client_auth::{
        ClientAuth,
        certificate::{certified_key::certificate_thumbprint, value::ClientCertificate},
        federated::FederatedAssertion,
        jwt::{ClientSecretJwt, PrivateKeyJwt},
        mtls::{SelfSignedTlsClientAuth, TlsClientAuth},
        none::{NoClientAuthentication, PublicClient},
        secret::{ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost},
    },
    dpop::{key::DpopKey, proof::DpopProof},
    endpoint::{
        device_authorization::{
            polling::DevicePolling,
            request::{DeviceAuthorizationEndpoint, DeviceAuthorizationRequest},
            response::DeviceAuthorization,
        },
        introspection::{Introspection, IntrospectionEndpoint, TokenTypeHint},
        introspection_jwt::IntrospectionRules,
        pushed_authorization::{Push, PushedAuthorization, PushedAuthorizationEndpoint},
        registration::{
            configuration::ClientConfigurationEndpoint, endpoint::RegistrationEndpoint,
            request::RegistrationRequest,
        },
        revocation::RevocationEndpoint,
        token::TokenEndpoint,
    },
    grant::{
        Grant, authorization_code::AuthorizationCode, client_credentials::ClientCredentials,
        device_code::DeviceCode, extension::ExtensionGrant, federated::FederatedGrant,
        id_jag::IdJag, jwt_bearer::JwtBearer, password::Password, refresh_token::RefreshToken,
        token_exchange::TokenExchange, token_type::TokenTypeIdentifier,
    },
    hook::{Hook, ProtectedRequest},
    protected_resource::{ProtectedResource, ResourceMatch},
    provider::{
        entra::EntraWorkloadIdentity, fixes as compliance, google::ServiceAccount,
        refresh::refresh_needs_scope,
    },
    request::{EndpointRequest, TokenRequest},
    response::EndpointResponse,
    scope::Scope,
    server::{AuthorizationServer, Discovery, profile::Profile},
    token::{Token, bearer::TokenPlacement, refresh::RefreshPolicy},
};
