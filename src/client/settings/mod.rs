//! The settings of clients: those of the builders, with their methods, and those of sessions.

mod authorization;
mod bound;
mod discovery;
mod http;
mod registration;
mod resource;
mod session;
mod token;

pub(super) use {
    authorization::AuthorizationSettings,
    bound::Bound,
    discovery::DiscoverySettings,
    http::{HttpSettings, http_settings, timeout_with_renewal},
    registration::{RegistrationSettings, RulesOfCaller},
    resource::{ResourceLogin, ResourceSettings},
    session::{Identity, OpenIdSettings, Settings},
    token::{TokenSettings, WorkloadSettings, token_settings},
};
