//! The assertion client.

mod builder;
mod client;

pub use {builder::*, client::*};
