//! How long a token lives: the decision what to do with it, without doing it.

use std::time::Duration;

use crate::oauth2::token::{Token, refresh::RefreshPolicy};

/// When a token is to be renewed and when it ends, as durations since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lifetime {
    renew_at: Option<Duration>,
    expires_at: Option<Duration>,
}

impl Lifetime {
    /// Of `token`: renewed `leeway` before its end, but never in the first half of its life, so
    /// that a token of five seconds is not renewed on every request.
    pub(crate) fn of(token: &Token, leeway: Duration) -> Self {
        let Some(expires_at) = token.expires_at_unix().map(Duration::from_secs) else {
            return Self::default();
        };
        let leeway = match token.issued_at_unix().map(Duration::from_secs) {
            Some(issued_at) => leeway.min(expires_at.saturating_sub(issued_at) / 2),
            None => leeway,
        };
        Self {
            renew_at: Some(expires_at.saturating_sub(leeway)),
            expires_at: Some(expires_at),
        }
    }

    /// Whether the token can be used and nothing is to be done for it.
    pub(crate) fn is_fresh(self, now: Duration) -> bool {
        self.renew_at.is_none_or(|renew_at| now < renew_at)
    }

    /// Whether the token can still be used.
    pub(crate) fn is_alive(self, now: Duration) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// All that the decision depends on, besides the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    /// The token's, if there is a token.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) policy: RefreshPolicy,
    /// Whether there is something to renew it with.
    pub(crate) renewable: bool,
    /// Whether a renewal is under way.
    pub(crate) in_flight: bool,
    /// Whether a renewal failed so recently that the next has to wait, if it can.
    pub(crate) backing_off: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Use the token.
    Use,
    /// Renew it and use the old one if that fails or lasts.
    RenewEarly,
    /// Obtain one, or renew it: there is none that could be used.
    Renew,
    /// Wait for the renewal under way.
    Wait,
    /// Fail: there is no token and no way to get one.
    NoToken,
    /// Fail: the token has expired and there is no way to renew it.
    Expired,
}

/// What to do with a token at `now`.
pub(crate) fn decide(situation: Situation, now: Duration) -> Decision {
    let Situation {
        lifetime,
        policy,
        renewable,
        in_flight,
        backing_off,
    } = situation;
    match lifetime {
        Some(lifetime) if lifetime.is_fresh(now) || !policy.by_time() => Decision::Use,
        Some(lifetime) if lifetime.is_alive(now) => {
            if renewable && !in_flight && !backing_off {
                Decision::RenewEarly
            } else {
                Decision::Use
            }
        }
        _ if in_flight => Decision::Wait,
        _ if renewable => Decision::Renew,
        Some(_) => Decision::Expired,
        None => Decision::NoToken,
    }
}

/// How long renewals wait after one that failed, while there is a token to go on with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    from: Duration,
    until: Duration,
}

impl Backoff {
    /// The shortest wait, which doubles with each failure…
    const FIRST: Duration = Duration::from_secs(1);
    /// … up to the longest, which only the server's own `Retry-After` exceeds.
    const LAST: Duration = Duration::from_secs(30);

    /// A renewal failed at `now`, and the server may have said when to come back.
    pub(crate) fn fail(&mut self, now: Duration, retry_after: Option<Duration>) {
        let wait = Self::FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(Self::LAST)
            .max(retry_after.unwrap_or_default());
        self.failures += 1;
        self.from = now;
        self.until = now.saturating_add(wait);
    }

    /// Whether the next renewal has to wait. A clock that was set back ends the wait.
    pub(crate) fn is_active(&self, now: Duration) -> bool {
        (self.from..self.until).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn token(issued_at: Option<u64>, expires_at: Option<u64>) -> Token {
        let mut token = Token::new("t");
        if let Some(issued_at) = issued_at {
            token = token.with_issued_at(at(issued_at));
        }
        if let Some(expires_at) = expires_at {
            token = token.with_expires_at(at(expires_at));
        }
        token
    }

    #[test]
    fn renewed_leeway_before_the_end_but_not_in_the_first_half() {
        let leeway = Duration::from_secs(60);
        for (issued_at, expires_at, renew_at) in [
            (Some(1000), Some(4600), Some(4540.0)),
            (Some(1000), Some(1005), Some(1002.5)),
            (Some(1000), Some(1003), Some(1001.5)),
            (Some(1000), Some(1000), Some(1000.0)),
            (Some(1000), Some(900), Some(900.0)),
            (None, Some(1005), Some(945.0)),
            (None, Some(5), Some(0.0)),
            (Some(1000), None, None),
        ] {
            let lifetime = Lifetime::of(&token(issued_at, expires_at), leeway);
            assert_eq!(
                lifetime.renew_at.map(|at| at.as_secs_f64()),
                renew_at,
                "{issued_at:?} {expires_at:?}"
            );
        }
        assert!(Lifetime::default().is_fresh(Duration::MAX));
        let end = 253_402_300_799;
        Lifetime::of(&token(Some(end), Some(end)), Duration::MAX);
    }

    #[test]
    fn the_whole_table() {
        use Decision::{Expired, NoToken, Renew, RenewEarly, Use, Wait};
        use RefreshPolicy::{Expiry, ExpiryAndUnauthorized, Never, Unauthorized};
        let lifetime = Lifetime {
            renew_at: Some(Duration::from_secs(10)),
            expires_at: Some(Duration::from_secs(20)),
        };
        for policy in [ExpiryAndUnauthorized, Expiry, Unauthorized, Never] {
            for bits in 0..8 {
                let [renewable, in_flight, backing_off] = [1, 2, 4].map(|bit| bits & bit != 0);
                let decision = |lifetime, now| {
                    let situation = Situation {
                        lifetime,
                        policy,
                        renewable,
                        in_flight,
                        backing_off,
                    };
                    decide(situation, Duration::from_secs(now))
                };
                let without = |ended| match (in_flight, renewable) {
                    (true, _) => Wait,
                    (false, true) => Renew,
                    (false, false) => ended,
                };
                assert_eq!(decision(None, 0), without(NoToken));
                assert_eq!(decision(Some(lifetime), 9), Use);
                let by_time = matches!(policy, ExpiryAndUnauthorized | Expiry);
                let early = by_time && renewable && !in_flight && !backing_off;
                for now in [10, 19] {
                    let expected = if early { RenewEarly } else { Use };
                    assert_eq!(decision(Some(lifetime), now), expected);
                }
                for now in [20, 2000] {
                    let expected = if by_time { without(Expired) } else { Use };
                    assert_eq!(decision(Some(lifetime), now), expected);
                }
                assert_eq!(decision(Some(Lifetime::default()), u64::MAX), Use);
            }
        }
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits() {
        let mut backoff = Backoff::default();
        assert!(!backoff.is_active(Duration::ZERO));
        let mut now = Duration::from_secs(1000);
        for wait in [1, 2, 4, 8, 16, 30, 30, 30] {
            backoff.fail(now, None);
            let end = now + Duration::from_secs(wait);
            assert!(backoff.is_active(now) && backoff.is_active(end - Duration::from_millis(1)));
            assert!(!backoff.is_active(end), "{wait}");
            now = end;
        }
        backoff.fail(now, Some(Duration::from_secs(600)));
        assert!(backoff.is_active(now + Duration::from_secs(599)));
        assert!(
            !backoff.is_active(now - Duration::from_secs(1)),
            "the clock was set back"
        );
    }
}
