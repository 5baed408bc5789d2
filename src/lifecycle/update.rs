//! Argument of `update_token`.

use crate::{oauth2::token::Token, secret::Secret};

/// A token that the client obtained by itself or by `refresh_token`, passed to `update_token` to be
/// stored.
///
/// The row to be replaced is found by the previous tokens. Delivery is at least once, so storing the
/// same update again must do no harm:
///
/// ```
/// use oauth_twin::{BoxError, TokenUpdate};
///
/// # #[derive(Default)] struct Rows;
/// # impl Rows {
/// #     fn insert(&self, _: &str) -> Result<(), BoxError> { Ok(()) }
/// #     fn replace_where_refresh_token(&self, _: &str, _: &str) -> Result<(), BoxError> { Ok(()) }
/// # }
/// fn store(rows: &Rows, update: TokenUpdate) -> Result<(), BoxError> {
///     let json = serde_json::to_string(&update.token)?;
///     match &update.previous_refresh_token {
///         Some(old) => rows.replace_where_refresh_token(old.expose_secret(), &json),
///         None => rows.insert(&json),
///     }
/// }
/// # let _ = store;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenUpdate {
    /// The new token.
    pub token: Token,
    /// The access token that it replaces, if there was one.
    pub previous_access_token: Option<Secret>,
    /// The refresh token of the token that it replaces, if there was one: used up now, unless the
    /// new token has the same.
    pub previous_refresh_token: Option<Secret>,
    /// Whether another token is in use in the meantime, by `set_token`, `fetch_token` or the
    /// `token_store`, so that no client uses this one. It is reported so that no token of the server
    /// is lost.
    pub superseded: bool,
}

impl TokenUpdate {
    pub(crate) fn new(token: Token, previous: Option<&Token>, superseded: bool) -> Self {
        Self {
            token,
            previous_access_token: previous.map(|old| old.access_token().clone()),
            previous_refresh_token: previous.and_then(|old| old.refresh_token().cloned()),
            superseded,
        }
    }

    /// This update instead of `earlier`, which is not stored: the row still has the token from before
    /// both.
    pub(crate) fn after(mut self, earlier: Self) -> Self {
        self.previous_access_token = earlier.previous_access_token;
        self.previous_refresh_token = earlier.previous_refresh_token;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let token = Token::new("hunter2");
        let old = Token::new("hunter2").with_refresh_token("hunter2");
        assert_eq!(
            format!("{:?}", TokenUpdate::new(token, Some(&old), false)),
            "TokenUpdate { token: Token { access_token: [redacted], token_type: \"Bearer\", \
             refresh_token: None, id_token: None, scope: None, expires_at: None, \
             issued_at: None, refresh_parameters: {}, other members: [] }, previous_access_token: Some([redacted]), \
             previous_refresh_token: Some([redacted]), superseded: false }"
        );
    }

    #[test]
    fn an_update_after_one_that_was_not_stored_names_the_stored_row() {
        let tokens = ["1", "2", "3"].map(|n| Token::new(n).with_refresh_token(n));
        let update = |n: usize| TokenUpdate::new(tokens[n].clone(), Some(&tokens[n - 1]), false);
        let update = update(2).after(update(1));
        assert_eq!(update.token.access_token(), &Secret::from("3"));
        assert_eq!(update.previous_refresh_token, Some(Secret::from("1")));
    }
}
