//! The async half of the tests against real servers.

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
#[path = "../modes/asynchronous.rs"]
mod mode;

#[cfg(feature = "redis")]
#[path = "../support/clock.rs"]
mod clock;
#[path = "../support/folder.rs"]
mod folder;
#[cfg(feature = "redis")]
#[path = "../support/free_port.rs"]
mod free_port;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../support/gate.rs"]
mod gate;
#[cfg(feature = "redis")]
#[path = "../support/redis.rs"]
mod redis;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../support/server.rs"]
mod server;

#[path = "../support/updates.rs"]
mod updates;

#[path = "../../examples/back_end/mod.rs"]
mod back_end;

#[path = "cases/mod.rs"]
mod cases;
