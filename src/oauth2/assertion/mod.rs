//! Assertions: JWTs that authenticate a client or grant a token.
//!
//! [RFC 7521](https://www.rfc-editor.org/rfc/rfc7521)

pub(crate) mod audience;
pub(crate) mod expired;
pub(crate) mod jwt;
