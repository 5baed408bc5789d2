//! Protected resources: their metadata, their identifiers, and the scope that they need.
//!
//! [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)

pub(crate) mod challenge;
pub(crate) mod identifier;
pub(crate) mod metadata;
pub(crate) mod scope_set;
pub(crate) mod source;

pub use {identifier::ResourceMatch, metadata::ProtectedResource};
