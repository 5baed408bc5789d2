//! Clients for a protected resource: from its URL to a token for it.
//!
//! [RFC 9728 section 5](https://www.rfc-editor.org/rfc/rfc9728#section-5)

pub(super) mod authorization;
mod discovery;
mod established;
mod forgotten;
mod identity;
mod owner;
mod parts;
pub(super) mod refusal;
mod restoration;
pub(super) mod state;
