//! Short tokens that were received in the lifetime of the client.

use std::time::Duration;

use super::spent::SPENT;
use crate::{
    lifecycle::{decision::Lifetime, now::Now, published::Published},
    oauth2::token::Token,
};

/// Seconds of the life of a token up to which a fraction of one counts.
pub(super) const SHORT: u64 = 60;

/// The lifetime of a token, for when it comes back from where it was stored: there it has whole
/// seconds, which are too few for a token of a second.
#[derive(Clone, Copy, Debug)]
pub(in crate::lifecycle) struct Received {
    access_token: [u8; 32],
    pub(in crate::lifecycle) lifetime: Lifetime,
    /// It is kept so long for a slot that is in use no longer.
    pub(super) until: Duration,
}

impl Received {
    /// None for a token for which whole seconds are enough.
    pub(super) fn of(published: &Published, now: Now) -> Option<Self> {
        is_short(&published.token).then(|| Self {
            access_token: published.token.access_token().digest(),
            lifetime: published.lifetime,
            until: now.monotonic.saturating_add(SPENT),
        })
    }

    pub(super) fn is(&self, token: &Token) -> bool {
        token.access_token().digest() == self.access_token
    }
}

/// Whether whole seconds are too few for the lifetime of a token.
pub(super) fn is_short(token: &Token) -> bool {
    let times = token.expires_at_unix().zip(token.issued_at_unix());
    times.is_some_and(|(expires_at, issued_at)| expires_at.saturating_sub(issued_at) <= SHORT)
}
