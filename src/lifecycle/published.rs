//! A token in use.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::{decision::Lifetime, slot::Rules};
use crate::{
    error::{Error, Result},
    oauth2::token::{
        Token,
        bearer::is_invalid_token,
        dpop::{BoundToken, is_invalid_dpop_token},
    },
};

/// A published token, ready to be put on a request.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) token: Token,
    pub(crate) lifetime: Lifetime,
    /// Made once, used for each request; or the error of a token that cannot be sent.
    credential: Result<Credential>,
}

/// What a request gets.
#[derive(Debug)]
pub(crate) enum Credential {
    /// The value of the `Authorization` header.
    Bearer(HeaderValue),
    /// That and a proof.
    Bound(Box<BoundToken>),
    /// The value of the header of a token that had expired before it came here, which is hardly ever
    /// sent: made then.
    Expired,
}

impl Credential {
    /// The credential of a token by the rules of its client, or why it cannot be sent.
    fn of(token: &Token, rules: &Rules) -> Result<Self> {
        match &rules.dpop {
            None => token.authorization_header().map(Self::Bearer),
            Some(keys) => keys.bind(token).map(Box::new).map(Self::Bound),
        }
    }
}

impl Published {
    /// A token from the caller or a store at `now`.
    pub(crate) fn restored(token: Token, rules: &Rules, now: Duration) -> Self {
        let lifetime = Lifetime::restored(&token, rules.leeway);
        let is_over = !lifetime.is_alive_at(now) && !lifetime.is_zero();
        if is_over && rules.policy.by_time() && rules.dpop.is_none() {
            let credential = Ok(Credential::Expired);
            return Self {
                credential,
                lifetime,
                token,
            };
        }
        Self::new(token, lifetime, rules)
    }

    /// A token from a response at `received`.
    pub(crate) fn received(token: Token, rules: &Rules, received: Duration) -> Self {
        let lifetime = Lifetime::received(&token, rules.leeway, received);
        Self::new(token, lifetime, rules)
    }

    /// A token that was received before, with its lifetime.
    pub(super) fn known(token: Token, lifetime: Lifetime, rules: &Rules) -> Self {
        Self::new(token, lifetime, rules)
    }

    fn new(token: Token, lifetime: Lifetime, rules: &Rules) -> Self {
        let credential = Credential::of(&token, rules);
        // What is bound to a lost key, or to none, is of no use; its refresh token may be.
        let lifetime = match (&credential, &rules.dpop) {
            (Err(_), Some(_)) => Lifetime::OVER,
            _ => lifetime,
        };
        Self {
            credential,
            lifetime,
            token,
        }
    }

    /// Whether it can still be used.
    pub(crate) fn is_alive(&self, now: Duration) -> bool {
        self.lifetime.is_alive_at(now)
    }

    /// Whether those who waited for it can use it although its time is over: a lifetime of zero may
    /// mean anything, and by some policies time does not count.
    pub(crate) fn is_usable_once(&self, rules: &Rules) -> bool {
        self.lifetime.is_zero() || !rules.policy.by_time()
    }

    /// Whether it can be used and need not be renewed.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.lifetime.is_fresh_at(now)
    }

    /// Whether both have the same access token.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.token.access_token() == other.token.access_token()
    }

    /// What a request gets.
    #[inline]
    pub(crate) fn credential(&self) -> Result<&Credential> {
        self.credential.as_ref().map_err(Clone::clone)
    }

    /// The token with its key, if it is bound to one.
    pub(crate) fn bound(&self) -> Option<&BoundToken> {
        match &self.credential {
            Ok(Credential::Bound(bound)) => Some(bound),
            _ => None,
        }
    }

    /// Whether a 401 with these headers is about the token.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn is_refused_by(&self, headers: &HeaderMap) -> bool {
        match self.bound() {
            Some(_) => is_invalid_dpop_token(headers),
            None => is_invalid_token(headers),
        }
    }

    /// Why it cannot be sent, if it cannot.
    pub(crate) fn problem(&self) -> Option<Error> {
        match &self.credential {
            Ok(Credential::Expired) => self.token.check_bearer().err(),
            credential => credential.as_ref().err().cloned(),
        }
    }

    /// The value of the `Authorization` header of a bearer token.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        match self.credential()? {
            Credential::Bearer(header) => Ok(header.clone()),
            Credential::Expired => self.token.authorization_header(),
            Credential::Bound(_) => Err(Error::usage(
                "the header of a DPoP token is of no use without the proof for one request; \
                 `authorize` adds both to a request",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lifecycle::testing::{LIFE, at, rules, token},
        oauth2::token::refresh::RefreshPolicy,
    };

    fn restored(token: Token, rules: &Rules, seconds: u64) -> Published {
        Published::restored(token, rules, at(seconds).unix)
    }

    fn has_header(published: &Published) -> bool {
        matches!(published.credential, Ok(Credential::Bearer(_)))
    }

    #[test]
    fn the_header_of_an_expired_token_is_made_when_it_is_sent() {
        let expired = restored(token("a", "r", 0), &rules(), LIFE);
        assert!(!has_header(&expired) && expired.problem().is_none());
        assert_eq!(expired.header().expect("a header"), "Bearer a");
        assert!(has_header(&restored(
            token("a", "r", 0),
            &rules(),
            LIFE - 1
        )));
    }

    #[test]
    fn what_is_sent_although_it_has_expired_has_its_header() {
        for policy in [RefreshPolicy::Never, RefreshPolicy::Unauthorized] {
            let rules = Rules { policy, ..rules() };
            assert!(has_header(&restored(token("a", "r", 0), &rules, LIFE)));
        }
        // A lifetime of zero may mean anything.
        let zero =
            token("a", "r", 0).with_expires_at(token("a", "r", 0).issued_at().expect("a time"));
        assert!(has_header(&restored(zero, &rules(), LIFE)));
    }

    #[test]
    fn an_expired_token_that_cannot_be_sent_says_so() {
        let expired = restored(token("a b", "r", 0), &rules(), LIFE);
        let problem = expired.problem().expect("a problem");
        assert!(problem.to_string().contains("characters"), "{problem}");
        assert!(expired.header().is_err());
    }
}
