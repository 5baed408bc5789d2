//! Many children and many users: the longest pauses, and lookups.

mod support;

use std::time::{Duration, Instant};

use support::{
    BenchResult,
    clients::{Ours, long_token},
    is_bench_run,
    users::{name, users},
};
use tokio::runtime::{Builder, Runtime};

const CHILDREN: usize = 100_000;
const ROUNDS: usize = 5;

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    pauses()?;
    users_in_memory(&runtime)
}

/// The least times of each of many calls in some rounds: what a call does in each round remains, and
/// what the system does meanwhile does not.
struct Calls(Vec<Times>);

#[derive(Clone, Copy)]
struct Times {
    wall: Duration,
    cpu: Duration,
}

impl Calls {
    fn new(count: usize) -> Self {
        let never = Times {
            wall: Duration::MAX,
            cpu: Duration::MAX,
        };
        Self(vec![never; count])
    }

    fn time<T>(&mut self, n: usize, call: impl FnOnce() -> T) -> T {
        let (started, used) = (Instant::now(), cpu_time());
        let value = call();
        let cpu = cpu_time().saturating_sub(used);
        let Times { wall, cpu: least } = &mut self.0[n];
        *least = cpu.min(*least);
        *wall = started.elapsed().min(*wall);
        value
    }

    /// The longest call.
    fn longest(&self) -> String {
        let milliseconds = |time: fn(&Times) -> Duration| {
            let longest = self.0.iter().map(time).max();
            longest.unwrap_or_default().as_secs_f64() * 1e3
        };
        format!(
            "{:.3} ms of CPU time, {:.3} ms by the wall clock",
            milliseconds(|it| it.cpu),
            milliseconds(|it| it.wall)
        )
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

/// The longest single `for_token`.
fn pauses() -> BenchResult {
    let mut calls = Calls::new(CHILDREN);
    for _ in 0..ROUNDS {
        let parent = Ours::NothingToRenew.asynchronous()?;
        let mut kept = Vec::with_capacity(CHILDREN);
        for n in 0..CHILDREN {
            let token = long_token().with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"));
            kept.push(calls.time(n, || parent.for_token(token)));
        }
    }
    println!("the longest for_token of {CHILDREN}: {}", calls.longest());
    Ok(())
}

/// The lookup of a user among few and among many, and the longest single one with those that are new.
fn users_in_memory(runtime: &Runtime) -> BenchResult {
    let mut lookups = Vec::new();
    for count in [1000, CHILDREN] {
        let mut client = users(count)?;
        let mut calls = Calls::new(count);
        for _ in 0..ROUNDS {
            client = users(count)?;
            for n in 0..count {
                let name = name(n);
                let user = calls.time(n, || client.for_user(&name));
                runtime.block_on(user.ensure_active_token())?;
            }
        }
        let names: Vec<_> = (0..CHILDREN).map(|n| name(n % count)).collect();
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
        println!(
            "the longest of a new one among {count}: {}",
            calls.longest()
        );
        lookups.push(each);
    }
    println!(
        "among {CHILDREN} beside among 1000: {:.2}",
        lookups[1] / lookups[0]
    );
    Ok(())
}
