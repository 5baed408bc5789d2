//! Endpoints that a client calls directly: their requests and responses.
//!
//! [RFC 6749 section 3](https://www.rfc-editor.org/rfc/rfc6749#section-3)

pub(crate) mod authenticated;
pub(crate) mod device_authorization;
pub(crate) mod introspection;
pub(crate) mod introspection_jwt;
pub(crate) mod pushed_authorization;
pub(crate) mod registration;
pub(crate) mod revocation;
pub(crate) mod token;
pub(crate) mod token_response;
mod unscoped;
