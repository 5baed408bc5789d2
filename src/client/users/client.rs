//! The users of an OAuth 2.0 client.

use super::super::{Login, OAuth2Client, maybe_async};
use crate::{error::Result, oauth2::token::Token};

impl OAuth2Client {
    /// Creates a client for the token of a user, which is in the store that the builder's
    /// `user_store` has for this name: whatever identifies a user in the calling program.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_user.md"),
        include_str!("../../../docs/examples/async/for_user.md")
    )]
    ///
    /// Cheap, so that a web back end creates one per request. Nothing is read before the token is
    /// needed; then it stays in memory while it is used, and for five minutes
    /// ([`user_idle_timeout`]). All clients of a user share one token, also with the client of a
    /// login that was [kept](Login::keep_for). It is renewed once for all of them, and under the
    /// lease of the store once for all replicas.
    ///
    /// A user without a token has to log in: calls fail with
    /// [`needs_login`](crate::Error::needs_login), after the store was read again. If there is no
    /// store for this name, or the name is empty, each call returns that error.
    ///
    /// What another replica did is seen when the token has to be renewed, or when a server refuses
    /// it: its renewal, its `keep_for`, and its `forget_user`, which makes servers refuse the old
    /// token if the token is revoked there.
    ///
    /// `set_token`, `fetch_token` and `revoke_token` are for the user, and so for all clients of the
    /// user. `token` is none until the store has been read.
    ///
    #[doc = by_mode!(
        "[`user_idle_timeout`]: crate::OAuth2ClientBuilder::user_idle_timeout",
        "[`user_idle_timeout`]: crate::AsyncOAuth2ClientBuilder::user_idle_timeout"
    )]
    #[must_use]
    #[doc(alias = "session")]
    #[doc(alias = "login")]
    pub fn for_user(&self, user: impl AsRef<str>) -> Self {
        Self::new(self.session.for_user(user.as_ref()))
    }
}

#[maybe_async]
impl OAuth2Client {
    /// Revokes the token of a user where the server has a revocation endpoint, and removes it from
    /// the user's store and from memory. Does nothing if the user is not logged in.
    ///
    /// It is done under the lease, so that no replica renews the token meanwhile. The others use an
    /// access token that they have in memory until it expires or is refused. The store keeps a
    /// version without a token.
    ///
    /// # Errors
    ///
    /// The error of the server or of the transport; the user then stays logged in.
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if there is no store, or it could not be read
    /// or leased; [`ErrorKind::Update`](crate::ErrorKind::Update) if the token was revoked but is
    /// still stored; the next call tries to remove it.
    ///
    /// [RFC 7009 section 2](https://www.rfc-editor.org/rfc/rfc7009#section-2)
    #[doc(alias = "logout")]
    pub async fn forget_user(&self, user: impl AsRef<str>) -> Result<()> {
        let session = self.session.of_user(user.as_ref())?;
        session.end_login().await
    }
}

#[maybe_async]
impl Login {
    /// Makes the token of this login that of a user, and stores it in the store of the user. Returns
    /// the token.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/for_user.md"),
        include_str!("../../../docs/examples/async/for_user.md")
    )]
    ///
    /// It replaces the token that the user had, for all clients of the user; the old one is not
    /// revoked. The [`client`](Self::client) of this login is one of them from now on. If it has
    /// renewed the token meanwhile, the renewed one is kept.
    ///
    /// # Errors
    ///
    /// If the client is closed, or cannot send the token.
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if there is no store for the user.
    /// [`ErrorKind::Update`](crate::ErrorKind::Update) if the new token is in use but the store did
    /// not take it.
    #[doc(alias = "session")]
    pub async fn keep_for(self, user: impl AsRef<str>) -> Result<Token> {
        let session = self.parent.of_user(user.as_ref())?;
        let token = self.client.token().unwrap_or(self.token);
        session.keep_for(token, self.client.session).await
    }
}
