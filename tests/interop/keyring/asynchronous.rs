//! The async half.

#[allow(
    dead_code,
    unused_imports,
    reason = "shared with tests that need more of it"
)]
#[path = "../../modes/asynchronous.rs"]
mod mode;

#[path = "cases.rs"]
mod cases;
