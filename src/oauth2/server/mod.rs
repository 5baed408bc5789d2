//! Authorization servers: their metadata, and how they are discovered.
//!
//! [RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)

pub(crate) mod address;
pub(crate) mod algorithms;
pub(crate) mod discovery;
mod members;
pub(crate) mod metadata;
pub(crate) mod profile;
pub(crate) mod source;
pub(crate) mod tenants;

pub use {discovery::Discovery, metadata::AuthorizationServer};
