//! Users with a real browser, headless Chromium, who log in at node `oidc-provider`. They are played
//! by `user.mjs`.

#![allow(clippy::unwrap_used, reason = "a test program may panic")]
#![allow(unreachable_pub, reason = "a test program has no outside")]
#![cfg(unix)]

#[path = "../../support/folder.rs"]
mod folder;
#[path = "../../support/free_port.rs"]
mod free_port;
#[allow(dead_code, reason = "others need the rest")]
#[path = "../../processes/terminal.rs"]
mod terminal;

mod command_line;
mod user;
mod web;
