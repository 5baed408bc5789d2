//! The token store: of all processes that share it one renews, and the others load the new token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Store,
    gate::Gate,
    in_callback, maybe_async, run_detached_for, run_in_background,
    shared::Shared,
    sleep,
    waiting::{Deadline, STORE_CALL, is_set_until},
    with_timeout,
};
use crate::{
    error::{BoxError, Error, Result},
    lifecycle::{
        outbox::{Due, InProgress},
        published::Published,
        reconcile::{HeldLease, StoreState, Unsaved},
        slot::Slot,
        slots::Learned,
    },
    oauth2::token::Token,
    random,
    token_store::{Lease, StoredToken},
    trace,
};

/// Timeout of a call of the store.
pub(super) const CALL: Duration = STORE_CALL;

/// Wait before a lease is requested again, doubled each time …
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// … up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// Limit of saves that fail because another process has stored a token first.
const REFUSALS: u32 = 10;

/// Limit of reads during which the slot changes.
const READINGS: u32 = 3;

/// A store for a slot.
pub(super) fn keep(store: Store) -> Box<StoreState> {
    Box::new(StoreState::new(store))
}

/// The store of a slot, which has it from [`keep`].
pub(super) fn store_of(slot: &Slot) -> Option<Store> {
    slot.store()
}

/// Store of a slot, by the rules of its client.
#[derive(Clone)]
pub(in super::super) struct StoreSync {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    /// The store of the slot, to which its leases go back when the slot has none any more.
    leased_from: Option<Store>,
}

/// Wait for a lease that another process holds.
pub(super) struct LeaseWait {
    shared: Arc<Shared>,
    began: Instant,
    wait: Duration,
}

impl Drop for LeaseWait {
    fn drop(&mut self) {
        if self.wait > FIRST_WAIT {
            trace::lease_wait_ended(self.shared.settings.name(), self.began.elapsed());
        }
    }
}

impl StoreSync {
    pub(super) fn new(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        let leased_from = store_of(&slot);
        Self {
            shared,
            slot,
            leased_from,
        }
    }

    pub(super) fn store(&self) -> Option<Store> {
        store_of(&self.slot)
    }

    /// The time of a lease: long enough to read the store, to request the token in two ways, and
    /// to store it.
    fn lease_time(&self) -> Duration {
        self.shared
            .settings
            .timeout
            .saturating_mul(2)
            .saturating_add(3 * CALL)
    }

    pub(super) fn call_limit(&self) -> Duration {
        self.shared.settings.timeout.min(CALL)
    }

    pub(super) fn lease_wait(&self) -> LeaseWait {
        LeaseWait {
            shared: self.shared.clone(),
            began: Instant::now(),
            wait: FIRST_WAIT,
        }
    }

    /// Whether the store has not got the token yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.slot.is_saved()
    }

    /// The result of a save that has not ended in time. If the store has the token, it is the release of
    /// the lease that is late.
    fn late(&self) -> Result<()> {
        match self.is_behind() || self.slot.forwarded().is_some() {
            true => Err(self.unsaved(LATE)),
            false => Ok(()),
        }
    }

    /// The error of a token that the store did not save, or of none, as it still has one.
    fn unsaved(&self, source: impl Into<BoxError>) -> Error {
        let mut slot = self.slot.clone();
        while let Some(next) = slot.forwarded() {
            slot = next;
        }
        match slot.published() {
            Some(_) => Error::unsaved(source),
            None => Error::not_removed(source),
        }
    }

    pub(super) fn has_lease(&self) -> bool {
        self.lease_lasts(Duration::ZERO)
    }

    /// Whether a lease lasts for a token request and for what comes before and after it.
    pub(super) fn lasts(&self, lease: &HeldLease) -> bool {
        let time = self.shared.settings.timeout.saturating_add(2 * CALL);
        lease.left(self.shared.now()) > time
    }

    /// Whether the lease of the last renewal lasts for more than `time`.
    pub(super) fn lease_lasts(&self, time: Duration) -> bool {
        self.slot
            .lease_left(self.shared.now())
            .is_some_and(|left| left > time)
    }
}

impl StoreSync {
    /// Ends what was made of the token before the one of another process, which may be of another login.
    fn end_dependents(&self, before: Option<Arc<Published>>) {
        let adopted = self.slot.published();
        let is_same = |before: &Published| adopted.is_some_and(|adopted| adopted.is_same(before));
        if before.is_some_and(|before| !is_same(&before)) {
            self.shared.sources.end_dependents(&self.slot);
        }
    }
}

