//! Many children and many users: the longest pauses, and lookups.

mod support;

use std::{
    fmt,
    time::{Duration, Instant},
};

use support::{
    BenchResult,
    clients::{Ours, long_token},
    is_bench_run,
    users::{name, users},
};
use tokio::runtime::{Builder, Runtime};

const CHILDREN: usize = 100_000;

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    pauses()?;
    users_in_memory(&runtime)
}

/// The longest single call.
#[derive(Clone, Copy)]
struct Longest {
    wall: Duration,
    cpu: Duration,
}

impl Longest {
    const NONE: Self = Self {
        wall: Duration::ZERO,
        cpu: Duration::ZERO,
    };

    fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let (started, used) = (Instant::now(), cpu_time());
        let value = call();
        self.cpu = self.cpu.max(cpu_time().saturating_sub(used));
        self.wall = self.wall.max(started.elapsed());
        value
    }

    /// The less of both rounds, as the system may interrupt one.
    fn or_less(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => Self {
                wall: self.wall.min(other.wall),
                cpu: self.cpu.min(other.cpu),
            },
            None => self,
        }
    }
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [wall, cpu] = [self.wall, self.cpu].map(|time| time.as_secs_f64() * 1e3);
        write!(f, "{cpu:.3} ms of CPU time, {wall:.3} ms by the wall clock")
    }
}

/// CPU time of this thread, which other processes do not lengthen.
#[cfg(unix)]
fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// There is none to be had.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}

/// The longest single `for_token`, of the best of three rounds.
fn pauses() -> BenchResult {
    let mut longest = None;
    for _ in 0..3 {
        let parent = Ours::NothingToRenew.asynchronous()?;
        let mut kept = Vec::with_capacity(CHILDREN);
        let mut slowest = Longest::NONE;
        for n in 0..CHILDREN {
            let token = long_token().with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"));
            kept.push(slowest.time(|| parent.for_token(token)));
        }
        longest = Some(slowest.or_less(longest));
    }
    if let Some(longest) = longest {
        println!("the longest for_token of {CHILDREN}: {longest}");
    }
    Ok(())
}

/// The lookup of a user among few and among many, and the longest single one with those that are new.
fn users_in_memory(runtime: &Runtime) -> BenchResult {
    let mut lookups = Vec::new();
    for count in [1000, CHILDREN] {
        let client = users(count)?;
        let mut longest = None;
        for round in 0..3 {
            let mut slowest = Longest::NONE;
            for n in 0..count {
                let name = name(count * round + n);
                let user = slowest.time(|| client.for_user(&name));
                runtime.block_on(user.ensure_active_token())?;
            }
            longest = Some(slowest.or_less(longest));
        }
        let names: Vec<_> = (0..CHILDREN).map(|n| name(2 * count + n % count)).collect();
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            for name in &names {
                std::hint::black_box(client.for_user(name));
            }
            best = best.min(started.elapsed());
        }
        let each = best.as_secs_f64() * 1e9 / CHILDREN as f64;
        println!("for_user among {count}: {each:.0} ns");
        if let Some(longest) = longest {
            println!("the longest of a new one among {count}: {longest}");
        }
        lookups.push(each);
    }
    println!(
        "among {CHILDREN} beside among 1000: {:.2}",
        lookups[1] / lookups[0]
    );
    Ok(())
}
