//! The OAuth 1.0 client.

mod builder;
mod client;
mod renewal;

pub(super) mod session;
pub(super) mod shared;
pub(super) mod sign;

pub use {builder::*, client::*};
