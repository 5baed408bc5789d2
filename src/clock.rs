use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where a client reads the time from: the system's clock, or one of your own in tests.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use oauth_twin::Clock;
///
/// // In a test: an hour from now, so that a token of half an hour has expired.
/// let later = Clock::from_fn(|| SystemTime::now() + Duration::from_secs(3600));
/// assert!(later.now() > Clock::system().now());
/// ```
#[derive(Clone, Default)]
pub struct Clock(Source);

type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Custom(Now),
}

impl Clock {
    /// The system's clock, which is the default.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that asks `now` each time.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Source::Custom(Arc::new(now)))
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Custom(now) => now(),
        }
    }

    /// The time now as a duration since 1970; a clock that stands before 1970 reads as 1970.
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

/// `time` as a duration since 1970, at the least 0.
pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}
