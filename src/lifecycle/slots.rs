//! The slots of a client and its children: one refresh token, one slot.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::now::Now;
use super::{
    published::Published,
    reconcile::{Asked, HeldLease, Origin, Reading, StoreState},
    registry::Registry,
    single_flight::{Claim, Outcome, Waiter},
    slot::{Rules, Slot, State, expired_as_issued},
    update::TokenUpdate,
};
use crate::{
    error::{Error, Result},
    oauth2::token::Token,
    secret::Secret,
    token_store::StoredToken,
};

/// Time for which a used refresh token leads to its successor, by monotonic time: requests that
/// loaded their row before the renewal are done by then.
const SPENT: Duration = Duration::from_secs(60);

/// Limit of used refresh tokens that are followed from one row.
const LONGEST_TRAIL: usize = 64;

/// SHA-256 of a refresh token, so that a key is no secret.
type Key = [u8; 32];

/// All slots of a client and its children.
#[derive(Debug)]
pub(crate) struct Slots<W: Waiter> {
    rules: Rules,
    table: Mutex<Table<W>>,
    registry: Arc<Registry<W>>,
    /// Number of dropped updates of superseded logins.
    dropped: AtomicUsize,
}

/// Its lock is taken before that of a slot.
#[derive(Debug)]
struct Table<W: Waiter> {
    entries: HashMap<Key, Entry<W>>,
    /// The keys in the order in which they are swept, two with each insertion.
    order: VecDeque<Key>,
}

