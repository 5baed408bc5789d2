//! Wait after failed attempts to get a token.

use std::time::Duration;

use crate::{error::Error, random};

/// The wait after failures, by monotonic time, with the error of the last of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pacing(Option<Box<Failures>>);

/// The failures, of which there are seldom any.
#[derive(Clone, Debug, Default)]
struct Failures {
    count: u32,
    until: Duration,
    /// End of the `Retry-After` of the server.
    retry_after: Duration,
    error: Option<Error>,
    /// Whether the last token was refused as soon as it was issued.
    is_refused: bool,
}

impl Pacing {
    /// The shortest wait, which doubles with each failure…
    const FIRST: Duration = Duration::from_secs(1);
    /// … up to the longest, which only the server's own `Retry-After` exceeds…
    const LAST: Duration = Duration::from_secs(30);
    /// … up to this.
    const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

    /// Notes an attempt that failed at `now`, perhaps with a `Retry-After`.
    pub(crate) fn fail(&mut self, now: Duration, error: Error) {
        let failures = self.0.get_or_insert_default();
        let retry_after = error.retry_after().unwrap_or_default();
        let retry_after = retry_after.min(Self::LONGEST_RETRY_AFTER);
        let wait = Self::FIRST
            .saturating_mul(1 << failures.count.min(10))
            .min(Self::LAST)
            .max(retry_after);
        // Up to a quarter more, so that clients that failed together do not retry together.
        let more = random::jitter(wait / 4).unwrap_or_default();
        failures.count = failures.count.saturating_add(1);
        failures.until = now.saturating_add(wait).saturating_add(more);
        failures.retry_after = now.saturating_add(retry_after);
        failures.error = Some(error);
        failures.is_refused = false;
    }

    /// An attempt brought a token that is refused, which is no better than none. Many requests may
    /// say so of the same token.
    pub(crate) fn refuse(&mut self, now: Duration, error: Error) {
        if !self.is_active(now) {
            self.fail(now, error);
            if let Some(failures) = &mut self.0 {
                failures.is_refused = true;
            }
        }
    }

    /// The token that was refused before is not refused any more, or another is not.
    pub(crate) fn accept(&mut self) {
        self.0.take_if(|failures| failures.is_refused);
    }

    /// An attempt brought a token, which ends the wait. If the last one was refused, the failures
    /// count until this one is not.
    pub(crate) fn renew(&mut self) {
        match &mut self.0 {
            Some(failures) if failures.is_refused => {
                **failures = Failures {
                    count: failures.count,
                    is_refused: true,
                    ..Failures::default()
                };
            }
            _ => self.0 = None,
        }
    }

    /// The error of the last attempt, if the next one has to wait, with the remaining time.
    pub(crate) fn error(&self, now: Duration) -> Option<Error> {
        let failures = self.0.as_ref()?;
        failures.error_until(failures.until, now)
    }

    /// The same for an explicit attempt, which is delayed by `Retry-After` only.
    pub(crate) fn server_wish(&self, now: Duration) -> Option<Error> {
        let failures = self.0.as_ref()?;
        failures.error_until(failures.retry_after, now)
    }

    /// The same with little of what the server said.
    pub(crate) fn in_brief(&self) -> Self {
        let mut pacing = self.clone();
        if let Some(failures) = &mut pacing.0 {
            failures.error = failures.error.take().map(Error::in_brief);
        }
        pacing
    }

    /// End of the wait.
    pub(crate) fn end(&self) -> Option<Duration> {
        self.0.as_ref().map(|failures| failures.until)
    }

    pub(crate) fn is_active(&self, now: Duration) -> bool {
        self.0.as_ref().is_some_and(|failures| now < failures.until)
    }
}

impl Failures {
    fn error_until(&self, until: Duration, now: Duration) -> Option<Error> {
        let left = until.checked_sub(now).filter(|left| !left.is_zero())?;
        Some(self.error.clone()?.paced(left))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

    use super::*;
    use crate::error::ErrorResponse;

    fn error(retry_after: Option<&'static str>) -> Error {
        let mut headers = HeaderMap::new();
        if let Some(retry_after) = retry_after {
            headers.insert(RETRY_AFTER, retry_after.parse().expect("a header"));
        }
        Error::refused(ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, headers))
    }

    fn wait_at_least(pacing: &Pacing, now: Duration, wait: Duration) {
        let last = now + wait - Duration::from_millis(1);
        assert!(pacing.is_active(now) && pacing.is_active(last), "{wait:?}");
        let end = now + wait + wait / 4;
        assert!(!pacing.is_active(end), "{wait:?}");
        let error = pacing.error(now).expect("the last error");
        let left = error.retry_after().expect("when to try again");
        assert!(left >= wait && now + left <= end, "{left:?}");
        assert!(pacing.error(end).is_none());
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_waits() {
        let mut pacing = Pacing::default();
        assert!(!pacing.is_active(Duration::ZERO) && pacing.error(Duration::ZERO).is_none());
        let mut now = Duration::from_secs(1000);
        for wait in [1, 2, 4, 8, 16, 30, 30, 30].map(Duration::from_secs) {
            pacing.fail(now, error(None));
            wait_at_least(&pacing, now, wait);
            assert!(pacing.server_wish(now).is_none());
            now += wait * 2;
        }
    }

    #[test]
    fn the_server_s_wish_counts_up_to_five_minutes() {
        let now = Duration::from_secs(1000);
        for (said, wait) in [("60", 60), ("600", 300), ("31536000", 300), ("0", 1)] {
            let (mut pacing, wait) = (Pacing::default(), Duration::from_secs(wait));
            pacing.fail(now, error(Some(said)));
            wait_at_least(&pacing, now, wait);
            let wish = pacing
                .server_wish(now)
                .and_then(|error| error.retry_after());
            assert_eq!(wish, Some(wait).filter(|_| said != "0"), "{said}");
        }
    }
}
