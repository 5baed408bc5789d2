//! A client of many users, whose rows are made when they are loaded: a row itself takes no memory, as
//! with a store that keeps it elsewhere.

use std::time::Duration;

use oauth_twin::{AsyncOAuth2Client, AsyncTokenStore, BoxError, Lease, StoredToken, UserKey};

use super::{BenchResult, clients::long_token};

/// Row of a user: what a store knows of it is its key.
struct Row(Box<str>);

impl AsyncTokenStore for Row {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        // Without spare capacity, as the parser of a row makes it.
        let refresh_token = format!("tGzv3JOkF0XG5Qx2TlKW{}", self.0).into_boxed_str();
        let token = long_token().with_refresh_token(String::from(refresh_token));
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
        .user_store(|user: &UserKey| Row(format!("tokens:{{{user}}}").into()))
        .max_idle_users(count);
    Ok(client.build()?)
}

pub fn name(n: usize) -> String {
    format!("user{n}@example.com")
}
