//! Tokens in a real Redis server.

use std::time::{Duration, Instant, UNIX_EPOCH};

use oauth_twin::{BoxError, Error, ErrorKind, Lease, SealingKeys, StoredToken, Token};
use serde_json::json;

use super::TestResult;
use crate::{
    clock::ManualClock,
    mode::{
        OAuth2Client, OAuth2ClientBuilder, Redis, RedisTokenStore, TokenStore, at_once,
        maybe_async, sleep, test,
    },
    redis::RedisServer,
    server::{Reply, Request, Server},
};

mod clients;
mod encrypted;
mod failures;
#[cfg(feature = "login")]
mod logins;
mod lost;
mod proxy;
mod registrations;
mod rows;

const ROW: &str = "tokens:{alice}";
const LEASE: &str = "tokens:{alice}:lease";

fn redis_at(server: &RedisServer) -> Redis {
    Redis::open(&server.url()).expect("a URL")
}

fn store_at(server: &RedisServer) -> RedisTokenStore {
    RedisTokenStore::new(&redis_at(server), ROW)
}

/// `t3` with the refresh token `r3`.
fn token(n: usize) -> Token {
    Token::new(format!("t{n}")).with_refresh_token(format!("r{n}"))
}

fn stored(n: usize, version: u64) -> StoredToken {
    StoredToken::new(Some(token(n)), version)
}

fn expired() -> Token {
    token(0).with_expires_at(UNIX_EPOCH + Duration::from_secs(1))
}

/// A server that revokes everything if a refresh token is used twice.
fn strict() -> Server {
    let issued = std::sync::Mutex::new(Some(0));
    Server::start(move |request: &Request| {
        let mut issued = issued.lock().unwrap();
        let good = issued.map(|n| format!("r{n}"));
        if good.is_none() || request.parameter("refresh_token") != good {
            *issued = None;
            return Reply::error(400, "invalid_grant");
        }
        *issued = issued.map(|n| n + 1);
        let n = issued.unwrap();
        let tokens = json!({
            "access_token": format!("t{n}"), "refresh_token": format!("r{n}"), "expires_in": 600,
        });
        Reply::json(200, tokens)
    })
}

fn client_of(server: &Server) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id").token_endpoint(server.url("/token"))
}

/// Puts a token into the empty row, as a login does.
#[maybe_async]
async fn put(redis: &RedisServer, token: Token) {
    let store = store_at(redis);
    let next = StoredToken::new(Some(token), 1);
    let saved = store.save(&next).await.unwrap();
    assert!(saved);
}

#[maybe_async]
async fn leased(store: &RedisTokenStore) -> Option<Lease> {
    store.lease(Duration::from_secs(60)).await.unwrap()
}

/// Waits for what happens in the background.
#[maybe_async]
async fn is_free_in_the_end(redis: &RedisServer) -> bool {
    for _ in 0..3000 {
        if redis.cli(&["EXISTS", LEASE]) == "0" {
            return true;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}
