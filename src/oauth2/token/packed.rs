//! Tokens in little memory: many in one piece of it.

use zeroize::Zeroize as _;

use super::{
    Token,
    value::{Rest, Seconds, TokenMembers, TokenType},
};

/// Tokens that are seldom needed, all in one piece of memory of a fixed size. Small pieces of it that
/// stay for a while would lie between those that come and go, which makes every allocation dearer.
pub(crate) struct PackedTokens {
    /// Of each token its numbers, as in [`push`](Self::push), and its texts.
    bytes: Vec<u8>,
    /// The members that most tokens do not have.
    rests: Vec<Rest>,
}

/// Bytes of the numbers of a token.
const NUMBERS: usize = 5 * size_of::<u32>() + 2 * size_of::<u64>();

impl PackedTokens {
    /// Room for tokens of so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            rests: Vec::new(),
        }
    }

    /// The bytes that a token takes. None if its texts are too long.
    pub(crate) fn size_of(token: &Token) -> Option<usize> {
        let mut size = NUMBERS;
        for text in texts(token).into_iter().flatten() {
            size = size.checked_add(text.len())?;
        }
        (size < u32::MAX as usize / 2).then_some(size)
    }

    /// The bytes that are taken.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a token, and returns where it is; none if there is no room. What is full stays where it is:
    /// no part of a secret is left where it was moved from.
    pub(crate) fn push(&mut self, token: &Token) -> Option<u32> {
        let at = u32::try_from(self.bytes.len()).ok()?;
        if Self::size_of(token)? > self.bytes.capacity() - self.bytes.len() {
            return None;
        }
        let texts = texts(token);
        let rest = match &token.0.rest {
            None => 0,
            Some(rest) => {
                self.rests.push(Rest::clone(rest));
                u32::try_from(self.rests.len()).ok()?
            }
        };
        // None is zero.
        let length = |text: Option<&str>| {
            #[expect(clippy::cast_possible_truncation, reason = "the size was checked")]
            let length = text.map_or(0, |text| text.len() as u32 + 1);
            length.to_le_bytes()
        };
        let time = |time: Option<Seconds>| time.map_or(0, |time| time.get() + 1).to_le_bytes();
        let times = [token.0.expires_at, token.0.issued_at].map(time);
        self.bytes
            .extend_from_slice(texts.map(length).as_flattened());
        self.bytes.extend_from_slice(&rest.to_le_bytes());
        self.bytes.extend_from_slice(times.as_flattened());
        for text in texts.into_iter().flatten() {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        Some(at)
    }

    /// The token that is there.
    pub(crate) fn get(&self, at: u32) -> Option<Token> {
        let mut left = self.bytes.get(at as usize..)?;
        let mut lengths = [0; 4];
        for length in &mut lengths {
            *length = u32::from_le_bytes(take(&mut left)?);
        }
        let rest = u32::from_le_bytes(take(&mut left)?).checked_sub(1);
        let mut times = [None; 2];
        for time in &mut times {
            let seconds = u64::from_le_bytes(take(&mut left)?);
            *time = seconds.checked_sub(1).map(Seconds::new);
        }
        let mut texts = [None; 4];
        for (text, length) in texts.iter_mut().zip(lengths) {
            if let Some(length) = length.checked_sub(1) {
                let (bytes, after) = left.split_at_checked(length as usize)?;
                *text = Some(std::str::from_utf8(bytes).ok()?);
                left = after;
            }
        }
        let [access_token, refresh_token, scope, token_type] = texts;
        let token_type = TokenType::new(token_type?.to_owned());
        Some(Token::from(TokenMembers {
            access_token: token_type.before(&access_token?.into()),
            token_type,
            refresh_token: refresh_token.map(Into::into),
            scope: scope.map(Into::into),
            expires_at: times[0],
            issued_at: times[1],
            rest: match rest {
                Some(at) => Some(Box::new(self.rests.get(at as usize)?.clone())),
                None => None,
            },
        }))
    }
}

fn texts(token: &Token) -> [Option<&str>; 4] {
    [
        Some(token.access_token().expose_secret()),
        token.refresh_token().map(|secret| secret.expose_secret()),
        token.scope(),
        Some(token.token_type()),
    ]
}

fn take<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = left.split_first_chunk()?;
    *left = after;
    Some(*taken)
}

impl Drop for PackedTokens {
    fn drop(&mut self) {
        // `zeroize` overwrites spare capacity in one go, and elements one by one.
        self.bytes.clear();
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for PackedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PackedTokens")
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::wire::form::Form;

    #[test]
    fn tokens_are_the_same_after_they_were_packed() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut parameters = Form::new();
        parameters.push("resource", "https://api.example");
        let token = Token::new("ä-access");
        let tokens = [
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
        ];
        let mut packed = PackedTokens::with_capacity(1024);
        let places = tokens.each_ref().map(|token| packed.push(token));
        for (token, place) in tokens.iter().zip(places) {
            let unpacked = packed.get(place.expect("room")).expect("a token");
            assert_eq!(unpacked, *token);
            assert_eq!(
                unpacked.authorization_header().ok(),
                token.authorization_header().ok()
            );
        }
        let size = tokens.iter().filter_map(PackedTokens::size_of);
        assert_eq!(packed.len(), size.sum::<usize>());
    }

    #[test]
    fn what_is_full_takes_no_more_and_does_not_grow() {
        let token = Token::new("access").with_refresh_token("refresh");
        let size = PackedTokens::size_of(&token).expect("short texts");
        let mut packed = PackedTokens::with_capacity(2 * size - 1);
        let capacity = packed.bytes.capacity();
        assert_eq!(packed.push(&token), Some(0));
        assert_eq!(packed.push(&token), None);
        assert_eq!((packed.len(), packed.bytes.capacity()), (size, capacity));
        assert!(packed.get(0).is_some());
        for nowhere in [1, 30, 10_000, u32::MAX] {
            assert!(packed.get(nowhere).is_none(), "{nowhere}");
        }
    }

    #[test]
    fn debug_tells_no_secret() {
        let mut packed = PackedTokens::with_capacity(1024);
        packed.push(&Token::new("hunter2"));
        assert_eq!(format!("{packed:?}"), "PackedTokens");
    }
}
