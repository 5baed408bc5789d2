//! The OAuth 2.0 client.

mod authorization;
mod builder;
mod client;
mod config;
mod device;
mod dpop;
mod login;
mod logout;
mod profile;
mod protected_resource;
mod server;
mod step_up;
mod userinfo;

pub(super) use config::TokenSource;
pub use {builder::*, client::*, login::*};
