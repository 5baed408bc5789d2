//! The OAuth 1.0 client.

mod builder;
mod client;

pub(super) mod session;

pub use {builder::*, client::*};
