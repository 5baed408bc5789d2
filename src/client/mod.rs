//! The clients: the one code path, written as async code and compiled once per mode.
//!
//! Everything that differs between the modes comes from the parent, under the same names. What is
//! decided is decided below, without I/O; here it is carried out.

use super::{
    Assert, Outcome, Sign, Store, UpdateHook, aside, briefly, detached, execute, http, http_base,
    http_client, is_marked, linger, marked, maybe_async, read_capped, sleep,
};

mod assertion;
mod endpoint_call;
mod jitter;
mod oauth1;
mod oauth2;
mod outbox;
mod renewal;
mod request;
mod session;
mod settings;
mod single_flight;
mod slot;
mod slots;
mod store_sync;
mod transport;

pub use {assertion::*, oauth1::*, oauth2::*, request::*};
