//! The scenarios of every client, by an `OAuth2Client` with the client credentials grant.

use super::{OAuth2Client as Client, with_credentials as client};

#[allow(
    clippy::duplicate_mod,
    reason = "run once per kind of client, on purpose"
)]
#[path = "every_client.rs"]
mod every_client;
