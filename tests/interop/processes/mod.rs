//! Real processes, blocking and async ones, that share tokens in a file or in Redis: of many
//! processes one renews, whatever is restarted meanwhile.

use std::{io::Write as _, time::Duration};

use oauth_twin::Token;

use crate::{
    folder::Folder,
    process::Process,
    redis::RedisServer,
    server::{Reply, Request, Server},
};

mod clocks;
mod file;
mod killed;
mod provider;
mod real_servers;
mod replicas;
mod slow_provider;
mod worker;

use provider::Provider;
use worker::{Mode, Settings, Worker};

/// Seconds from one expiry to the next by the clocks of the processes, which are set.
const EXPIRY: u64 = 3600;

/// Tells a figure, which the harness must not swallow.
fn tell(figures: &str) {
    let mut output = std::io::stderr();
    writeln!(output, "figures: {figures}").unwrap();
}

/// The name of a user, of which some need to be encoded.
fn user(n: usize) -> String {
    match n % 3 {
        0 => format!("u{n}"),
        1 => format!("u{n}}}{{:/é"),
        _ => format!("../u{n}"),
    }
}

/// An expired token with the first refresh token of a user.
fn first_token(n: usize) -> Token {
    Token::new(format!("{n}-0"))
        .with_refresh_token(format!("{n}-0"))
        .with_expires_at(std::time::UNIX_EPOCH + Duration::from_secs(1))
}
