use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
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

/// `time` as a duration since 1970. Earlier times are 0.
pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
