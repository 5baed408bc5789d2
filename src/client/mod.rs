//! The clients: the one code path, written as async code and compiled once per mode.
//!
//! Everything that differs between the modes comes from the parent, under the same names. What is
//! decided is decided below, without I/O; here it is carried out.

use super::{
    Assert, Hook, Outcome, Sign, Store, aside, briefly, detached, execute, http, http_base,
    http_client, is_marked, linger, marked, maybe_async, read_capped, sleep,
};

mod assertion;
mod assertion_builder;
mod authorization;
mod backlog;
mod children;
mod exchange;
mod flight;
mod oauth1;
mod oauth1_builder;
mod oauth1_request;
mod oauth1_session;
mod oauth2;
mod oauth2_builder;
mod oauth2_settings;
mod renewal;
mod request;
mod session;
mod settings;
mod slot;
mod storing;
mod transport;

pub use {
    assertion::*, assertion_builder::*, authorization::*, oauth1::*, oauth1_builder::*, oauth2::*,
    oauth2_builder::*, request::*,
};
