//! Token stores that need a server.

use super::super::{RedisConnections, TokenStore};

mod redis;
mod redis_server;

pub use redis::*;
