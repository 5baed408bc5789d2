//! Settings for many users.

use std::time::Duration;

use super::super::OAuth2ClientBuilder;

impl OAuth2ClientBuilder {
    /// The time for which the token of a user stays in memory after the last `for_user`. Defaults to
    /// five minutes.
    ///
    /// Then the token is loaded from the store again. A token that is not stored yet stays. The same
    /// holds for the tokens of `for_exchange`, which are then exchanged again.
    pub fn user_idle_timeout(mut self, timeout: Duration) -> Self {
        self.tokens.users.idle = timeout;
        self
    }

    /// The number of users whose tokens stay in memory. Defaults to 10,000.
    ///
    /// Beyond it, those leave who have not been active for some time. Users for whom a client is in
    /// use, or whose token is not stored yet, stay in any case.
    pub fn max_idle_users(mut self, count: usize) -> Self {
        self.tokens.users.count = count;
        self
    }
}
