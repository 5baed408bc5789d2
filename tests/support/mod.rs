//! Helpers of the tests: a server, a closed port, a clock, a gate, a folder, a hook.

pub mod chaos;
pub mod clock;
pub mod closed_port;
pub mod dpop;
pub mod folder;
pub mod gate;
#[allow(dead_code, reason = "others need the rest")]
pub mod google;
pub mod jwt;
pub mod keys;
#[cfg_attr(
    not(feature = "tracing"),
    allow(dead_code, reason = "there is little to read then")
)]
pub mod log;
pub mod provider;
pub mod server;
pub mod signature;
#[cfg(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
))]
pub mod tls;
pub mod updates;
