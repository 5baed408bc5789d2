//! The device authorization endpoint, its response, and the polling that follows.
//!
//! [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)

pub(crate) mod polling;
pub(crate) mod polls;
pub(crate) mod request;
pub(crate) mod response;
