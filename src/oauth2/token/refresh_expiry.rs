//! Expiry of refresh tokens, for which OAuth has no member and servers have several.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::{
    Token,
    members::{LATEST, time},
};
use crate::json::number::number;

/// Members with the lifetime of the refresh token, in seconds.
const LIFETIMES: [&str; 3] = [
    // GitHub, LinkedIn, Microsoft, Google, Okta.
    // https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
    "refresh_token_expires_in",
    // Keycloak, TikTok.
    // https://developers.tiktok.com/doc/oauth-user-access-token-management
    "refresh_expires_in",
    // Intuit.
    // https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0
    "x_refresh_token_expires_in",
];

/// The member with the absolute time, in seconds since 1970.
const EXPIRY: &str = "refresh_token_expires_at";

impl Token {
    /// The expiry of the refresh token, to the second, if the server named it: the user has to log
    /// in again by then. A renewal may postpone it.
    ///
    /// It is read from `refresh_token_expires_in`, `refresh_expires_in` or
    /// `x_refresh_token_expires_in`, which [`get`](Self::get) has as received, and is stored with
    /// the token as its member `refresh_token_expires_at`. The clients do not act on it: whether a
    /// refresh token is still valid is known to the server alone.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use oauth_twin::Token;
    ///
    /// let token: Token = serde_json::from_str(
    ///     r#"{ "access_token": "a", "issued_at": 1700000000, "refresh_expires_in": 1800 }"#,
    /// )?;
    /// let expiry = UNIX_EPOCH + Duration::from_secs(1700001800);
    /// assert_eq!(token.refresh_token_expires_at(), Some(expiry));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn refresh_token_expires_at(&self) -> Option<SystemTime> {
        let absolute = self.get(EXPIRY).and_then(time);
        let seconds =
            absolute.or_else(|| expiry(&self.0.rest.as_ref()?.extra, self.issued_at_unix()?))?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// Adds the absolute time to the members of a response that arrived at `now`.
pub(super) fn note_expiry(members: &mut Map<String, Value>, now: u64) {
    if let Some(seconds) = expiry(members, now) {
        members.insert(EXPIRY.to_owned(), seconds.into());
    }
}

/// Whether the member of an old token still holds for a renewed one. A lifetime counts from the
/// response that it was in, and every expiry is that of one refresh token.
pub(super) fn is_inherited(name: &str, same_refresh_token: bool) -> bool {
    !LIFETIMES.contains(&name) && (name != EXPIRY || same_refresh_token)
}

/// The expiry by the first member that is a lifetime, counted from `issued_at`. Keycloak sends 0 for
/// refresh tokens that do not expire.
fn expiry(members: &Map<String, Value>, issued_at: u64) -> Option<u64> {
    let mut lifetimes = [None; LIFETIMES.len()];
    // Most responses have none, and few other members: one pass costs less than three look-ups.
    for (name, value) in members {
        if let Some(n) = LIFETIMES.iter().position(|lifetime| lifetime == name) {
            lifetimes[n] = number(value).filter(|seconds| *seconds >= 1.0);
        }
    }
    let seconds = lifetimes.into_iter().flatten().next()?;
    Some(issued_at.saturating_add(seconds as u64).min(LATEST))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(mut members: Value) -> Token {
        members["access_token"] = "a".into();
        let members = members.as_object().expect("an object").clone();
        Token::from_answer(members, Duration::from_secs(1000)).expect("a token")
    }

    fn seconds(token: &Token) -> Option<u64> {
        let expires_at = token.refresh_token_expires_at()?;
        Some(
            expires_at
                .duration_since(UNIX_EPOCH)
                .expect("after 1970")
                .as_secs(),
        )
    }

    #[test]
    fn each_name_for_the_lifetime_is_read() {
        for (members, expected) in [
            (json!({"refresh_expires_in": 60}), Some(1060)),
            (json!({"refresh_token_expires_in": "60"}), Some(1060)),
            (json!({"x_refresh_token_expires_in": 60.5}), Some(1060)),
            (json!({"refresh_expires_in": u64::MAX}), Some(LATEST)),
            (json!({"refresh_token_expires_at": 1060}), Some(1060)),
            // Keycloak's word for "never".
            (json!({"refresh_expires_in": 0}), None),
            (json!({"refresh_expires_in": -1}), None),
            (json!({"refresh_expires_in": null}), None),
            (json!({"refresh_expires_in": "soon"}), None),
            (json!({"expires_in": 60}), None),
        ] {
            let token = answer(members.clone());
            assert_eq!(seconds(&token), expected, "{members}");
            // As received, and after it was stored and loaded.
            let given = members.as_object().expect("an object");
            for (name, value) in given.iter().filter(|(name, _)| *name != "expires_in") {
                assert_eq!(token.get(name), Some(value));
            }
            let stored = serde_json::to_value(&token).expect("JSON");
            let loaded: Token = serde_json::from_value(stored).expect("a token");
            assert_eq!(seconds(&loaded), expected, "{members}");
        }
    }

    #[test]
    fn an_expiry_is_inherited_with_its_refresh_token_alone() {
        let old = answer(json!({"refresh_token": "r", "refresh_expires_in": 60}));
        for (members, expected) in [
            (json!({}), Some(1060)),
            (json!({"refresh_token": "r"}), Some(1060)),
            (json!({"refresh_token": "s"}), None),
            (
                json!({"refresh_token": "s", "refresh_expires_in": 70}),
                Some(1070),
            ),
            (json!({"refresh_expires_in": 70}), Some(1070)),
            (json!({"refresh_expires_in": 0}), Some(1060)),
        ] {
            let renewed = answer(members.clone()).inheriting(&old);
            assert_eq!(seconds(&renewed), expected, "{members}");
        }
    }

    /// A row of another library, whose lifetime counts from the old response.
    #[test]
    fn a_lifetime_is_not_inherited() {
        let row = json!({"access_token": "a", "refresh_token": "r", "refresh_expires_in": 60});
        let old: Token = serde_json::from_value(row).expect("a token");
        assert_eq!(seconds(&answer(json!({})).inheriting(&old)), None);
    }
}
