//! A client of many users, whose rows are made when they are loaded.

use std::time::Duration;

use oauth_twin::{AsyncOAuth2Client, AsyncTokenStore, BoxError, Lease, StoredToken, UserKey};

use super::{BenchResult, clients::long_token};

/// Row of a user: what a store knows of it is its key.
struct Row(String);

impl AsyncTokenStore for Row {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let token = long_token().with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{}", self.0));
        Ok(Some(StoredToken::new(Some(token), 1)))
    }

    async fn save(&self, _next: &StoredToken) -> Result<bool, BoxError> {
        Ok(true)
    }

    async fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        Ok(Some(Lease::new(())))
    }
}

/// A client with so many users in memory at most.
pub fn users(count: usize) -> BenchResult<AsyncOAuth2Client> {
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint("https://id.example/token")
        .user_store(|user: &UserKey| Row(format!("tokens:{{{user}}}")))
        .max_idle_users(count);
    Ok(client.build()?)
}

pub fn name(n: usize) -> String {
    format!("user{n}@example.com")
}
