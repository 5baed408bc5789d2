//! Thousands of tasks and hundreds of threads that use tokens of 1 and of 3 seconds by the system's
//! clock, while the token endpoint, the token stores and `update_token` have faults, callers are
//! aborted, runtimes stop, and clients are closed.
//!
//! ```text
//! cargo run --features async,blocking --example soak -- [SECONDS [SEED]]
//! ```
//!
//! It fails if a token was lost, a refresh token was used again without cause, an expired token was
//! handed out, a call hung, a client could not be closed, or a task, a thread or a file descriptor
//! leaked. The seed determines what goes wrong; who meets it depends on the scheduling, too.

#![allow(
    unreachable_pub,
    reason = "an example has no outside, and its modules are its own"
)]

use std::{
    error::Error,
    ops::Range,
    panic,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::timeout,
};

#[path = "soak/callers/mod.rs"]
mod callers;
#[path = "soak/counters.rs"]
mod counters;
#[path = "soak/ledger.rs"]
mod ledger;
#[path = "soak/process.rs"]
mod process;
#[path = "soak/provider.rs"]
mod provider;
#[path = "soak/random.rs"]
mod random;
#[path = "soak/report.rs"]
mod report;
#[path = "soak/services.rs"]
mod services;
#[path = "soak/stores.rs"]
mod stores;

use callers::{
    asynchronous,
    blocking::{self, Threads},
};
use counters::{CLIENT_TIMEOUT, CLOSE_TIMEOUT, EXPIRED_IN_TRANSIT, SLACK, Soak};
use process::Held;
use report::Report;
use services::{AsyncService, BlockingService, PlannedPanic, User};

/// Tasks that call in the async mode.
const TASKS: usize = 2000;
/// Threads that call in the blocking mode.
const THREADS: usize = 200;
/// Clients of each mode with a token of their own in a store.
const STORES: usize = 4;
/// Callers of each such client, among the above.
const CALLERS_OF_A_STORE: usize = 10;
/// Further tasks for each of the users whose leaders are left without a runtime.
const CALLERS_BESIDE_UNDRIVEN: usize = 5;
/// Limit of the time in which callers end: `close` lasts longest.
const JOIN_TIMEOUT: Duration =
    Duration::from_secs(2 * CLOSE_TIMEOUT.as_secs() + 2 * SLACK.as_secs());