#[maybe_async]
impl StoreSync {
    /// The lease, waited for while the client is open. None without a store.
    pub(super) async fn lease(&self, gate: &Gate) -> Result<Option<HeldLease>> {
        let mut lease_wait = self.lease_wait();
        loop {
            let lease = self.try_lease().await?;
            // The store may move to another slot during the wait.
            if lease.is_some() || self.store().is_none() {
                return Ok(lease);
            }
            if gate.is_closed() {
                return Err(Error::closed());
            }
            self.wait_for_others(&mut lease_wait).await?;
        }
    }

    /// The lease, unless another process has it. That of an earlier renewal, whose token is not
    /// stored yet, serves as well if it lasts.
    pub(super) async fn try_lease(&self) -> Result<Option<HeldLease>> {
        self.try_lease_for(self.lease_time()).await
    }

    /// The same for a lease that is to last so long.
    pub(super) async fn try_lease_for(&self, time: Duration) -> Result<Option<HeldLease>> {
        let Some(store) = self.store() else {
            return Ok(None);
        };
        if let Some(lease) = self.slot.take_lease() {
            if self.lasts(&lease) {
                return Ok(Some(lease));
            }
            self.release(Some(lease)).await;
        }
        let mark = self.slot.id();
        let until = self.shared.now().monotonic.saturating_add(time);
        let lease = with_timeout(self.call_limit(), move || lease(store, time, mark)).await;
        let lease = lease.unwrap_or_else(|| Err(Error::store(LATE, None)))?;
        Ok(lease.map(|lease| HeldLease::new(lease, until)))
    }

    /// Releases a lease, if there is one. If that fails, the lease ends by itself.
    pub(super) async fn release(&self, lease: Option<HeldLease>) {
        self.release_within(self.call_limit(), lease).await;
    }

    async fn release_within(&self, limit: Duration, lease: Option<HeldLease>) {
        let store = self.leased_from.clone().or_else(|| self.store());
        let (Some(store), Some(lease)) = (store, lease) else {
            return;
        };
        let (lease, mark) = (lease.into_lease(), self.slot.id());
        let released = with_timeout(limit, move || release(store, lease, mark)).await;
        let released = released.unwrap_or_else(|| Err(Error::store(LATE, None)));
        if let Err(error) = released {
            trace::lease_not_released(Some(self.shared.settings.name()), &error);
        }
    }

    /// Releases the lease of an attempt that has brought nothing to store. A token that is not saved yet
    /// keeps it instead, as it may be its own, and is saved under it.
    pub(super) async fn end_attempt(&self, lease: Option<HeldLease>) {
        let mut holder = self.clone();
        while let Some(next) = holder.slot.forwarded() {
            holder.slot = next;
        }
        let lasts = |lease: &HeldLease| lease.left(self.shared.now()) > 2 * CALL;
        let lease = match (lease, holder.store()) {
            (Some(lease), Some(store)) if lasts(&lease) => match holder.slot.keep_lease(lease) {
                None => return run_in_background(move || store.calls().save(holder)),
                lease => lease,
            },
            (lease, _) => lease,
        };
        self.release(lease).await;
    }

    /// Releases the lease of an earlier renewal, whose token may not be stored yet.
    pub(super) async fn give_lease_back(&self, limit: Duration) {
        let lease = self.slot.take_lease();
        let limit = limit.min(self.call_limit());
        self.release_within(limit, lease).await;
    }

    /// Releases the lease of an earlier renewal whose token does not have to be stored any more.
    async fn release_idle(&self) {
        let lease = self.slot.take_idle_lease();
        self.release(lease).await;
    }

    pub(super) async fn wait_for_others(&self, lease_wait: &mut LeaseWait) -> Result<()> {
        if lease_wait.began.elapsed() >= self.shared.settings.timeout {
            return Err(Error::store(HELD, None));
        }
        let wait = lease_wait.wait;
        if wait == FIRST_WAIT {
            trace::lease_wait(self.shared.settings.name());
        }
        sleep(wait.saturating_add(random::jitter(wait)?)).await;
        lease_wait.wait = (wait * 2).min(LONGEST_WAIT);
        Ok(())
    }

