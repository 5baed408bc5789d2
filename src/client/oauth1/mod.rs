//! The OAuth 1.0 client.

mod builder;
mod client;

pub(super) mod session;
pub(super) mod sign;

pub use {builder::*, client::*};
