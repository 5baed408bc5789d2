//! The value that a store holds.

use serde::{Deserialize, Serialize};

use crate::oauth2::token::Token;

/// Content of a token store: the token and its version.
///
/// It serialises to `{"version": 3, "token": {…}}`, for a store that keeps text. A table has a
/// column for each:
///
/// ```
/// use oauth_twin::{BoxError, StoredToken, Token};
///
/// struct Row { token: Option<String>, version: i64 }
///
/// fn from_row(row: Row) -> Result<StoredToken, BoxError> {
///     let token = row.token.map(|json| serde_json::from_str(&json)).transpose()?;
///     Ok(StoredToken::new(token, row.version.try_into()?))
/// }
///
/// let json = serde_json::to_string(&Token::new("2YotnFZFEjr1zCsicMWpAA"))?;
/// let stored = from_row(Row { token: Some(json), version: 3 })?;
/// assert_eq!((stored.version, stored.replaces()), (3, 2));
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredToken {
    /// The token; none once it was revoked, so that no other process uses it any longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The version, counted from 1.
    pub version: u64,
}

impl StoredToken {
    /// Makes a value of a token and its version.
    pub fn new(token: Option<Token>, version: u64) -> Self {
        Self { token, version }
    }

    /// The version that this one replaces; 0 if the store has to be empty.
    pub fn replaces(&self) -> u64 {
        self.version.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_version_and_perhaps_a_token() {
        let stored = StoredToken::new(Some(Token::new("t")), 3);
        let json = serde_json::to_value(&stored).expect("JSON");
        assert_eq!(json["version"], 3);
        assert_eq!(json["token"]["access_token"], "t");
        assert_eq!(
            serde_json::from_value::<StoredToken>(json).expect("a stored token"),
            stored
        );
        let revoked = StoredToken::new(None, 4);
        let json = serde_json::to_string(&revoked).expect("JSON");
        assert_eq!(json, r#"{"version":4}"#);
        let read: StoredToken = serde_json::from_str(&json).expect("a stored token");
        assert_eq!(read, revoked);
        assert_eq!(StoredToken::new(None, 0).replaces(), 0);
    }

    #[test]
    fn debug_tells_no_secret() {
        let stored = StoredToken::new(Some(Token::new("hunter2")), 1);
        assert_eq!(
            format!("{stored:?}"),
            "StoredToken { token: Some(Token { access_token: [redacted], token_type: \"Bearer\", \
             refresh_token: None, id_token: None, scope: None, expires_at: None, \
             issued_at: None, refresh_parameters: {}, other members: [] }), version: 1 }"
        );
    }
}
