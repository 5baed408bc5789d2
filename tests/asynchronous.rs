//! The async half of the pair of test programs.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

#[path = "modes/asynchronous.rs"]
mod mode;
mod support;

#[path = "cases/mod.rs"]
mod cases;

#[path = "asynchronous/mod.rs"]
mod asynchronous;
