//! Access tokens: their members, their refresh, and their placement in a request.

pub(crate) mod answer;
pub(crate) mod bearer;
pub(crate) mod date;
pub(crate) mod dpop;
mod login_scope;
pub(crate) mod members;
pub(crate) mod packed;
pub(crate) mod refresh;
mod refresh_expiry;
mod value;

pub use value::Token;
