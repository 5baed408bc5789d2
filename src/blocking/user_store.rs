//! Stores of the tokens of many users.

use std::sync::Arc;

use crate::{
    blocking::{client::OAuth2ClientBuilder, token_store::TokenStore},
    error::BoxError,
    token_store::UserKey,
};

/// A [`TokenStore`], or a `Result` with one: what the function of
/// [`user_store`](OAuth2ClientBuilder::user_store) returns.
#[diagnostic::on_unimplemented(
    message = "this is no `TokenStore`, and no `Result` with one",
    note = "a `Result` has an error that becomes a `BoxError`"
)]
pub trait IntoTokenStore {
    /// The store.
    type Store: TokenStore + 'static;

    /// Makes one kind of both.
    #[doc(hidden)]
    fn into_store(self) -> Result<Self::Store, BoxError>;
}

impl<S: TokenStore + 'static> IntoTokenStore for S {
    type Store = S;

    fn into_store(self) -> Result<S, BoxError> {
        Ok(self)
    }
}

impl<S: TokenStore + 'static, E: Into<BoxError>> IntoTokenStore for Result<S, E> {
    type Store = S;

    fn into_store(self) -> Result<S, BoxError> {
        self.map_err(Into::into)
    }
}

impl OAuth2ClientBuilder {
    /// Calls `store` for the store of each user's token, which [`for_user`](crate::OAuth2Client::for_user)
    /// and [`keep_for`](crate::Login::keep_for) use: a store, or a `Result` with one.
    ///
    /// ```
    /// use oauth_twin::{OAuth2Client, FileTokenStore, UserKey};
    /// # let folder = std::env::temp_dir();
    ///
    /// let client = OAuth2Client::builder("client-id")
    ///     .user_store(move |user: &UserKey| FileTokenStore::new(folder.join(format!("{user}.json"))))
    ///     .build()?;
    /// # Ok::<(), oauth_twin::Error>(())
    /// ```
    ///
    /// The function is called when a user is not in memory, and must not wait: constructors of
    /// stores do no I/O. An error of it is [`ErrorKind::Store`](crate::ErrorKind::Store). The `user`
    /// displays encoded, so that no name leads to the path or the key of another.
    ///
    /// The client's own `token_store` is another one, for the token of the client itself.
    pub fn user_store<S: IntoTokenStore>(
        mut self,
        store: impl Fn(&UserKey) -> S + Send + Sync + 'static,
    ) -> Self {
        self.tokens.user_store = Some(Arc::new(move |user| {
            Ok(Arc::new(store(user).into_store()?))
        }));
        self
    }
}
