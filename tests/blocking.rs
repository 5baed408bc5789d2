//! The blocking half of the pair of test programs: all that differs from `asynchronous.rs`.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

use std::time::Duration;

use ::core::prelude::v1::test;
use maybe_async::must_be_sync as maybe_async;
use oauth_twin::{OAuth2Client, OAuth2ClientBuilder, reqwest};

/// The name of this half's client in `Debug`.
const CLIENT: &str = "OAuth2Client";
/// As many callers as meet an expired token.
const CROWD: usize = 64;

mod http {
    #[allow(unused_imports, reason = "not every half of every feature needs each")]
    pub use super::reqwest::blocking::{
        Body, Client, ClientBuilder, Request, Response, multipart::Form,
    };
}

/// Runs `count` jobs at once and gives what they return.
fn at_once<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let job = &job;
        let threads: Vec<_> = (0..count).map(|n| scope.spawn(move || job(n))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| thread.join().expect("a thread");
        threads.into_iter().map(join).collect()
    })
}

/// Begins a job that goes on beside the test.
fn begin<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Begun<T> {
    Begun(std::thread::spawn(job))
}

struct Begun<T>(std::thread::JoinHandle<T>);

impl<T> Begun<T> {
    fn end(self) -> T {
        self.0.join().expect("a thread")
    }
}

/// Lets `wait`, which blocks, have its way.
fn meanwhile<T>(wait: impl FnOnce() -> T) -> T {
    wait()
}

fn pause(time: Duration) {
    std::thread::sleep(time);
}

mod support;

#[path = "cases/mod.rs"]
mod cases;

#[path = "blocking/mod.rs"]
mod blocking;
