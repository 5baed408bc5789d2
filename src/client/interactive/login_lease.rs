//! The lease of the store during a login, for which other processes wait.

use std::{sync::Arc, time::Duration};

use super::super::{maybe_async, run_in_background, store_sync::StoreSync, wait_for};
use crate::{error::Result, lifecycle::reconcile::HeldLease, signal::Signal};

/// Least interval at which the lease is acquired again.
const INTERVAL: Duration = Duration::from_secs(3);

/// Intervals after which a lease ends that is not acquired again.
const INTERVALS: u32 = 3;

/// First wait before it is requested again, if another process was faster, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Lease of the store for as long as the user takes to log in. The store of a process that is killed
/// meanwhile is to be free soon after.
pub(super) enum LoginLease {
    /// Lease that ends with its process.
    OfProcess(StoreSync, HeldLease),
    /// Lease that may end by its time alone. It is short, and a task or thread of its own acquires it
    /// again and again.
    Repeated(RepeatedLease),
}

/// Lease that is acquired again and again until this is dropped.
pub(super) struct RepeatedLease {
    signals: Arc<Signals>,
    /// Limit of the wait for its end.
    limit: Duration,
}

#[derive(Default)]
struct Signals {
    /// Set when the login has ended.
    ending: Signal<()>,
    /// Set when the lease is released.
    released: Signal<()>,
}

/// Task or thread that acquires the lease again. When it is dropped, in whatever way, nobody waits for
/// the release any longer.
struct Repeating(Arc<Signals>);

impl Drop for Repeating {
    fn drop(&mut self) {
        self.0.released.set(());
    }
}

impl Drop for RepeatedLease {
    fn drop(&mut self) {
        self.signals.ending.set(());
    }
}

impl LoginLease {
    /// The time of a lease that is acquired again and again.
    pub(super) fn time(sync: &StoreSync) -> Duration {
        interval(sync).saturating_mul(INTERVALS)
    }

    /// Keeps a lease that was acquired for that time, until it is released or dropped.
    pub(super) fn keep(sync: StoreSync, lease: HeldLease) -> Self {
        if lease.ends_with_process() {
            return Self::OfProcess(sync, lease);
        }
        let signals = Arc::<Signals>::default();
        // It may be acquired once more before it is released.
        let limit = sync.call_limit().saturating_mul(3);
        let repeating = Repeating(signals.clone());
        run_in_background(move || repeat(sync, lease, repeating));
        Self::Repeated(RepeatedLease { signals, limit })
    }

    /// Whether others may get it for a moment during the login.
    pub(super) fn is_repeated(&self) -> bool {
        matches!(self, Self::Repeated(_))
    }
}

#[maybe_async]
impl LoginLease {
    pub(super) async fn release(self) {
        match self {
            Self::OfProcess(sync, lease) => sync.release(Some(lease)).await,
            Self::Repeated(lease) => {
                lease.signals.ending.set(());
                let limit = lease.limit;
                wait_for(&lease.signals.released, limit).await;
            }
        }
    }
}

/// Acquires the lease again until the login has ended. No store can extend one, so it is released for
/// a moment, in which another process may get it.
#[maybe_async]
async fn repeat(sync: StoreSync, lease: HeldLease, repeating: Repeating) -> Result<()> {
    let (time, interval) = (LoginLease::time(&sync), interval(&sync));
    let (mut lease, mut wait) = (Some(lease), interval);
    while wait_for(&repeating.0.ending, wait).await.is_none() {
        let had_lease = lease.is_some();
        // A renewal has got it, and keeps it until its token is stored.
        if !had_lease && sync.has_lease() {
            wait = interval;
            continue;
        }
        sync.release(lease.take()).await;
        let acquired = sync.try_lease_for(time).await;
        wait = match acquired {
            Ok(Some(acquired)) => {
                lease = Some(acquired);
                interval
            }
            // It releases the lease as soon as it sees that the login goes on.
            Ok(None) if had_lease => FIRST_WAIT,
            Ok(None) => (wait * 2).min(interval),
            // The user logs in all the same, and the token is stored without it.
            Err(_) => interval,
        };
    }
    sync.release(lease).await;
    drop(repeating);
    Ok(())
}

/// The interval at which the lease is acquired again: longer than that takes.
fn interval(sync: &StoreSync) -> Duration {
    sync.call_limit().max(INTERVAL)
}
