//! What a client makes of what it reads in its store.

use crate::{oauth2::token::Token, token_store::StoredToken};

/// Whose doing it is that the client holds something else than its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A renewal brought it. If somebody else has stored another in the meantime, that one counts.
    Renewal,
    /// A revocation ended it. Another one that was stored in the meantime counts, as it lives.
    Revocation,
    /// The caller: a login, a token from elsewhere. It counts, whatever is stored.
    Caller,
}

/// Whether `stored` takes the place of the client's `own` token.
///
/// `known` is the version that the client has read or stored last, and `unsaved` what of its own
/// is not stored yet.
pub(crate) fn is_news(
    known: Option<u64>,
    unsaved: Option<By>,
    own: Option<&Token>,
    stored: &StoredToken,
) -> bool {
    let other_version = known != Some(stored.version);
    match unsaved {
        Some(By::Caller) => false,
        Some(By::Renewal | By::Revocation) => other_version,
        // A store that lost everything and began anew may have come to the same version.
        None => {
            let stored = stored.token.as_ref();
            other_version || own.map(Token::access_token) != stored.map(Token::access_token)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let [own, other] = ["own", "other"].map(Token::new);
        let stored = |token: &Token| StoredToken::new(Some(token.clone()), 3);
        let revoked = StoredToken::new(None, 3);
        for (known, unsaved, held, stored, expected) in [
            (None, None, None, stored(&other), true),
            (None, None, None, revoked.clone(), true),
            (None, Some(By::Caller), Some(&own), stored(&other), false),
            (Some(3), None, Some(&own), stored(&own), false),
            (Some(3), None, Some(&own), stored(&other), true),
            (Some(3), None, Some(&own), revoked.clone(), true),
            (Some(3), None, None, revoked.clone(), false),
            (Some(2), None, Some(&own), stored(&other), true),
            (Some(4), None, Some(&own), stored(&other), true),
            (
                Some(3),
                Some(By::Renewal),
                Some(&own),
                stored(&other),
                false,
            ),
            (Some(2), Some(By::Renewal), Some(&own), stored(&other), true),
            (
                Some(2),
                Some(By::Renewal),
                Some(&own),
                revoked.clone(),
                true,
            ),
            (Some(3), Some(By::Revocation), None, stored(&other), false),
            (Some(2), Some(By::Revocation), None, stored(&other), true),
            (Some(3), Some(By::Caller), Some(&own), stored(&other), false),
            (Some(2), Some(By::Caller), Some(&own), stored(&other), false),
        ] {
            assert_eq!(
                is_news(known, unsaved, held, &stored),
                expected,
                "{known:?} {unsaved:?} {held:?} {stored:?}"
            );
        }
    }
}
