//! Decisions in the life of a token, without carrying them out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::since_epoch;
use crate::oauth2::token::{Token, refresh::RefreshPolicy};

/// Time at which a token is to be renewed, and time of its end.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_twin::{Token, lifecycle::Lifetime};
///
/// let now = SystemTime::now();
/// let token = Token::new("t")
///     .with_issued_at(now)
///     .with_expires_at(now + Duration::from_secs(3600));
/// let lifetime = Lifetime::new(&token, Duration::from_secs(60));
/// assert!(lifetime.is_fresh(now) && lifetime.is_alive(now));
/// let later = now + Duration::from_secs(3550);
/// assert!(!lifetime.is_fresh(later) && lifetime.is_alive(later));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// As a clock gives it: each request compares it.
    renew_at: Option<SystemTime>,
    expires_at: Option<Duration>,
    /// Whether the server said that it expires as it is issued.
    is_zero: bool,
}

impl Lifetime {
    /// Of a token that cannot be used, whatever its times say.
    pub(super) const OVER: Self = Self {
        renew_at: Some(UNIX_EPOCH),
        expires_at: Some(Duration::ZERO),
        is_zero: false,
    };

    /// The lifetime of a token that is renewed `leeway` before its end, but never in the first half
    /// of its lifetime, so that a token of five seconds is not renewed on every request. For a token
    /// without `issued_at` the leeway alone counts; one without `expires_at` never ends.
    pub fn new(token: &Token, leeway: Duration) -> Self {
        Self::restored(token, leeway)
    }

    /// Whether the token can be used and need not be renewed.
    pub fn is_fresh(self, now: SystemTime) -> bool {
        // A clock before 1970 reads as 1970, where what is over has ended.
        self.renew_at
            .is_none_or(|renew_at| now < renew_at && renew_at != UNIX_EPOCH)
    }

    /// Whether the token can still be used.
    pub fn is_alive(self, now: SystemTime) -> bool {
        self.is_alive_at(since_epoch(now))
    }

    /// The lifetime of a restored token, in whole seconds.
    pub(super) fn restored(token: &Token, leeway: Duration) -> Self {
        let [issued_at, expires_at] = times(token);
        Self::between(issued_at, expires_at, leeway)
    }

    /// The lifetime of a token from a response at `received`, to the millisecond.
    pub(super) fn received(token: &Token, leeway: Duration, received: Duration) -> Self {
        let [issued_at, expires_at] = times(token);
        match (issued_at, expires_at) {
            (Some(issued_at), Some(expires_at)) if issued_at.as_secs() == received.as_secs() => {
                let expires_at = match expires_at.checked_sub(issued_at) {
                    Some(lifetime) => received.saturating_add(lifetime),
                    None => expires_at,
                };
                Self::between(Some(received), Some(expires_at), leeway)
            }
            _ => Self::between(issued_at, expires_at, leeway),
        }
    }

    fn between(
        issued_at: Option<Duration>,
        expires_at: Option<Duration>,
        leeway: Duration,
    ) -> Self {
        let Some(expires_at) = expires_at else {
            return Self::default();
        };
        let leeway = match issued_at {
            Some(issued_at) => leeway.min(expires_at.saturating_sub(issued_at) / 2),
            None => leeway,
        };
        Self {
            renew_at: UNIX_EPOCH.checked_add(expires_at.saturating_sub(leeway)),
            expires_at: Some(expires_at),
            is_zero: issued_at == Some(expires_at),
        }
    }

    /// Whether the token can be used and need not be renewed.
    pub(super) fn is_fresh_at(self, now: Duration) -> bool {
        match UNIX_EPOCH.checked_add(now) {
            Some(now) => self.is_fresh(now),
            None => self.renew_at.is_none(),
        }
    }

    /// Whether the server said that the token expires as it is issued.
    pub(super) fn is_zero(self) -> bool {
        self.is_zero
    }

