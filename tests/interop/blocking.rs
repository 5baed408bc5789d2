//! The blocking half of the tests against real servers.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "shared with tests that need more of it"
)]
#[path = "../modes/blocking.rs"]
mod mode;

#[path = "../support/folder.rs"]
mod folder;

#[path = "../support/updates.rs"]
mod updates;

#[path = "../../examples/back_end/mod.rs"]
mod back_end;

#[path = "cases/mod.rs"]
mod cases;
