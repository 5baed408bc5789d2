//! What the tests stand on: a server that does as it is told, a clock, a gate.

pub mod chaos;
pub mod clock;
pub mod gate;
pub mod jwt;
pub mod server;
pub mod signature;
#[cfg(feature = "rustls")]
pub mod tls;
