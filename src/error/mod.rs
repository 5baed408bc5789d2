//! The error type of both modes: what went wrong, whose fault it is, and what can be done about it.

mod call;
#[cfg(any(feature = "async", feature = "blocking"))]
mod clients;
mod code;
mod kind;
#[allow(dead_code, reason = "only the builders of clients have settings")]
mod problems;
mod response;
mod text;
mod token;
mod unfinished;
mod value;

#[allow(unused_imports, reason = "only the builders of clients have settings")]
pub(crate) use problems::Problems;
pub(crate) use {call::Call, text::one_line};

pub use {
    code::ErrorCode,
    kind::ErrorKind,
    response::ErrorResponse,
    value::{BoxError, Error, Result},
};