    /// Whether the token can still be used.
    pub(super) fn is_alive_at(self, now: Duration) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

fn times(token: &Token) -> [Option<Duration>; 2] {
    [token.issued_at_unix(), token.expires_at_unix()].map(|time| time.map(Duration::from_secs))
}

/// State of a token as far as the decision depends on it, besides the time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_twin::{Token, lifecycle::{Decision, TokenState}};
///
/// let now = SystemTime::now();
/// let token = Token::new("t").with_expires_at(now).with_refresh_token("r");
/// let state = TokenState::new(Some(&token), Duration::from_secs(60));
/// assert_eq!(state.decide(now), Decision::Expired);
/// assert_eq!(state.renewable(true).decide(now), Decision::Renew);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokenState {
    /// The lifetime of the token, if there is a token.
    pub(super) lifetime: Option<Lifetime>,
    pub(super) policy: RefreshPolicy,
    /// Whether there is something to renew it with.
    pub(super) renewable: bool,
    /// Whether there is a store, which may have another token by now.
    pub(super) stored: bool,
    /// Whether a renewal is in flight.
    pub(super) in_flight: bool,
    /// Whether the next attempt has to wait, as one failed recently.
    pub(super) paced: bool,
    /// Whether an early renewal ended without a request recently: another process renews, or there is
    /// nothing new in the store, which may be down.
    pub(super) deferred: bool,
}

impl TokenState {
    /// The state of a token, or of none, that is to be renewed `leeway` before its end. It is neither
    /// renewable, nor in flight, nor paced; setters change that.
    pub fn new(token: Option<&Token>, leeway: Duration) -> Self {
        Self {
            lifetime: token.map(|token| Lifetime::new(token, leeway)),
            policy: RefreshPolicy::default(),
            renewable: false,
            stored: false,
            in_flight: false,
            paced: false,
            deferred: false,
        }
    }

    /// The occasions to renew the token. Defaults to its expiry and a 401.
    #[must_use]
    pub fn policy(self, policy: RefreshPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Whether there is a refresh token, or a grant that can be sent again.
    #[must_use]
    pub fn renewable(self, renewable: bool) -> Self {
        Self { renewable, ..self }
    }

    /// Whether a renewal is in flight.
    #[must_use]
    pub fn in_flight(self, in_flight: bool) -> Self {
        Self { in_flight, ..self }
    }

    /// Whether the next attempt has to wait, as one failed recently.
    #[must_use]
    pub fn paced(self, paced: bool) -> Self {
        Self { paced, ..self }
    }

    /// Decides what to do with the token.
    pub fn decide(self, now: SystemTime) -> Decision {
        decide(self, since_epoch(now))
    }
}

/// Decision in the life of a token.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_twin::lifecycle::{Decision, TokenState};
///
/// let state = TokenState::new(None, Duration::from_secs(60)).renewable(true);
/// match state.decide(SystemTime::now()) {
///     Decision::Use => println!("send the request"),
///     Decision::RenewEarly | Decision::Renew => println!("ask the token endpoint first"),
///     Decision::Wait => println!("wait for the renewal in flight"),
///     _ => println!("give up"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Use the token.
    Use,
    /// Renew the token, and use the old one if that fails or takes too long.
    RenewEarly,
    /// Obtain or renew the token: there is no usable one.
    Renew,
    /// Wait for the renewal in flight.
    Wait,
    /// Fail with the error of the last attempt, as the next one has to wait.
    Paced,
    /// Fail: there is no token, and none can be obtained.
    NoToken,
    /// Fail: the token has expired, and cannot be renewed.
    Expired,
}

/// The decision about a token at `now`.
pub(super) fn decide(state: TokenState, now: Duration) -> Decision {
    let TokenState {
        lifetime,
        policy,
        renewable,
        stored,
        in_flight,
        paced,
        deferred,
    } = state;
    match lifetime {
        Some(lifetime) if lifetime.is_fresh_at(now) || !policy.by_time() => Decision::Use,
        Some(lifetime) if lifetime.is_alive_at(now) => {
            if (renewable || stored) && !in_flight && !paced && !deferred {
                Decision::RenewEarly
            } else {
                Decision::Use
            }
        }
        // Servers send `expires_in: 0` with various meanings: a token that cannot be renewed is
        // used until it is refused. That there is a store renews nothing.
        Some(lifetime) if lifetime.is_zero && !renewable => Decision::Use,
        _ if in_flight => Decision::Wait,
        _ if paced => Decision::Paced,
        _ if renewable || stored => Decision::Renew,
        Some(_) => Decision::Expired,
        None => Decision::NoToken,
    }
}

