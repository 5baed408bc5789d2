//! The blocking half of the tests against real servers.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no outside, and may panic"
)]

#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../modes/blocking.rs"]
mod mode;

#[path = "../support/folder.rs"]
mod folder;

#[path = "cases/mod.rs"]
mod cases;

/// A client that follows no redirects, for a person's browser.
fn unfollowing_client() -> mode::http::Client {
    oauth_twin::http_client_builder()
        .and_then(|builder| {
            Ok(builder
                .redirect(oauth_twin::reqwest::redirect::Policy::none())
                .build()?)
        })
        .expect("a client")
}
