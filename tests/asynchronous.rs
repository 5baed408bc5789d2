//! The async half of the pair of test programs: all that differs from `blocking.rs`.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

use std::{future::Future, time::Duration};

use maybe_async::must_be_async as maybe_async;
use oauth_twin::{
    AsyncOAuth2Client as OAuth2Client, AsyncOAuth2ClientBuilder as OAuth2ClientBuilder, reqwest,
};
use tokio::test;

/// The name of this half's client in `Debug`.
const CLIENT: &str = "AsyncOAuth2Client";
/// As many callers as meet an expired token.
const CROWD: usize = 1000;

mod http {
    #[allow(unused_imports, reason = "not every half of every feature needs each")]
    pub use super::reqwest::{Body, Client, ClientBuilder, Request, Response, multipart::Form};
}

/// Runs `count` jobs at once and gives what they return.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    job: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(job(n))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("a task"));
    }
    done
}

/// Begins a job that goes on beside the test.
fn begin<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    job: impl FnOnce() -> F,
) -> Begun<T> {
    Begun(tokio::spawn(job()))
}

struct Begun<T>(tokio::task::JoinHandle<T>);

impl<T> Begun<T> {
    async fn end(self) -> T {
        self.0.await.expect("a task")
    }
}

/// Lets `wait`, which blocks, have its way while tasks go on.
async fn meanwhile<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(wait).await.expect("a thread")
}

async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

mod support;

#[path = "cases/mod.rs"]
mod cases;

#[path = "asynchronous/mod.rs"]
mod asynchronous;
