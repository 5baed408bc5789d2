//! Registration of clients, and the endpoint of one registration.
//!
//! [RFC 7591 section 3](https://www.rfc-editor.org/rfc/rfc7591#section-3),
//! [RFC 7592](https://www.rfc-editor.org/rfc/rfc7592)

pub(crate) mod configuration;
pub(crate) mod endpoint;
pub(crate) mod request;
