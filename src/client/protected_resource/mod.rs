//! Clients for a protected resource: from its URL to a token for it.
//!
//! [RFC 9728 section 5](https://www.rfc-editor.org/rfc/rfc9728#section-5)

mod authorization;
mod discovery;
mod established;
mod forgotten;
mod identity;
mod owner;
mod parts;
mod refusal;
mod resource;
mod restoration;
pub(super) mod state;
