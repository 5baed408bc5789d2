//! The client's certificate for mutual TLS.
//!
//! [RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)

pub(crate) mod certified_key;
mod files;
pub(crate) mod value;
