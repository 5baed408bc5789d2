//! The OAuth 2.0 client.

mod builder;
mod client;
mod config;
mod login;

pub use {builder::*, client::*, login::*};
