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

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    pauses()?;
    users_in_memory(&runtime)
}

/// The longest single `for_token`. The best of three rounds, as the system may interrupt one.
fn pauses() -> BenchResult {
    let mut longest = Duration::MAX;
    for _ in 0..3 {
        let parent = Ours::NothingToRenew.asynchronous()?;
        let mut kept = Vec::with_capacity(CHILDREN);
        let mut slowest = Duration::ZERO;
        for n in 0..CHILDREN {
            let token = long_token().with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"));
            let started = Instant::now();
            let child = parent.for_token(token);
            slowest = slowest.max(started.elapsed());
            kept.push(child);
        }
        longest = longest.min(slowest);
    }
    println!(
        "the longest for_token of {CHILDREN}: {:.3} ms",
        longest.as_secs_f64() * 1e3
    );
    Ok(())
}

/// The lookup of a user among few and among many, and the longest single one with those that are new.
fn users_in_memory(runtime: &Runtime) -> BenchResult {
    let mut lookups = Vec::new();
    for count in [1000, CHILDREN] {
        let client = users(count)?;
        let mut longest = Duration::MAX;
        for round in 0..3 {
            let mut slowest = Duration::ZERO;
            for n in 0..count {
                let name = name(count * round + n);
                let started = Instant::now();
                let user = client.for_user(&name);
                slowest = slowest.max(started.elapsed());
                runtime.block_on(user.ensure_active_token())?;
            }
            longest = longest.min(slowest);
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
        println!(
            "for_user among {count}: {each:.0} ns; the longest of a new one: {:.3} ms",
            longest.as_secs_f64() * 1e3
        );
        lookups.push(each);
    }
    println!(
        "among {CHILDREN} beside among 1000: {:.2}",
        lookups[1] / lookups[0]
    );
    Ok(())
}
