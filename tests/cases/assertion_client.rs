//! The scenarios of every client, by an `AssertionClient`.

use super::{AssertionClient as Client, assertion::robot as client};

#[allow(
    clippy::duplicate_mod,
    reason = "run once per kind of client, on purpose"
)]
#[path = "every_client.rs"]
mod every_client;
