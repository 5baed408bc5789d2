//! Used refresh tokens, and the time for which each leads to what came for it.

use std::{sync::Arc, time::Duration};

use super::pages::PagePlace;
use crate::lifecycle::{now::Now, published::Published};

/// What a used refresh token leads to, until that time.
#[derive(Debug)]
pub(super) enum Used {
    /// The token that came for it.
    Token(Until, Arc<Published>),
    /// The same after all handles on the slot of that have gone.
    Packed(Until, PagePlace),
}

impl Used {
    pub(super) fn is_over(&self, now: Now) -> bool {
        match self {
            Self::Token(until, _) | Self::Packed(until, _) => until.is_over(now),
        }
    }
}

/// Time for which a used refresh token leads to its successor, by monotonic time: requests that
/// loaded their row before the renewal are done by then.
pub(super) const SPENT: Duration = Duration::from_secs(60);

/// End of a time, often of [`SPENT`], by monotonic time in whole seconds. It is small, as each entry
/// of the table has room for it, and a sweep reads it there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(u32);

impl Until {
    pub(super) fn spent(now: Now) -> Self {
        Self::at(now.monotonic.saturating_add(SPENT))
    }

    /// By monotonic time.
    pub(super) fn at(end: Duration) -> Self {
        let begun = u32::from(end.subsec_nanos() > 0);
        Self(low(end).wrapping_add(begun))
    }

    /// Whether the two are at most [`SPENT`] apart.
    pub(super) fn is_near(self, other: Self) -> bool {
        let apart = self.0.wrapping_sub(other.0);
        u64::from(apart.min(apart.wrapping_neg())) <= SPENT.as_secs()
    }

    /// The later one of two that are less than 68 years apart.
    pub(super) fn max(self, other: Self) -> Self {
        match self.0.wrapping_sub(other.0) <= u32::MAX / 2 {
            true => self,
            false => other,
        }
    }

    /// Whether the time is over. Both are less than 68 years apart, so that it does not matter when
    /// the seconds begin anew.
    pub(super) fn is_over(self, now: Now) -> bool {
        low(now.monotonic).wrapping_sub(self.0) <= u32::MAX / 2
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the rest does not count")]
fn low(time: Duration) -> u32 {
    time.as_secs() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_refresh_token_leads_to_its_successor_for_a_minute_whenever_that_is() {
        let millis = Duration::from_millis;
        let around = u64::from(u32::MAX) * 1000;
        for began in [
            0,
            1,
            999,
            around - 30_000,
            around - 60_000,
            around + 1,
            u64::MAX / 4,
        ] {
            let at = |after| Now {
                monotonic: millis(began + after),
                ..Now::default()
            };
            let until = Until::spent(at(0));
            for after in [0, 1, 59_999] {
                assert!(!until.is_over(at(after)), "{began} {after}");
            }
            for after in [61_000, 3_600_000, 1_000_000_000] {
                assert!(until.is_over(at(after)), "{began} {after}");
            }
            assert_eq!(until.is_over(at(60_000)), began % 1000 == 0, "{began}");
        }
    }
    #[test]
    fn ends_are_compared_whenever_the_seconds_begin_anew() {
        for end in [0, 7, u32::MAX, u32::MAX - 30, u32::MAX / 2] {
            let after = |seconds| Until(end.wrapping_add(seconds));
            for (seconds, near) in [(0, true), (60, true), (61, false), (u32::MAX / 2, false)] {
                assert_eq!(after(seconds).is_near(after(0)), near, "{end} {seconds}");
                assert_eq!(after(0).is_near(after(seconds)), near, "{end} {seconds}");
                assert_eq!(after(seconds).max(after(0)).0, after(seconds).0);
                assert_eq!(after(0).max(after(seconds)).0, after(seconds).0);
            }
        }
    }
}
