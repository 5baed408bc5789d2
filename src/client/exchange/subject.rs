//! Clients for the tokens of a service's callers.

use super::super::oauth2::OAuth2Client;
use crate::oauth2::grant::token_exchange::TokenExchange;

impl OAuth2Client {
    /// Creates a client whose token is made by this exchange: for a service that acts for its
    /// callers, each of whom sends a token of their own.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_exchange.md"),
        include_str!("../../../docs/examples/async/for_exchange.md")
    )]
    ///
    /// Cheap, so that a service creates one per request. The token is made when it is needed, and all
    /// clients share it whose exchanges have the same subject, actor, type, audiences, resources,
    /// scope and parameters: any number of requests of a caller makes one exchange. It stays in
    /// memory while it is used, and for five minutes ([`user_idle_timeout`], [`max_idle_users`]).
    /// When it expires, or an API refuses it, another exchange of the same subject token makes
    /// another one; a refresh token is not used. It never outlives a subject token whose expiry is
    /// known ([`TokenExchange::of_token`]).
    ///
    /// A subject token that the server does not take is the error of this client alone.
    /// `update_token` and `token_store` do not get exchanged tokens; `revoke_token` revokes one, for
    /// all clients that share it.
    ///
    /// An exchange [of a client](TokenExchange::of_client) has no subject token, and a client
    /// [for a resource](Self::for_resource) may change its server: each call then returns that error.
    ///
    #[doc = by_mode!(
        "[`user_idle_timeout`]: crate::OAuth2ClientBuilder::user_idle_timeout\n\
         [`max_idle_users`]: crate::OAuth2ClientBuilder::max_idle_users",
        "[`user_idle_timeout`]: crate::AsyncOAuth2ClientBuilder::user_idle_timeout\n\
         [`max_idle_users`]: crate::AsyncOAuth2ClientBuilder::max_idle_users"
    )]
    ///
    /// # Security
    ///
    /// Check the caller's token before: the exchange is no check that it was meant for this service.
    ///
    /// [RFC 8693 section 2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1)
    #[must_use]
    #[doc(alias = "on behalf of")]
    #[doc(alias = "subject")]
    pub fn for_exchange(&self, exchange: TokenExchange) -> Self {
        Self::new(self.session.for_exchange(exchange))
    }
}
