use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Source of the current time: the system clock, or one of your own in tests.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_twin::Clock;
///
/// // In a test: one hour ahead, so that a token with a lifetime of half an hour has expired.
/// let later = Clock::from_fn(|| SystemTime::now() + Duration::from_secs(3600));
/// assert!(later.now() > Clock::system().now());
/// ```
#[derive(Clone, Default)]
#[doc(alias = "mock")]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Custom(Arc<Custom>),
}

struct Custom {
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    /// The latest time that was read, in nanoseconds since 1970.
    latest: AtomicU64,
}

impl Clock {
    /// The system clock, which is the default.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that calls `now` for each reading. Waits between attempts are measured by the latest
    /// time that it has returned, so that they end even if it is set back.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Source::Custom(Arc::new(Custom {
            now: Box::new(now),
            latest: AtomicU64::new(0),
        })))
    }

    /// Whether no code of the user's is called.
    #[allow(dead_code, reason = "only the clients need it")]
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// The current time.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Custom(custom) => (custom.now)(),
        }
    }

    /// Monotonic time since an arbitrary moment, for measuring waits. If a custom clock is set back,
    /// its time stands still until it has caught up.
    pub fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Source::System => START.elapsed(),
            Source::Custom(custom) => {
                let nanos = u64::try_from(self.unix().as_nanos()).unwrap_or(u64::MAX);
                let before = custom.latest.fetch_max(nanos, Ordering::Relaxed);
                Duration::from_nanos(before.max(nanos))
            }
        }
    }

    /// The current time as a duration since 1970. A clock before 1970 reads as 1970.
    pub(crate) fn unix(&self) -> Duration {
        since_epoch(self.now())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock(system)",
            Source::Custom(_) => "Clock(custom)",
        })
    }
}

/// Smallest difference of the clocks that is corrected: the time of a server has whole seconds, and
/// its response took a while.
const SMALLEST_DIFFERENCE: u64 = 5;

/// Largest difference that is corrected: a wrong time zone is an hour or some, more is no clock.
const LARGEST_DIFFERENCE: u64 = 24 * 60 * 60;

/// Difference between the clock of one server and that of the client, in seconds: for the times in
/// what is signed for that server, and for nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockOffset(Option<Arc<AtomicI64>>);

#[allow(dead_code, reason = "only the clients see the clock of a server")]
impl ClockOffset {
    /// A difference that can be corrected, and is none so far.
    pub(crate) fn correctable() -> Self {
        Self(Some(Arc::default()))
    }

    /// The time at the server.
    pub(crate) fn at_server(&self, now: Duration) -> Duration {
        let seconds = self.0.as_ref().map_or(0, |it| it.load(Ordering::Relaxed));
        let difference = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => now.saturating_sub(difference),
            false => now.saturating_add(difference),
        }
    }

    /// Takes over the time of the server, if that differs from the time that was signed. Returns
    /// the new difference in seconds.
    pub(crate) fn correct(&self, at_server: Duration, now: Duration) -> Option<i64> {
        let offset = self.0.as_ref()?;
        let signed = self.at_server(now);
        if signed.abs_diff(at_server).as_secs() <= SMALLEST_DIFFERENCE
            || now.abs_diff(at_server).as_secs() > LARGEST_DIFFERENCE
        {
            return None;
        }
        let [at_server, now] = [at_server, now].map(|time| i64::try_from(time.as_secs()));
        let difference = at_server.ok()? - now.ok()?;
        offset.store(difference, Ordering::Relaxed);
        Some(difference)
    }
}

/// `time` as a duration since 1970. Earlier times are 0.
pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_server_is_taken_over_within_bounds() {
        let seconds = Duration::from_secs;
        let now = seconds(1_000_000);
        for (at_server, difference) in [
            (1_000_000, None),
            (1_000_005, None),
            (999_995, None),
            (1_000_006, Some(6)),
            (999_994, Some(-6)),
            (1_003_600, Some(3600)),
            (1_086_400, Some(86_400)),
            (913_600, Some(-86_400)),
            (1_086_401, None),
            (913_599, None),
            (0, None),
        ] {
            let offset = ClockOffset::correctable();
            assert_eq!(offset.at_server(now), now);
            assert_eq!(
                offset.correct(seconds(at_server), now),
                difference,
                "{at_server}"
            );
            let corrected = difference.map_or(now, |_| seconds(at_server));
            assert_eq!(offset.at_server(now), corrected, "{at_server}");
            // The same difference is no news.
            assert_eq!(offset.correct(corrected, now), None);
        }
        let fixed = ClockOffset::default();
        assert_eq!(fixed.correct(seconds(1_003_600), now), None);
        assert_eq!(fixed.at_server(now), now);
    }

    #[test]
    fn a_clock_that_was_set_right_is_followed() {
        let offset = ClockOffset::correctable();
        let [wrong, right] = [Duration::from_secs(1_000), Duration::from_secs(4_600)];
        assert_eq!(offset.correct(right, wrong), Some(3600));
        assert_eq!(offset.at_server(wrong), right);
        assert_eq!(offset.correct(right, right), Some(0));
        assert_eq!(offset.at_server(right), right);
    }

    #[test]
    fn the_monotonic_time_of_a_clock_that_is_set_back_stands() {
        let time = Arc::new(AtomicU64::new(1000));
        let source = time.clone();
        let clock =
            Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(source.load(Ordering::SeqCst)));
        for (set, unix, monotonic) in [(1000, 1000, 1000), (10, 10, 1000), (1001, 1001, 1001)] {
            time.store(set, Ordering::SeqCst);
            let [unix, monotonic] = [unix, monotonic].map(Duration::from_secs);
            assert_eq!((clock.unix(), clock.monotonic()), (unix, monotonic));
        }
        let [first, second] = [(); 2].map(|()| Clock::system().monotonic());
        assert!(first <= second);
    }
}
