//! The slots of a client and its children: one refresh token, one slot.

mod rows;
mod users;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::now::Now;
use super::{
    published::Published,
    reconcile::{HeldLease, Origin, Reading, SlotSnapshot, StoreState},
    registry::Registry,
    single_flight::{Claim, Outcome},
    slot::{Rules, Slot, State, expired_as_issued},
    table::{By, Found, Table, is_newer, is_newer_than, key, key_map::Key, to_the_end},
    update::TokenUpdate,
};
use crate::{
    error::{Error, Result},
    oauth2::token::Token,
    token_store::StoredToken,
};

/// All slots of a client and its children.
#[derive(Debug)]
pub(crate) struct Slots {
    rules: Rules,
    /// Its lock is taken before that of a slot.
    table: Mutex<Table>,
    registry: Arc<Registry>,
    /// Number of dropped updates of superseded logins.
    dropped: AtomicUsize,
}

/// A slot that nobody can reach any more keeps neither its token nor its store.
impl Drop for Slots {
    fn drop(&mut self) {
        self.registry.clear();
    }
}

/// Result of reading a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// The slot has changed since the store was read.
    Changed,
    Known,
    /// The stored token is in use now.
    Adopted,
}

impl Slots {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            registry: Arc::new(Registry::new(rules.clone())),
            rules,
            table: Mutex::default(),
            dropped: AtomicUsize::new(0),
        }
    }

    /// The number of dropped updates of superseded logins since the last call: the hook did not take
    /// them.
    pub(crate) fn take_dropped(&self) -> usize {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// The slots with a flight or with something undelivered.
    pub(crate) fn pending(&self) -> Vec<Arc<Slot>> {
        self.registry.slots()
    }

    /// Whether there are any.
    pub(crate) fn owes(&self) -> bool {
        !self.registry.is_empty()
    }

    /// The first slot of a client, for its handle: with the token that it begins with, or none.
    pub(crate) fn first(
        &self,
        token: Option<Token>,
        store: Option<Box<StoreState>>,
        now: Now,
    ) -> Arc<Slot> {
        match token {
            Some(token) => self.find(token, now),
            None => self.slot(None, store, None),
        }
    }

    /// The slot for one more handle with this token.
    pub(crate) fn find(&self, token: Token, now: Now) -> Arc<Slot> {
        self.locate(&mut self.lock(), token, now).0
    }

    /// The same, and whether it was found by a used refresh token.
    fn locate(&self, table: &mut Table, token: Token, now: Now) -> (Arc<Slot>, bool) {
        let Some(key) = key(&token) else {
            return (
                self.slot(Some(self.restored(token, now)), None, None),
                false,
            );
        };
        match table.lookup(key, &self.rules, now) {
            Found::Slot(slot, by) => {
                let spent = !matches!(by, By::Own);
                let mut state = slot.write();
                state.handles += 1;
                state.superseded = false;
                self.registry.reuse(&slot);
                // A used refresh token comes with a stale row, whatever its times say.
                if !spent && state.flight.is_none() && is_newer(&token, state.own()) {
                    state.publish(Some(self.restored(token, now)));
                    if let Some(store) = &mut state.store {
                        store.save(Origin::Renewal);
                        self.registry.add(&slot);
                    }
                }
                drop(state);
                (slot, spent)
            }
            Found::Token(published) => {
                let key = self::key(&published.token);
                let slot = self.slot(Some(published), None, key);
                if let Some(key) = key {
                    table.begin(key, &slot, None, now);
                }
                (slot, true)
            }
            Found::Nothing => {
                let received = table.received(&key, &token);
                let published = match received {
                    Some(received) => {
                        Arc::new(Published::known(token, received.lifetime, &self.rules))
                    }
                    None => self.restored(token, now),
                };
                let slot = self.slot(Some(published), None, Some(key));
                table.begin(key, &slot, received, now);
                (slot, false)
            }
        }
    }

    /// The slot of a token for the store of `slot`: a slot has at most one store, so what is kept in
    /// another store stays there.
    fn locate_for_store(
        &self,
        table: &mut Table,
        slot: &Arc<Slot>,
        token: Token,
        now: Now,
    ) -> (Arc<Slot>, bool) {
        let (next, is_spent) = self.locate(table, token.clone(), now);
        if Arc::ptr_eq(slot, &next) || !next.is_stored() {
            return (next, is_spent);
        }
        next.write().handles -= 1;
        (
            self.slot(Some(self.restored(token, now)), None, None),
            false,
        )
    }

    /// Points a handle from `slot` to that of a token from the caller, or to one without a token.
    /// Other handles on `slot` keep its token; the store moves with the handle that has one.
    pub(crate) fn replace(
        &self,
        slot: &Arc<Slot>,
        token: Option<Token>,
        has_store: bool,
        now: Now,
    ) -> Arc<Slot> {
        let origin = match token {
            Some(_) => Origin::Caller,
            None => Origin::Revocation,
        };
        let mut table = self.lock();
        let slot = to_the_end(slot.clone());
        let (next, is_spent) = match &token {
            Some(token) if has_store => {
                self.locate_for_store(&mut table, &slot, token.clone(), now)
            }
            Some(token) => self.locate(&mut table, token.clone(), now),
            None => (self.slot(None, None, None), false),
        };
        let mut store = None;
        if !Arc::ptr_eq(&slot, &next) {
            let mut state = slot.write();
            if has_store {
                store = state.store.take();
                slot.check_settled(&state);
            }
            self.leave(&slot, &mut state, true);
        } else {
            slot.write().handles -= 1;
        }
        let mut state = next.write();
        if let Some(token) = token
            && !is_spent
            && state.own() != Some(&token)
            && (state.handles == 1 || !is_newer_than(state.own(), &token))
        {
            state.publish(Some(self.restored(token, now)));
        }
        match (store, &mut state.store) {
            (Some(store), None) => state.store = Some(store.moved(origin)),
            (_, Some(store)) => store.save(origin),
            (None, None) => {}
        }
        if state.store.is_some() {
            self.registry.add(&next);
        }
        drop(state);
        next
    }

    /// Notes that a handle of `slot` was closed or dropped.
    pub(crate) fn forget_handle(&self, slot: Arc<Slot>) {
        let mut table = self.lock();
        let slot = to_the_end(slot);
        let mut state = slot.write();
        self.leave(&slot, &mut state, false);
        // Whoever else wants it has to come by way of the table.
        if Arc::strong_count(&slot) == 1 {
            table.let_go(&slot, &state);
        }
    }

    fn leave(&self, slot: &Arc<Slot>, state: &mut State, for_another_token: bool) {
        state.handles = state.handles.saturating_sub(1);
        if for_another_token && state.handles == 0 && !state.is_of_user() {
            state.superseded = true;
            state.outbox.supersede();
            self.note_dropped(self.registry.supersede(slot).is_some());
        }
    }

    /// Publishes the token that the renewal of `claim` brought, unless another has been published
    /// meanwhile whose refresh token is not spent, and notes what is to be saved and delivered. The
    /// flight ends; with a problem, if the token is not what was needed and is published so that nothing is lost. A lease
    /// that is left is to be released, as nothing is saved under it.
    pub(crate) fn publish(
        &self,
        claim: &Claim,
        token: Token,
        problem: Option<Error>,
        lease: &mut Option<HeldLease>,
        has_hook: bool,
        now: Now,
    ) -> Result<Outcome> {
        let slot = &claim.slot;
        let mut table = self.lock();
        let mut state = slot.write();
        let is_current = state.is_current(claim) || state.has_spent_its_own(claim, &token);
        let old = match is_current {
            true => state.published.clone(),
            false => claim.old.clone(),
        };
        let old = old.as_deref();
        if has_hook {
            let superseded = !is_current || state.superseded;
            let old = old.map(|old| &old.token);
            let dropped = state
                .outbox
                .add(TokenUpdate::new(token.clone(), old, superseded));
            self.note_dropped(dropped.is_some());
            self.registry.add(slot);
            if state.superseded {
                self.note_dropped(self.registry.supersede(slot).is_some());
            }
        }
        if !is_current {
            // Whatever is woken may look for a slot.
            drop((state, table));
            claim.finish(Ok(Outcome::Superseded));
            return Ok(Outcome::Superseded);
        }
        let published = Published::received(token, &self.rules, now.unix);
        let published = Arc::new(published);
        let is_usable_once = published.is_usable_once(&self.rules);
        let has_expired = !published.is_alive(now.unix);
        let expired = has_expired.then(expired_as_issued);
        let mut pacing = std::mem::take(&mut state.pacing);
        state.publish(Some(published.clone()));
        match problem.as_ref().or(expired.as_ref()) {
            // It counts as one more failure.
            Some(problem) => pacing.fail(now.monotonic, problem.clone()),
            None => pacing.renew(),
        }
        state.pacing = pacing;
        // A lifetime of zero may mean anything, a negative one means that the token has expired.
        let problem = problem.or(expired.filter(|_| !is_usable_once));
        if let Some(store) = &mut state.store {
            store.save(Origin::Renewal);
            if let Some(new) = lease.take() {
                *lease = store.lease.replace(Box::new(new)).map(|old| *old);
            }
            self.registry.add(slot);
        }
        table.rotate(slot, &mut state, old, &published, now);
        if has_hook && let Some(row) = state.outbox.last_row() {
            table.owe(row, slot, &published);
        }
        let outcome = match problem {
            _ if state.superseded => Ok(Outcome::Superseded),
            Some(problem) => Err(problem),
            None => Ok(Outcome::Token(published)),
        };
        drop((state, table));
        claim.finish(outcome.clone());
        outcome
    }

    /// Compares the slot with what its store holds, and uses that if it is newer. Both are one
    /// step.
    pub(crate) fn learn(
        &self,
        slot: &Arc<Slot>,
        snapshot: &SlotSnapshot,
        stored: Option<StoredToken>,
        now: Now,
    ) -> Learned {
        let mut table = self.lock();
        // A row that is stale gets the new token.
        let row = stored.as_ref().and_then(|stored| stored.token.as_ref());
        let newer = row.and_then(|row| table.successor(slot, row, &self.rules, now));
        let mut state = slot.write();
        let reading = state.read(snapshot, stored, newer.as_deref());
        match state.is_saved() {
            true => slot.check_settled(&state),
            false => self.registry.add(slot),
        }
        let token = match reading {
            Reading::Changed => return Learned::Changed,
            Reading::Known => return Learned::Known,
            Reading::Adopt(token) => token,
        };
        let old = state.published.take();
        let published = newer.or_else(|| token.map(|token| self.restored(token, now)));
        state.publish(published.clone());
        match published {
            Some(published) => table.rotate(slot, &mut state, old.as_deref(), &published, now),
            None => table.forget(&mut state, old.as_deref()),
        }
        slot.check_settled(&state);
        Learned::Adopted
    }

    fn note_dropped(&self, dropped: bool) {
        self.dropped
            .fetch_add(usize::from(dropped), Ordering::Relaxed);
    }

    fn restored(&self, token: Token, now: Now) -> Arc<Published> {
        Arc::new(Published::restored(token, &self.rules, now.unix))
    }

    /// A new slot for one handle.
    fn slot(
        &self,
        published: Option<Arc<Published>>,
        store: Option<Box<StoreState>>,
        key: Option<Key>,
    ) -> Arc<Slot> {
        let registry = self.registry.clone();
        Arc::new(Slot::new(published, store, key, registry))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
