//! Delivery of a new token to `token_store` and `update_token`, until each has taken it.

use std::{sync::Arc, time::Duration};

use super::{
    Led, UpdateHook, boxed, in_callback, maybe_async, run_detached_for, run_in_background,
    shared::Shared,
    sleep, spawn_and_forget,
    store_sync::{CALL, StoreSync},
    waiting::{Deadline, is_set_until},
};
use crate::{
    error::{Error, Result},
    lifecycle::{outbox::Due, slot::Slot},
    trace,
};

/// First wait before a failed save is repeated, doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What is done with undelivered tokens. Hooks and stores lead to it, so that a program whose clients have
/// neither does not contain it.
pub(in super::super) trait DeliveryCalls: Send + Sync {
    /// Passes on to `update_token` what it has not taken yet.
    fn call_hook<'a>(&self, delivery: &'a Delivery, deadline: Deadline) -> Led<'a, Result<()>>;

    /// Delivers in the background what no caller waits for.
    fn run_alone(&self, delivery: Delivery, deadline: Deadline);
}

/// What is done with every undelivered token.
pub(in super::super) struct Deliveries;

impl DeliveryCalls for Deliveries {
    fn call_hook<'a>(&self, delivery: &'a Delivery, deadline: Deadline) -> Led<'a, Result<()>> {
        boxed(delivery.pass_on(deadline))
    }

    fn run_alone(&self, delivery: Delivery, deadline: Deadline) {
        // No caller is left to get the error.
        let _ = spawn_and_forget(delivery.run_within(deadline));
    }
}

/// `update_token`, with what calls it.
#[derive(Clone)]
pub(in super::super) struct UpdateDelivery {
    hook: UpdateHook,
    calls: &'static dyn DeliveryCalls,
}

impl UpdateDelivery {
    pub(in super::super) fn by(hook: UpdateHook) -> Self {
        Self {
            hook,
            calls: &Deliveries,
        }
    }
}

/// Outbox of a slot, to be delivered by the rules of its client.
#[derive(Clone)]
pub(in super::super) struct Delivery {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        Self { shared, slot }
    }

    /// The store of the slot that holds the token by now.
    fn store_sync(&self) -> StoreSync {
        StoreSync::new(self.shared.clone(), self.slot.by_now())
    }
}

impl Delivery {
    /// Whether there is a store or a hook to deliver to.
    pub(super) fn is_due(shared: &Shared, slot: &Slot) -> bool {
        shared.settings.hook.is_some() || slot.is_stored_by_now()
    }

    /// Delivers in the background what no caller waits for.
    pub(super) fn run_alone(self, deadline: Deadline) {
        let hook = self.shared.settings.hook.as_ref();
        let by_hook = hook.map(|updates| updates.calls);
        let store = self.store_sync().store();
        if let Some(calls) = by_hook.or_else(|| Some(store?.calls().deliveries())) {
            calls.run_alone(self, deadline);
        }
    }

    /// Stores in the background what nobody waits for: the store was read, and has a stale row.
    pub(super) fn store_if_stale(self) {
        if self.store_sync().is_behind() {
            run_in_background(move || self.store());
        }
    }
}

#[maybe_async]
impl Delivery {
    /// Stores what is not stored yet, then passes on to `update_token` what it has not taken yet.
    /// A delivery by another caller is waited for until the deadline; a failure is retried later.
    pub(super) async fn run(self, deadline: Deadline) -> Result<()> {
        let stored = self.clone().store().await;
        // Whatever the store does: the hook may be the only one that keeps the token.
        let delivered = self.call_hook(deadline).await;
        stored.and(delivered)
    }

    /// The same, not waited for any longer after the deadline, whatever a hook does.
    pub(super) async fn run_within(self, deadline: Deadline) -> Result<()> {
        let delivered = run_detached_for(deadline.left(), move || self.run(deadline)).await;
        delivered.unwrap_or_else(|| Err(still_running()))
    }

    /// Stores what is not stored yet. A failure is retried in the background while the lease of the
    /// renewal lasts.
    pub(super) async fn store(self) -> Result<()> {
        let sync = self.store_sync();
        match sync.store() {
            Some(store) => store.calls().save(sync).await,
            None => Ok(()),
        }
    }

    /// The same for a slot that has a store.
    pub(super) async fn save(sync: StoreSync) -> Result<()> {
        let saved = sync.clone().save().await;
        // Also after a save that is late and was overtaken by the token of another process.
        if sync.has_lease() {
            run_in_background(move || keep_saving(sync));
        }
        saved
    }

    async fn call_hook(&self, deadline: Deadline) -> Result<()> {
        match &self.shared.settings.hook {
            Some(updates) => updates.calls.call_hook(self, deadline).await,
            None => Ok(()),
        }
    }

    async fn pass_on(&self, deadline: Deadline) -> Result<()> {
        let Some(UpdateDelivery { hook, .. }) = &self.shared.settings.hook else {
            return Ok(());
        };
        let marks = [self.slot.id(), self.shared.id()];
        loop {
            match self.slot.take_update() {
                Due::Nothing => return Ok(()),
                Due::Busy(other) => {
                    if !is_set_until(&other, deadline).await {
                        return Err(Error::update("it is still running".into()));
                    }
                }
                Due::Mine(update, progress) => {
                    let hook = hook.clone();
                    let result = in_callback(&marks, move || hook(update)).await;
                    result.map_err(Error::update)?;
                    self.shared.slots.delivered(progress, self.shared.now());
                }
            }
        }
    }

    /// Waits for a renewal in flight, and delivers the outbox.
    pub(super) async fn settle(self, deadline: Deadline) -> Result<()> {
        let settled = self.clone().settle_all(deadline).await;
        // Other processes need not wait for this client any more.
        let sync = StoreSync::new(self.shared.clone(), self.slot.clone());
        sync.give_lease_back(deadline.left()).await;
        settled
    }

    async fn settle_all(self, deadline: Deadline) -> Result<()> {
        if let Some(flight) = self.slot.in_flight()
            && !is_set_until(&flight.outcome, deadline).await
        {
            return Err(Error::interrupted(
                "a renewal is still under way; close again to wait for it",
            ));
        }
        if self.slot.is_settled() {
            return Ok(());
        }
        let delivered = self.run_within(deadline).await;
        match delivered {
            Err(_) if deadline.is_over() => Err(still_running()),
            delivered => delivered,
        }
    }
}

fn still_running() -> Error {
    Error::timed_out("token_store or update_token is still running; close again to wait for it")
}

/// Repeats a failed save as long as the lease lasts under which the token was renewed.
#[maybe_async]
async fn keep_saving(sync: StoreSync) -> Result<()> {
    let mut wait = FIRST_WAIT;
    loop {
        sleep(wait).await;
        wait *= 2;
        if !sync.lease_lasts(CALL + wait) {
            sync.give_lease_back(CALL).await;
            return Ok(());
        }
        let saved = sync.clone().save().await;
        match saved {
            Ok(()) if !sync.has_lease() => return Ok(()),
            Ok(()) => {}
            Err(error) => trace::update_failed(&error),
        }
    }
}
