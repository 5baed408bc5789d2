//! Interactive logins: of a command line, a desktop program, a device.

mod attempt;
mod conclusion;
mod login;
mod login_lease;
mod login_lock;
mod loopback;
mod resource;

pub use loopback::*;
