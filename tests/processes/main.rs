//! Processes that share a file with a token: blocking and async ones, which are stopped and killed,
//! too, and whose file cannot be written.

#![allow(clippy::unwrap_used, reason = "a test program may panic")]
#![allow(unreachable_pub, reason = "a test program has no outside")]
#![cfg(unix)]

#[path = "../support/closed_port.rs"]
mod closed_port;
#[path = "../support/folder.rs"]
mod folder;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../support/gate.rs"]
mod gate;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../support/google.rs"]
mod google;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../support/server.rs"]
mod server;

#[path = "../support/process.rs"]
mod support;

mod files;
mod google_environment;
mod killed;
#[cfg(feature = "login")]
mod login;
mod process;
mod service;
mod sharing;
mod stopped;
#[cfg(feature = "login")]
mod terminal;
mod unwritable;
mod users;

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use server::{Reply, Request, Server};

/// An expired token; `t0` has the refresh token `r0`.
fn expired_token(name: &str) -> Value {
    token_until(name, 1)
}

fn token_until(name: &str, expires_at: u64) -> Value {
    let refresh_token = match name {
        "t0" => "r0".to_owned(),
        name => format!("{name}-r"),
    };
    json!({
        "access_token": name, "refresh_token": refresh_token, "token_type": "Bearer",
        "expires_at": expires_at,
    })
}

fn tokens(n: usize) -> Reply {
    let tokens = json!({
        "access_token": format!("t{n}"), "refresh_token": format!("r{n}"), "expires_in": 600,
    });
    Reply::json(200, tokens)
}

/// A server that revokes everything if a refresh token is used twice.
fn strict() -> Server {
    strict_after(|| {})
}

/// The same, which waits before it answers.
fn strict_after(wait: impl Fn() + Send + Sync + 'static) -> Server {
    let issued = Mutex::new(Some(0));
    Server::start(move |request: &Request| {
        wait();
        let mut issued = issued.lock().unwrap();
        let good = issued.map(|n| format!("r{n}"));
        if good.is_none() || request.parameter("refresh_token") != good {
            *issued = None;
            return Reply::error(400, "invalid_grant");
        }
        *issued = issued.map(|n| n + 1);
        tokens(issued.unwrap())
    })
}

/// A server that takes any refresh token, and waits before it answers.
fn lenient_after(wait: impl Fn() + Send + Sync + 'static) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |_: &Request| {
        wait();
        tokens(issued.fetch_add(1, Ordering::SeqCst) + 1)
    })
}
