//! Shared parts of the benches: the clients that are compared, and a server on loopback.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each bench is a program of its own and needs a part of this"
)]

pub mod assertions;
pub mod clients;
pub mod interleaved;
pub mod server;
pub mod signing;
pub mod users;

/// Error of a bench.
pub type BenchResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A token endpoint's answer with members of its own, as many servers send it.
pub const ANSWER: &str = r#"{"access_token":"mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J","token_type":"Bearer","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"reports:read reports:write","tenant":"a","ext_expires_in":7200}"#;

/// Whether `cargo bench` runs this, and not a test run over all targets.
pub fn is_bench_run() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
