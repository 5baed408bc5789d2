//! Renewals through a token store beside the least that they take: the same renewal without a store,
//! and the operations of the store by themselves. Turn by turn in one run.
//!
//! It starts `redis-server`: once as it syncs by default, and once with a sync for each write.

#![allow(clippy::unwrap_used, reason = "a program that measures may panic")]
#![allow(unreachable_pub, reason = "a program has no outside")]

#[path = "../tests/support/folder.rs"]
mod folder;
#[path = "../tests/support/free_port.rs"]
mod free_port;
#[allow(dead_code, reason = "the tests need the rest")]
#[path = "../tests/support/redis.rs"]
mod redis;
mod support;

use std::time::{Duration, SystemTime};

use folder::Folder;
use oauth_twin::{
    BoxError, FileTokenStore, OAuth2Client, Redis, RedisTokenStore, StoredToken, Token, TokenStore,
};
use redis::RedisServer;
use support::{interleaved::measured, is_bench_run, server::Server};

const ROUNDS: usize = 301;

fn main() -> Result<(), BoxError> {
    if !is_bench_run() {
        return Ok(());
    }
    let endpoint = Server::with_tokens(Duration::ZERO, |n| {
        format!(r#"{{"access_token":"t{n}","refresh_token":"r{n}","expires_in":3600}}"#)
    })?;
    let endpoint = endpoint.url("/token");
    let folder = Folder::new("bench-stores");
    let file = |name| FileTokenStore::new(folder.file(name));
    compare(
        "the file",
        &endpoint,
        file("renewed.json"),
        file("bare.json"),
    )?;
    for (what, sync) in [
        ("Redis", "everysec"),
        ("Redis with a sync for each write", "always"),
    ] {
        let server = RedisServer::with(sync, &["--appendfsync", sync]);
        let redis = Redis::open(&server.url())?;
        let store = |key| RedisTokenStore::new(&redis, key);
        compare(what, &endpoint, store("{renewed}"), store("{bare}"))?;
    }
    Ok(())
}

fn compare<S: TokenStore + 'static>(
    what: &str,
    endpoint: &str,
    renewed: S,
    bare: S,
) -> Result<(), BoxError> {
    let builder = || OAuth2Client::builder("id").token_endpoint(endpoint);
    let (with, without) = (builder().token_store(renewed).build()?, builder().build()?);
    for client in [&with, &without] {
        client.set_token(token())?;
    }
    let [with, without, bare] = measured(
        ROUNDS,
        1,
        [
            &mut || drop(with.refresh_token().unwrap()),
            &mut || drop(without.refresh_token().unwrap()),
            &mut || operate(&bare).unwrap(),
        ],
    )
    .map(|nanos| nanos / 1e3);
    println!(
        "through {what}: a renewal {with:.0} us ({:.0} per second); without a store {without:.0} us, \
         the operations of the store {bare:.0} us; beside both {:.2}",
        1e6 / with,
        with / (without + bare)
    );
    Ok(())
}

fn token() -> Token {
    Token::new("t")
        .with_refresh_token("r")
        .with_expires_at(SystemTime::now() + Duration::from_secs(3600))
}

/// As a client does it, without the request.
fn operate(store: &impl TokenStore) -> Result<(), BoxError> {
    store.load()?;
    let lease = store.lease(Duration::from_secs(90))?;
    let lease = lease.ok_or("the lease is taken")?;
    let version = store.load()?.map_or(0, |stored| stored.version);
    if !store.save(&StoredToken::new(Some(token()), version + 1))? {
        return Err("another version".into());
    }
    store.release(lease)
}
