//! The OAuth 2.0 client.

mod builder;
mod client;
mod config;
mod device;
mod login;
mod server;

pub use {builder::*, client::*, login::*};
