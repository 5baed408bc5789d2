//! The keyring of the operating system, in both modes: `run` provides the keyring.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]
#![cfg(target_os = "linux")]

#[path = "../../../examples/provider/mod.rs"]
mod provider;

#[path = "../../support/folder.rs"]
mod folder;

mod asynchronous;
mod blocking;