    /// The token in the store, whatever server it is of.
    pub(super) async fn stored(&self) -> Result<Option<Token>> {
        match self.store() {
            Some(store) => Ok(self.read(store).await?.and_then(|stored| stored.token)),
            None => Ok(None),
        }
    }

    async fn read(&self, store: Store) -> Result<Option<StoredToken>> {
        let mark = self.slot.id();
        let stored = with_timeout(self.call_limit(), move || load(store, mark)).await;
        stored.unwrap_or_else(|| Err(Error::store(LATE, None)))
    }

    /// Reads the store into the slot.
    pub(super) async fn reload(&self) -> Result<()> {
        let Some(store) = self.store() else {
            return Ok(());
        };
        for _ in 0..READINGS {
            let snapshot = self.slot.snapshot();
            let before = self.slot.published();
            let mut stored = self.read(store.clone()).await?;
            // The token of another server stays where it is, and is not used here.
            if let Some(stored) = &mut stored {
                let settings = &self.shared.settings;
                stored.token.take_if(|token| !settings.permits(token));
            }
            let slots = &self.shared.slots;
            match slots.learn(&self.slot, &snapshot, stored, self.shared.now()) {
                Learned::Changed => continue,
                Learned::Known => {}
                Learned::Adopted => {
                    trace::token_loaded(self.shared.settings.name());
                    self.end_dependents(before);
                }
            }
            self.release_idle().await;
            break;
        }
        Ok(())
    }

    /// Stores what is not stored yet. A failure is retried later.
    pub(super) async fn save(mut self) -> Result<()> {
        let mut refusals = 0;
        while refusals < REFUSALS {
            match self.slot.take_unsaved() {
                Due::Nothing => match self.slot.forwarded() {
                    // It was merged with another when the store was read.
                    Some(slot) => self.slot = slot,
                    None => {
                        self.release_idle().await;
                        return Ok(());
                    }
                },
                Due::Busy(other) => {
                    let deadline = Deadline::after(self.call_limit());
                    if !is_set_until(&other, deadline).await {
                        return self.late();
                    }
                }
                Due::Mine(unsaved, progress) => {
                    let sync = self.clone();
                    let put = move || sync.put(unsaved, progress);
                    // A store that is late keeps its right to store.
                    let Some(saved) = run_detached_for(self.call_limit(), put).await else {
                        return self.late();
                    };
                    if !saved? {
                        refusals += 1;
                        let reloaded = self.reload().await;
                        reloaded.map_err(|error| self.unsaved(error))?;
                    }
                }
            }
        }
        Err(self.unsaved("other processes stored theirs each time"))
    }

    /// Saves once; whether the store took it.
    async fn put(self, unsaved: Unsaved, progress: InProgress) -> Result<bool> {
        let (Some(store), Some(next)) = (self.store(), unsaved.next.clone()) else {
            return Ok(false);
        };
        let (mark, given) = (self.slot.id(), next.clone());
        let saved = save(store, given, mark).await;
        let saved = saved.map_err(|error| self.unsaved(error));
        let lease = match &saved {
            // The lease has served its purpose.
            Ok(true) => self.slot.saved(&unsaved, &next),
            Ok(false) | Err(_) => None,
        };
        // Before the slot counts as settled, as a process may end as soon as it has closed its client.
        self.release(lease).await;
        progress.done();
        saved
    }
}

const LATE: &str = "token_store timed out";
const HELD: &str = "another process holds the lease of token_store and does not give it back";

#[maybe_async]
async fn load(store: Store, mark: usize) -> Result<Option<StoredToken>> {
    let stored = in_callback(&[mark], move || store.load()).await;
    stored.map_err(|error| Error::store("token_store could not be read", Some(error)))
}

#[maybe_async]
async fn lease(store: Store, time: Duration, mark: usize) -> Result<Option<Lease>> {
    let lease = in_callback(&[mark], move || store.lease(time)).await;
    lease.map_err(|error| Error::store("token_store could not be leased", Some(error)))
}

#[maybe_async]
async fn release(store: Store, lease: Lease, mark: usize) -> Result<()> {
    let released = in_callback(&[mark], move || store.release(lease)).await;
    released.map_err(|error| Error::store("token_store could not release its lease", Some(error)))
}

#[maybe_async]
async fn save(store: Store, next: StoredToken, mark: usize) -> Result<bool, BoxError> {
    in_callback(&[mark], move || store.save(next)).await
}
