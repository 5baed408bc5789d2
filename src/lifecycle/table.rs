//! Which slot a refresh token leads to, while it is in use and for some time after it was spent.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use super::now::Now;
use super::{
    published::Published,
    reconcile::Origin,
    single_flight::Waiter,
    slot::{Slot, State},
};
use crate::{oauth2::token::Token, secret::Secret};

/// How long a spent refresh token leads to the token that took its place, by monotonic time:
/// requests that loaded their row before the renewal are done by then.
const SPENT: Duration = Duration::from_secs(60);

/// How many spent refresh tokens are followed from one row.
const LONGEST_TRAIL: usize = 64;

/// The SHA-256 of a refresh token, so that no secret stands in a key.
type Key = [u8; 32];

/// The refresh tokens that are known.
#[derive(Debug)]
pub(super) struct Table<W: Waiter> {
    entries: HashMap<Key, Entry<W>>,
    /// The keys in the order in which they are looked at, so that each insertion looks at two.
    order: VecDeque<Key>,
}

#[derive(Debug)]
enum Entry<W: Waiter> {
    /// The refresh token is in use, as long as somebody holds the slot.
    Live(Weak<Slot<W>>),
    /// It was spent; until that time it leads to the token that took its place.
    Spent(Arc<Published>, Duration),
}

impl<W: Waiter> Default for Table<W> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

/// What a refresh token leads to.
pub(super) enum Found<W: Waiter> {
    /// A slot in use, and whether it was found by a spent refresh token.
    Slot(Arc<Slot<W>>, bool),
    /// A token that took its place and is in use by nobody.
    Token(Arc<Published>),
    Nothing,
}

impl<W: Waiter> Table<W> {
    pub(super) fn lookup(&self, mut key: Key, now: Now) -> Found<W> {
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

    /// `new` has taken the place of `old` in `slot`. Where the new refresh token has a slot already,
    /// the two become one.
    pub(super) fn rotate(
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
            None => self.add(next, slot, now),
        }
    }

    /// What took the place of `token`, if its refresh token is spent.
    pub(super) fn successor(&self, token: &Token, now: Now) -> Option<Arc<Published>> {
        match self.lookup(key(token)?, now) {
            Found::Slot(slot, true) => slot.published(),
            Found::Token(published) => Some(published),
            Found::Slot(_, false) | Found::Nothing => None,
        }
    }

    /// The token is in use no longer, and nothing has taken its place.
    pub(super) fn forget(&mut self, old: Option<&Published>) {
        if let Some(key) = old.and_then(|old| key(&old.token)) {
            self.entries.remove(&key);
        }
    }

    /// The refresh token is in use in `slot`.
    pub(super) fn add(&mut self, key: Key, slot: &Arc<Slot<W>>, now: Now) {
        self.insert(key, Entry::Live(Arc::downgrade(slot)), now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len().max(self.order.len())
    }

    /// Dead entries go a few at a time, so that no insertion takes long.
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

/// The handles of `slot` follow to `other`, whose refresh token it has come to. The store goes
/// along.
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
    let is_same = into.published.as_ref().is_some_and(|own| own.is_same(new));
    let has_newer = is_newer_than(into.own(), &new.token);
    // What a renewal brings that is in flight there is newer than both.
    if !is_same && !has_newer && into.flight.is_none() {
        into.publish(Some(new.clone()));
        if let Some(store) = &mut into.store {
            store.save(Origin::Renewal);
        }
    }
    into.handles += std::mem::take(&mut state.handles);
    if into.handles > 0 {
        into.superseded = false;
        slot.registry.reuse(&other);
    }
    if let Some(mut store) = state.store.take() {
        if has_newer && !is_same {
            store.save(Origin::Renewal);
        }
        // What is being stored is that of the other slot.
        store.saving = None;
        into.store = Some(store);
    }
    if !into.is_saved() {
        slot.registry.add(&other);
    }
    drop(into);
    state.forwarded = Some(other);
}

/// The slot that others have been forwarded to.
pub(super) fn to_the_end<W: Waiter>(mut slot: Arc<Slot<W>>) -> Arc<Slot<W>> {
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

pub(super) fn key(token: &Token) -> Option<Key> {
    token.refresh_token().map(Secret::digest)
}

/// Whether a row is newer than what is in use. One with the same access token never is: what is in
/// use knows its times better.
pub(super) fn is_newer(token: &Token, own: Option<&Token>) -> bool {
    own.is_none_or(|own| age(token) > age(own) && token.access_token() != own.access_token())
}

/// Whether what is in use is newer than `token`.
pub(super) fn is_newer_than(own: Option<&Token>, token: &Token) -> bool {
    own.is_some_and(|own| age(own) > age(token))
}

fn age(token: &Token) -> (Option<u64>, Option<u64>) {
    (token.issued_at_unix(), token.expires_at_unix())
}

#[cfg(test)]
mod tests;
