//! A token in use.

use std::time::Duration;

use http::HeaderValue;

use super::decision::Lifetime;
use crate::{error::Result, oauth2::token::Token};

/// A published token, ready to be put on a request.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) token: Token,
    pub(crate) lifetime: Lifetime,
    /// Made once, cloned per request; or the error of a token that cannot be sent.
    header: Result<HeaderValue>,
}

impl Published {
    /// A token from the caller or a store.
    pub(crate) fn restored(token: Token, leeway: Duration) -> Self {
        let lifetime = Lifetime::restored(&token, leeway);
        Self::new(token, lifetime)
    }

    /// A token from a response at `received`.
    pub(crate) fn received(token: Token, leeway: Duration, received: Duration) -> Self {
        let lifetime = Lifetime::received(&token, leeway, received);
        Self::new(token, lifetime)
    }

    /// A token that was received before, with its lifetime.
    pub(super) fn known(token: Token, lifetime: Lifetime) -> Self {
        Self::new(token, lifetime)
    }

    fn new(token: Token, lifetime: Lifetime) -> Self {
        Self {
            header: token.authorization_header(),
            lifetime,
            token,
        }
    }

    /// Whether it can still be used.
    pub(crate) fn is_alive(&self, now: Duration) -> bool {
        self.lifetime.is_alive_at(now)
    }

    /// Whether it can be used and need not be renewed.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.lifetime.is_fresh_at(now)
    }

    /// Whether both have the same access token.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.token.access_token() == other.token.access_token()
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        self.header.clone()
    }
}