#[cfg(test)]
mod tests {
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
            let lifetime = Lifetime::restored(&token(issued_at, expires_at), leeway);
            assert_eq!(
                lifetime.renew_at.map(|at| since_epoch(at).as_secs_f64()),
                renew_at,
                "{issued_at:?} {expires_at:?}"
            );
        }
        assert!(Lifetime::default().is_fresh_at(Duration::MAX));
        assert!(!Lifetime::OVER.is_fresh_at(Duration::MAX));
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(!Lifetime::OVER.is_fresh(before));
        assert!(Lifetime::restored(&token(Some(1000), Some(4600)), leeway).is_fresh(before));
        let end = 253_402_300_799;
        Lifetime::restored(&token(Some(end), Some(end)), Duration::MAX);
    }

    #[test]
    fn milliseconds_count_from_the_answer_on() {
        let leeway = Duration::from_secs(60);
        let received = Duration::from_millis(1_000_700);
        for (issued_at, expires_at, renew_at, end) in [
            (Some(1000), Some(1003), 1002.2, 1003.7),
            (Some(1000), Some(1001), 1001.2, 1001.7),
            (Some(1000), Some(4600), 4540.7, 4600.7),
            (Some(1000), Some(1000), 1000.7, 1000.7),
            // Negative, and not of this answer.
            (Some(1000), Some(999), 999.0, 999.0),
            (Some(900), Some(1003), 951.5, 1003.0),
            (None, Some(1003), 943.0, 1003.0),
        ] {
            let lifetime = Lifetime::received(&token(issued_at, expires_at), leeway, received);
            let times = [lifetime.renew_at.map(since_epoch), lifetime.expires_at];
            let times = times.map(|at| at.expect("a time").as_secs_f64());
            assert_eq!(times, [renew_at, end], "{issued_at:?} {expires_at:?}");
        }
    }

    #[test]
    fn the_whole_table() {
        use Decision::{Expired, NoToken, Paced, Renew, RenewEarly, Use, Wait};
        use RefreshPolicy::{Expiry, ExpiryAndUnauthorized, Never, Unauthorized};
        let lifetime = Lifetime {
            renew_at: Some(UNIX_EPOCH + Duration::from_secs(10)),
            expires_at: Some(Duration::from_secs(20)),
            is_zero: false,
        };
        let zero = Lifetime {
            renew_at: Some(UNIX_EPOCH + Duration::from_secs(10)),
            expires_at: Some(Duration::from_secs(10)),
            is_zero: true,
        };
        for policy in [ExpiryAndUnauthorized, Expiry, Unauthorized, Never] {
            for bits in 0..32 {
                let [renewable, stored, in_flight, paced, deferred] =
                    [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
                let may_renew = renewable || stored;
                let decision = |lifetime, now| {
                    let state = TokenState {
                        lifetime,
                        policy,
                        renewable,
                        stored,
                        in_flight,
                        paced,
                        deferred,
                    };
                    decide(state, Duration::from_secs(now))
                };
                let without = |ended| match (in_flight, paced, may_renew) {
                    (true, _, _) => Wait,
                    (_, true, _) => Paced,
                    (_, _, true) => Renew,
                    (_, _, false) => ended,
                };
                assert_eq!(decision(None, 0), without(NoToken));
                assert_eq!(decision(Some(lifetime), 9), Use);
                let by_time = matches!(policy, ExpiryAndUnauthorized | Expiry);
                let early = by_time && may_renew && !in_flight && !paced && !deferred;
                for now in [10, 19] {
                    let expected = if early { RenewEarly } else { Use };
                    assert_eq!(decision(Some(lifetime), now), expected);
                }
                for now in [20, 2000] {
                    let expected = if by_time { without(Expired) } else { Use };
                    assert_eq!(decision(Some(lifetime), now), expected);
                    let expected = match by_time && renewable {
                        true => without(Expired),
                        false => Use,
                    };
                    assert_eq!(decision(Some(zero), now), expected);
                }
                assert_eq!(decision(Some(Lifetime::default()), u64::MAX), Use);
            }
        }
    }
}
