//! The blocking half of the pair of test programs.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

#[path = "modes/blocking.rs"]
mod mode;
mod support;

#[path = "cases/mod.rs"]
mod cases;

#[path = "blocking/mod.rs"]
mod blocking;
