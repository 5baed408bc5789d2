//! The authorization endpoint: the request, the URL that carries it, and the response.
//!
//! [RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)

pub(crate) mod endpoint;
mod openid;
pub(crate) mod pkce;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod response_type;
pub(crate) mod step_up;
