//! The error type of both modes: what went wrong, whose fault it is, and what can be done about it.

#[cfg(any(feature = "async", feature = "blocking"))]
mod clients;
mod kind;
mod response;
mod token;
mod value;

pub use {
    kind::ErrorKind,
    response::{ErrorCode, ErrorResponse},
    value::{BoxError, Error, Result},
};
