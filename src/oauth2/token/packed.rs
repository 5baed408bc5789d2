//! Tokens in little memory.

use zeroize::Zeroizing;

use super::{
    Token,
    value::{Rest, Seconds, TokenMembers, TokenType},
};

/// A token that is seldom needed, with its texts in one.
pub(crate) struct PackedToken {
    /// Access token, refresh token, scope and type.
    text: Zeroizing<Box<str>>,
    /// Where the first three of them end.
    ends: [u32; 3],
    has_refresh_token: bool,
    has_scope: bool,
    expires_at: Option<Seconds>,
    issued_at: Option<Seconds>,
    rest: Option<Box<Rest>>,
}

impl PackedToken {
    /// None if the texts are too long.
    pub(crate) fn of(token: &Token) -> Option<Self> {
        let members = &*token.0;
        let refresh_token = token.refresh_token().map(|secret| secret.expose_secret());
        let texts = [
            token.access_token().expose_secret(),
            refresh_token.unwrap_or_default(),
            token.scope().unwrap_or_default(),
            token.token_type(),
        ];
        // Of this size from the start, so that no part of it is left where it was moved from.
        let mut text = String::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut ends = [0; 3];
        for (n, part) in texts.into_iter().enumerate() {
            text.push_str(part);
            if let Some(end) = ends.get_mut(n) {
                *end = u32::try_from(text.len()).ok()?;
            }
        }
        Some(Self {
            text: Zeroizing::new(text.into_boxed_str()),
            ends,
            has_refresh_token: refresh_token.is_some(),
            has_scope: members.scope.is_some(),
            expires_at: members.expires_at,
            issued_at: members.issued_at,
            rest: members.rest.clone(),
        })
    }

    pub(crate) fn unpack(&self) -> Token {
        let [access_token, refresh_token, scope, token_type] = self.texts();
        let token_type = TokenType::new(token_type.to_owned());
        Token::from(TokenMembers {
            access_token: token_type.before(&access_token.into()),
            token_type,
            refresh_token: self.has_refresh_token.then(|| refresh_token.into()),
            scope: self.has_scope.then(|| scope.into()),
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            rest: self.rest.clone(),
        })
    }

    fn texts(&self) -> [&str; 4] {
        let mut begin = 0;
        let end = self.text.len();
        let ends = self.ends.map(|end| end as usize);
        [ends[0], ends[1], ends[2], end]
            .map(|end| &self.text[std::mem::replace(&mut begin, end)..end])
    }
}

impl std::fmt::Debug for PackedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackedToken")
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::wire::form::Form;

    #[test]
    fn a_token_is_the_same_after_it_was_packed() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut parameters = Form::new();
        parameters.push("resource", "https://api.example");
        let token = Token::new("ä-access");
        for token in [
            token.clone(),
            token.clone().with_refresh_token(""),
            token.clone().with_scope("").with_issued_at(at(0)),
            token
                .clone()
                .with_refresh_token("refresh")
                .with_scope("a b"),
            token
                .clone()
                .with_token_type("bearer")
                .with_expires_at(at(7)),
            token
                .clone()
                .with_token_type("DPoP")
                .with_member("tenant", 7.into()),
            token.with_refresh_parameters(parameters),
        ] {
            let packed = PackedToken::of(&token).expect("a short token");
            assert_eq!(packed.unpack(), token);
            assert_eq!(
                packed.unpack().authorization_header().ok(),
                token.authorization_header().ok()
            );
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let packed = PackedToken::of(&Token::new("hunter2"));
        assert_eq!(format!("{packed:?}"), "Some(PackedToken)");
    }
}
