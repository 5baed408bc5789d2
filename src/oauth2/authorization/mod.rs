//! The authorization endpoint: the request, the URL that carries it, and the response.
//!
//! [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)

mod demands;
pub(crate) mod details;
pub(crate) mod endpoint;
mod openid;
mod parameters;
pub(crate) mod pending;
pub(crate) mod pkce;
pub(crate) mod prepared;
pub(crate) mod request;
pub(crate) mod request_object;
pub(crate) mod response;
pub(crate) mod response_jwt;
pub(crate) mod response_type;
pub(crate) mod step_up;
