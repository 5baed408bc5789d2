//! Clients: their registrations at servers, and the metadata that describe them.
//!
//! [RFC 7591 section 2](https://www.rfc-editor.org/rfc/rfc7591#section-2)

pub(crate) mod document;
mod members;
pub(crate) mod metadata;
pub(crate) mod registered;
mod registration;

pub use {
    metadata::ClientMetadata, registered::RegisteredClient, registration::ClientRegistration,
};
