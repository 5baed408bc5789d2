//! Token stores that need a server.

use super::super::{RedisConnections, TokenStore};

mod redis;

pub use redis::*;
