//! Interactive logins: of a command line, a desktop program, a device.

mod attempt;
mod login;
mod loopback;
mod turn;

pub use loopback::*;
