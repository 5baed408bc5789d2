//! Many children, and many tasks on one expired token: pauses, allocations and memory. Fails where a
//! goal is missed that does not depend on the machine.

mod support;

use std::time::{Duration, Instant, UNIX_EPOCH};

use allocation_counter::{AllocationInfo, measure};
use oauth_twin::{AsyncOAuth2Client, Token};
use support::{
    BenchResult,
    clients::{LONG_ACCESS_TOKEN, Ours, long_token},
    is_bench_run,
    server::Server,
    users::{name, users},
};
use tokio::runtime::{Builder, Runtime};

const CHILDREN: usize = 100_000;
const RENEWALS: usize = 1000;
const TASKS: usize = 10_000;

fn main() -> BenchResult {
    if !is_bench_run() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    pauses()?;
    users_in_memory(&runtime)?;
    renewals(&runtime)?;
    storm(&runtime)
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

fn expired(n: usize) -> Token {
    long_token()
        .with_refresh_token(format!("tGzv3JOkF0XG5Qx2TlKW{n}"))
        .with_issued_at(UNIX_EPOCH)
        .with_expires_at(UNIX_EPOCH + Duration::from_secs(1))
}

fn client(delay: Duration) -> BenchResult<(Server, AsyncOAuth2Client)> {
    let server = Server::with_tokens(delay, |n| {
        format!(
            r#"{{"access_token":"{LONG_ACCESS_TOKEN}","token_type":"Bearer","expires_in":3600,"refresh_token":"2YotnFZFEjr1zCsicM{n:04}"}}"#
        )
    })?;
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(server.url("/token"))
        .build()?;
    Ok((server, client))
}

/// Children that are renewed and dropped.
fn renewals(runtime: &Runtime) -> BenchResult {
    let (server, client) = client(Duration::ZERO)?;
    let renew = |numbers: std::ops::Range<usize>| -> BenchResult<AllocationInfo> {
        let mut done = Ok(());
        let info = measure(|| {
            done = runtime.block_on(async {
                for n in numbers {
                    client.for_token(expired(n)).ensure_active_token().await?;
                }
                Ok(())
            });
        });
        done.map(|()| info)
    };
    // Connections and buffers are there from the second time on.
    renew(0..10)?;
    let info = renew(10..10 + RENEWALS)?;
    assert_eq!(server.token_requests(), 10 + RENEWALS);
    println!(
        "a child, its token's making and its renewal: {} allocations; dropped: {} bytes held",
        info.count_total / RENEWALS as u64,
        info.bytes_current / RENEWALS as i64
    );
    Ok(())
}

/// Memory of tasks that wait in `send` for the renewal of one token.
fn storm(runtime: &Runtime) -> BenchResult {
    const DELAY: Duration = Duration::from_secs(2);
    let (server, client) = client(DELAY)?;
    let child = client.for_token(expired(0));
    let info = measure(|| {
        runtime.block_on(async {
            let send = |_| tokio::spawn(child.get("https://api.example/").send());
            let tasks: Vec<_> = (0..TASKS).map(send).collect();
            tokio::time::sleep(DELAY / 2).await;
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
        });
    });
    assert_eq!(server.token_requests(), 1);
    println!(
        "{TASKS} tasks on one expired token: 1 request, {:.1} MB",
        info.bytes_max as f64 / 1e6
    );
    Ok(())
}
