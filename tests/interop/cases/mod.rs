//! The scenarios against real servers, written once and run in both modes.

mod assertions;
mod authlib;
mod browser;
mod client_assertions;
mod control;
mod exchange;
mod fapi;
mod federated;
mod jose;
mod jwt_bearer;
mod keys;
pub mod logins;
mod oauthlib;
mod oidc;
mod oidc_provider;
#[cfg(feature = "redis")]
mod redis;
mod registration;
mod stores;
mod web;

/// Result of a test.
type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Address of a server that `tests/interop/run` has started.
fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: these tests are run by tests/interop/run, which starts the servers")
    })
}
