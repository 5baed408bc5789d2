//! How a token lives: the decisions, without I/O.

pub(crate) mod decision;
pub(crate) mod update;