/// Limit of the time in which tasks, threads and file descriptors go after everything was closed.
const LEAK_GRACE: Duration = Duration::from_secs(15);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(10), |it| it.parse())?;
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = match arguments.next() {
        Some(seed) => seed.parse()?,
        None => u64::from(clock()?.subsec_nanos()),
    };
    println!("soak of {seconds} s, seed {seed}");
    silence_planned_panics();

    let soak = Soak::new(seed);
    let address = provider::start(&soak)?;
    soak.provider.set(address).expect("one provider");
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .thread_keep_alive(Duration::from_millis(500))
        .enable_all()
        .build()?;
    let before = Held::now(runtime.handle());

    let folder = std::env::temp_dir().join(format!("oauth-twin-soak-{}", std::process::id()));
    let services = Services::start(&soak, &folder)?;
    let time = Duration::from_secs(seconds);
    services.run(&soak, &runtime, time);
    let least = services.least_requests(time);
    services.close(&soak, &runtime);
    drop(services);
    std::fs::remove_dir_all(&folder)?;

    let began = Instant::now();
    let mut after = Held::now(runtime.handle());
    while !after.is_back_to(&before) && began.elapsed() < LEAK_GRACE {
        thread::sleep(Duration::from_millis(50));
        after = Held::now(runtime.handle());
    }
    let report = Report {
        soak: &soak,
        least,
        before,
        after,
    };
    print!("{report}");
    // What hangs would hang here, too.
    runtime.shutdown_background();
    Ok(match report.failures().is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The clients.
struct Services {
    asynchronous: Vec<Arc<AsyncService>>,
    blocking: Vec<Arc<BlockingService>>,
    /// Their renewals are led in runtimes that stop.
    undriven: Arc<AsyncService>,
}

impl Services {
    fn start(soak: &Arc<Soak>, folder: &Path) -> Outcome<Self> {
        let users = |first, count| User::several(first, count, soak);
        let of_stores = |first: usize| (first..first + STORES).map(|number| users(number, 1));
        let mut asynchronous = AsyncService::with_stores(of_stores(0).collect(), folder, soak)?;
        for first in (100..160).step_by(15) {
            asynchronous.push(AsyncService::with_children(users(first, 15), soak)?);
        }
        let mut blocking = BlockingService::with_stores(of_stores(200).collect(), folder, soak)?;
        for first in (300..324).step_by(12) {
            blocking.push(BlockingService::with_children(users(first, 12), soak)?);
        }
        Ok(Self {
            asynchronous,
            blocking,
            undriven: AsyncService::with_children(users(400, 4), soak)?,
        })
    }

    /// Lets callers call for `time`, and waits for them.
    fn run(&self, soak: &Arc<Soak>, runtime: &Runtime, time: Duration) {
        let (mut tasks, mut threads) = (JoinSet::new(), Threads::default());
        let main = runtime.handle();
        for (n, service) in self.asynchronous.iter().enumerate() {
            let owned = || (soak.clone(), service.clone());
            for caller in callers_of(n, self.asynchronous.len(), TASKS) {
                let (soak, service) = owned();
                let calling = asynchronous::run_caller(soak, service, caller);
                tasks.spawn_on(calling, main);
            }
            let (soak, service) = owned();
            tasks.spawn_on(asynchronous::run_restarts(soak, service, n), main);
        }
        for (n, service) in self.blocking.iter().enumerate() {
            let owned = || (soak.clone(), service.clone());
            for caller in callers_of(n, self.blocking.len(), THREADS) {
                let (soak, service) = owned();
                threads.spawn(move || blocking::run_caller(&soak, &service, caller));
            }
            let (soak, service) = owned();
            threads.spawn(move || blocking::run_restarts(&soak, &service, n));
        }
        for n in 0..self.undriven.users.len() {
            let owned = || (soak.clone(), self.undriven.clone());
            for caller in 0..CALLERS_BESIDE_UNDRIVEN {
                let (soak, service) = owned();
                let number = TASKS + caller * self.undriven.users.len() + n;
                tasks.spawn_on(asynchronous::run_caller(soak, service, number), main);
            }
            let ((soak, service), main) = (owned(), main.clone());
            threads
                .spawn(move || asynchronous::lead_in_undriven_runtimes(&soak, &service, n, &main));
        }
        thread::sleep(time);
        soak.stopping.store(true, Ordering::SeqCst);
        let mut hung = threads.join_for(JOIN_TIMEOUT);
        let all = async {
            while let Some(joined) = tasks.join_next().await {
                joined.expect("a task of this program");
            }
        };
        let joined = runtime.block_on(async { timeout(JOIN_TIMEOUT, all).await });
        hung += joined.map_or_else(|_elapsed| tasks.len(), |()| 0);
        soak.counters.hung.fetch_add(hung, Ordering::SeqCst);
    }

    /// Closes all clients, without further faults.
    fn close(&self, soak: &Soak, runtime: &Runtime) {
        soak.faultless.store(true, Ordering::SeqCst);
        let close_async = |service| runtime.block_on(asynchronous::close(soak, service));
        let asynchronous = self.asynchronous.iter().chain([&self.undriven]);
        let asynchronous = asynchronous.map(|service| retry(|| close_async(service)));
        let blocking = self.blocking.iter();
        let blocking = blocking.map(|service| retry(|| blocking::close(soak, service)));
        let unclosed = asynchronous
            .chain(blocking)
            .filter(|closed| !closed)
            .count();
        soak.counters.unclosed.fetch_add(unclosed, Ordering::SeqCst);
    }

    /// Least number of token requests in `time`.
    fn least_requests(&self, time: Duration) -> f64 {
        let asynchronous = self.asynchronous.iter().chain([&self.undriven]);
        let asynchronous = asynchronous.map(|service| &service.users);
        let blocking = self.blocking.iter().map(|service| &service.users);
        let users = asynchronous.chain(blocking).flat_map(|users| users.iter());
        users.map(|user| user.least_requests(time)).sum()
    }
}

/// Whether `work` succeeds, as a call that hangs or fails for the last time may be in its way.
fn retry(work: impl FnMut() -> bool) -> bool {
    std::iter::repeat_with(work).take(3).any(|done| done)
}

/// The numbers of the callers of the n-th of `services`, of which the first have stores.
fn callers_of(n: usize, services: usize, callers: usize) -> Range<usize> {
    let others = (callers - STORES * CALLERS_OF_A_STORE) / (services - STORES);
    match n {
        0..STORES => n * CALLERS_OF_A_STORE..(n + 1) * CALLERS_OF_A_STORE,
        _ => {
            let first = STORES * CALLERS_OF_A_STORE + (n - STORES) * others;
            first..first + others
        }
    }
}

/// Hooks panic on purpose, which is not worth a line each.
fn silence_planned_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<PlannedPanic>() {
            print(info);
        }
    }));
}