#[derive(Debug)]
enum Entry<W: Waiter> {
    /// The refresh token is in use, as long as the slot exists.
    Live(Weak<Slot<W>>),
    /// It was used; until that time it leads to its successor.
    Spent(Arc<Published>, Duration),
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

impl<W: Waiter> Slots<W> {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            table: Mutex::new(Table {
                entries: HashMap::new(),
                order: VecDeque::new(),
            }),
            registry: Arc::default(),
            dropped: AtomicUsize::new(0),
        }
    }

    /// The number of dropped updates of superseded logins since the last call: the hook did not take
    /// them.
    pub(crate) fn take_dropped(&self) -> usize {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// The slots with a flight or with something undelivered.
    pub(crate) fn owing(&self) -> Vec<Arc<Slot<W>>> {
        self.registry.slots()
    }

    /// The first slot of a client, for its handle: with the token that it begins with, or none.
    pub(crate) fn first(&self, token: Option<Token>, stored: bool, now: Now) -> Arc<Slot<W>> {
        match token {
            Some(token) => self.find(token, now),
            None => self.slot(None, stored.then(StoreState::default)),
        }
    }

    /// The slot for one more handle with this token.
    pub(crate) fn find(&self, token: Token, now: Now) -> Arc<Slot<W>> {
        self.locate(token, now).0
    }

    /// The same, and whether it was found by a used refresh token.
    fn locate(&self, token: Token, now: Now) -> (Arc<Slot<W>>, bool) {
        let Some(key) = key(&token) else {
            return (self.slot(Some(self.restored(token)), None), false);
        };
        let mut table = self.lock();
        match table.lookup(key, now) {
            Found::Slot(slot, spent) => {
                let mut state = slot.write();
                state.handles += 1;
                state.superseded = false;
                // A used refresh token comes with a stale row, whatever its times say.
                if !spent && state.flight.is_none() && is_newer(&token, state.own()) {
                    state.publish(Some(self.restored(token)));
                }
                drop(state);
                (slot, spent)
            }
            Found::Token(published) => {
                let slot = self.slot(Some(published.clone()), None);
                if let Some(key) = self::key(&published.token) {
                    table.insert(key, Entry::Live(Arc::downgrade(&slot)), now);
                }
                (slot, true)
            }
            Found::Nothing => {
                let slot = self.slot(Some(self.restored(token)), None);
                table.insert(key, Entry::Live(Arc::downgrade(&slot)), now);
                (slot, false)
            }
        }
    }

    /// Points a handle from `slot` to that of a token from the caller, or to one without a token.
    /// Other handles on `slot` keep its token; the store goes along with the handle that has one.
    pub(crate) fn replace(
        &self,
        slot: &Arc<Slot<W>>,
        token: Option<Token>,
        has_store: bool,
        now: Now,
    ) -> Arc<Slot<W>> {
        let origin = match token {
            Some(_) => Origin::Caller,
            None => Origin::Revocation,
        };
        let (next, is_spent) = match &token {
            Some(token) => self.locate(token.clone(), now),
            None => (self.slot(None, None), false),
        };
        let _table = self.lock();
        let mut store = None;
        if !Arc::ptr_eq(slot, &next) {
            let mut state = slot.write();
            if has_store {
                store = state.store.take();
            }
            self.leave(slot, &mut state, true);
        } else {
            slot.write().handles -= 1;
        }
        let mut state = next.write();
        if let Some(token) = token
            && !is_spent
            && state.own() != Some(&token)
            && (state.handles == 1 || !is_newer_than(state.own(), &token))
        {
            state.publish(Some(self.restored(token)));
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
    pub(crate) fn forget_handle(&self, slot: &Arc<Slot<W>>) {
        self.leave(slot, &mut slot.write(), false);
    }

    /// Points a handle from a slot to the one with which it was merged.
    pub(crate) fn follow(&self, from: &Arc<Slot<W>>, to: &Arc<Slot<W>>) {
        self.leave(from, &mut from.write(), false);
        to.write().handles += 1;
    }

    fn leave(&self, slot: &Arc<Slot<W>>, state: &mut State<W>, for_another_token: bool) {
        state.handles = state.handles.saturating_sub(1);
        if for_another_token && state.handles == 0 {
            state.superseded = true;
            state.outbox.supersede();
            self.note_dropped(self.registry.supersede(slot).is_some());
        }
    }

    /// Publishes the new token of `claim`, unless another was published meanwhile, and notes what is
    /// to be delivered. The flight ends; with `problem`, if the token is not the needed one and is
    /// kept so that nothing is lost.
    pub(crate) fn publish(
        &self,
        claim: &Claim<W>,
        token: Token,
        problem: Option<Error>,
        lease: Option<HeldLease>,
        told: bool,
        now: Now,
    ) -> Result<Outcome> {
        let (slot, token) = (&claim.slot, Arc::new(token));
        let mut table = self.lock();
        let mut state = slot.write();
        let is_current = state.is_current(claim);
        if told {
            let old = claim.old.as_ref().map(|old| &*old.token);
            let superseded = !is_current || state.superseded;
            let dropped = state
                .outbox
                .add(TokenUpdate::new(token.clone(), old, superseded));
            self.note_dropped(dropped.is_some());
            self.registry.add(slot);
        }
        if !is_current {
            drop(state);
            claim.finish(Ok(Outcome::Superseded));
            return Ok(Outcome::Superseded);
        }
        let published = Published::received(token, self.rules.leeway, now.unix);
        let published = Arc::new(published);
        state.publish(Some(published.clone()));
        if let Some(problem) = &problem {
            state.pacing.fail(now.monotonic, problem.clone());
        } else if !published.is_alive(now.unix) {
            state.pacing.fail(now.monotonic, expired_as_issued());
        }
        if let Some(store) = &mut state.store {
            store.save(Origin::Renewal);
            store.lease = lease;
            self.registry.add(slot);
        }
        table.rotate(slot, &mut state, claim.old.as_deref(), &published, now);
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
        slot: &Arc<Slot<W>>,
        asked: &Asked,
        stored: Option<StoredToken>,
        now: Now,
    ) -> Learned {
        let mut table = self.lock();
        let mut state = slot.write();
        let token = match state.read(asked, stored) {
            Reading::Changed => return Learned::Changed,
            Reading::Known => return Learned::Known,
            Reading::Adopt(token) => token,
        };
        let old = state.published.take();
        let published = token.map(|token| self.restored(token));
        state.publish(published.clone());
        if let Some(published) = published {
            table.rotate(slot, &mut state, old.as_deref(), &published, now);
        }
        slot.check_settled(&state);
        Learned::Adopted
    }

    fn note_dropped(&self, dropped: bool) {
        self.dropped
            .fetch_add(usize::from(dropped), Ordering::Relaxed);
    }

    fn restored(&self, token: Token) -> Arc<Published> {
        Arc::new(Published::restored(Arc::new(token), self.rules.leeway))
    }

    /// A new slot for one handle.
    fn slot(
        &self,
        published: Option<Arc<Published>>,
        store: Option<StoreState<W>>,
    ) -> Arc<Slot<W>> {
        let registry = self.registry.clone();
        Arc::new(Slot::new(published, store, self.rules, registry))
    }

    fn lock(&self) -> MutexGuard<'_, Table<W>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Result of the lookup of a refresh token.
enum Found<W: Waiter> {
    /// A slot in use, and whether it was found by a used refresh token.
    Slot(Arc<Slot<W>>, bool),
    /// A successor that no slot uses.
    Token(Arc<Published>),
    Nothing,
}

impl<W: Waiter> Table<W> {
    fn lookup(&self, mut key: Key, now: Now) -> Found<W> {
        let mut last = None;
        for _ in 0..LONGEST_TRAIL {
            match self.entries.get(&key) {
                Some(Entry::Live(slot)) => match slot.upgrade() {
                    Some(slot) => return Found::Slot(to_the_end(slot), last.is_some()),
                    None => break,
                },
                Some(Entry::Spent(published, until)) if now.monotonic < *until => {
                    last = Some(published.clone());
                    match self::key(&published.token) {
                        Some(next) => key = next,
                        None => break,
                    }
                }
                _ => break,
            }
        }
        last.map_or(Found::Nothing, Found::Token)
    }

    /// Moves the key of `slot` from `old` to `new`. If the new refresh token has a slot already, the
    /// two are merged.
    fn rotate(
        &mut self,
        slot: &Arc<Slot<W>>,
        state: &mut State<W>,
        old: Option<&Published>,
        new: &Arc<Published>,
        now: Now,
    ) {
        let [old, next] =
            [old.map(|old| &*old.token), Some(&*new.token)].map(|token| token.and_then(key));
        if let Some(old) = old.filter(|old| Some(*old) != next) {
            let until = now.monotonic.saturating_add(SPENT);
            self.insert(old, Entry::Spent(new.clone(), until), now);
        }
        let Some(next) = next else {
            return;
        };
        let other = match self.entries.get(&next) {
            Some(Entry::Live(other)) => other.upgrade(),
            _ => None,
        };
        match other.filter(|other| !Arc::ptr_eq(other, slot)) {
            // A slot that was forwarded is in no live entry.
            Some(other) => merge(slot, state, other, new),
            None => self.insert(next, Entry::Live(Arc::downgrade(slot)), now),
        }
    }

    /// Removes dead entries a few at a time, so that no insertion takes long.
    fn insert(&mut self, key: Key, entry: Entry<W>, now: Now) {
        for _ in 0..2 {
            let Some(key) = self.order.pop_front() else {
                break;
            };
            match self.entries.get(&key) {
                Some(entry) if entry.is_dead(now) => {
                    self.entries.remove(&key);
                }
                Some(_) => self.order.push_back(key),
                None => {}
            }
        }
        if self.entries.insert(key, entry).is_none() {
            self.order.push_back(key);
        }
    }
}

/// Forwards the handles of `slot` to `other`, which has the same refresh token by now. The store
/// goes along.
fn merge<W: Waiter>(
    slot: &Arc<Slot<W>>,
    state: &mut State<W>,
    other: Arc<Slot<W>>,
    new: &Arc<Published>,
) {
    let mut into = other.write();
    // A slot has at most one store.
    if state.store.is_some() && into.store.is_some() {
        return;
    }
    if into.own() != Some(&*new.token) && !is_newer_than(into.own(), &new.token) {
        into.publish(Some(new.clone()));
    }
    into.superseded = false;
    if let Some(store) = state.store.take() {
        into.store = Some(store);
        slot.registry.add(&other);
    }
    drop(into);
    state.forwarded = Some(other);
}

/// The slot at the end of the forwarding.
fn to_the_end<W: Waiter>(mut slot: Arc<Slot<W>>) -> Arc<Slot<W>> {
    loop {
        let Some(next) = slot.forwarded() else {
            return slot;
        };
        slot = next;
    }
}

impl<W: Waiter> Entry<W> {
    fn is_dead(&self, now: Now) -> bool {
        match self {
            Self::Live(slot) => slot.strong_count() == 0,
            Self::Spent(_, until) => now.monotonic >= *until,
        }
    }
}

fn key(token: &Token) -> Option<Key> {
    token.refresh_token().map(Secret::digest)
}

/// Whether a row is newer than the token in use. One with the same access token never is: the token
/// in use has more precise times.
fn is_newer(token: &Token, own: Option<&Token>) -> bool {
    own.is_none_or(|own| age(token) > age(own) && token.access_token() != own.access_token())
}

/// Whether the token in use is newer than `token`.
fn is_newer_than(own: Option<&Token>, token: &Token) -> bool {
    own.is_some_and(|own| age(own) > age(token))
}

fn age(token: &Token) -> (Option<u64>, Option<u64>) {
    (token.issued_at_unix(), token.expires_at_unix())
}
