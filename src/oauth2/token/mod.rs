//! Access tokens: what they are made of, how long they live, where they stand in a request.

pub(crate) mod bearer;
pub(crate) mod members;
pub(crate) mod refresh;
mod value;

pub use value::Token;
