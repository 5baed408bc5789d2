//! Tests of the async clients alone.

mod assertion;
mod cancellation;
#[cfg(feature = "login")]
mod cancelled_login;
mod dropped_authorization;
mod futures;
mod runtime;
mod sequences;
mod with;
