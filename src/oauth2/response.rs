//! Endpoint responses.
//!
//! [RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)

pub use crate::wire::response::EndpointResponse;
