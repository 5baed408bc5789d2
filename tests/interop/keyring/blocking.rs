//! The blocking half.

#[allow(
    dead_code,
    unused_imports,
    reason = "shared with tests that need more of it"
)]
#[path = "../../modes/blocking.rs"]
mod mode;

#[path = "cases.rs"]
mod cases;
