//! Assertions: JWTs that say who a client is, or for whom it acts.
//!
//! [RFC 7521](https://www.rfc-editor.org/rfc/rfc7521)

pub(crate) mod audience;
pub(crate) mod jwt;
