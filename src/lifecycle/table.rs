//! Table of refresh tokens: the slot of each, while it is in use and for some time after its use.

mod failed;
pub(super) mod key_map;
mod pages;
mod received;
mod spent;
mod users;

use std::sync::{Arc, Weak};

use super::now::Now;
use super::{
    published::Published,
    reconcile::Origin,
    slot::{Rules, Slot, State},
};
use failed::FailedRows;
use key_map::{Key, KeyMap};
use pages::Pages;
use received::{Received, is_short};
use spent::{Until, Used};
use users::Users;
pub(crate) use users::{UserId, UserLimits};

use crate::{oauth2::token::Token, secret::Secret};

/// Limit of used refresh tokens that are followed from one row.
const LONGEST_TRAIL: usize = 64;

/// The refresh tokens that are known, and the users.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Refresh tokens in use. They are apart from the others, as a map of few entries stays in the cache
    /// of the processor, however many were used within a minute. None is in both maps.
    in_use: KeyMap<SlotEntry>,
    used: KeyMap<Used>,
    /// Used refresh tokens of rows that `update_token` has not replaced yet, however long ago that was:
    /// the rows still have them.
    stale_rows: KeyMap<StaleRow>,
    /// The tokens of [`Used::Packed`].
    packed: Pages,
    failed: FailedRows,
    users: Users,
}

/// What came for the refresh token of a row, as long as the slot exists that owes the row its update.
#[derive(Debug)]
struct StaleRow {
    slot: Weak<Slot>,
    next: Arc<Published>,
}

/// Slot of a refresh token that is in use, as long as the slot exists.
#[derive(Debug)]
enum SlotEntry {
    By(Weak<Slot>),
    /// The same of a short token, received in the lifetime of the client.
    Received(Box<(Weak<Slot>, Received)>),
}

/// Result of the lookup of a refresh token.
pub(super) enum Found {
    /// A slot in use.
    Slot(Arc<Slot>, By),
    /// A successor that no slot uses.
    Token(Arc<Published>),
    Nothing,
}

/// The refresh token by which a slot was found.
pub(super) enum By {
    Own,
    Used,
    /// That of a login which is still being renewed, though the user has another one by now, with its
    /// token if it was found by a used one.
    Replaced(Option<Arc<Published>>),
}

impl Table {
    pub(super) fn lookup(&self, mut key: Key, rules: &Rules, now: Now) -> Found {
        let mut last = None;
        for _ in 0..LONGEST_TRAIL {
            if let Some(entry) = self.in_use.get(&key) {
                let Some(slot) = entry.slot().upgrade() else {
                    break;
                };
                match slot.forwarded() {
                    None if last.is_none() => return Found::Slot(slot, By::Own),
                    None => return Found::Slot(slot, By::Used),
                    Some(next) if slot.in_flight().is_some() => {
                        return Found::Slot(to_the_end(next), By::Replaced(last));
                    }
                    Some(_) => break,
                }
            }
            let Some(next) = self.next(&key, rules, now) else {
                break;
            };
            let next_key = self::key(&next.token);
            last = Some(next);
            match next_key {
                Some(next) => key = next,
                None => break,
            }
        }
        last.map_or(Found::Nothing, Found::Token)
    }

    /// What came for a used refresh token.
    fn next(&self, key: &Key, rules: &Rules, now: Now) -> Option<Arc<Published>> {
        match self.used.get(key) {
            Some(Used::Token(until, next)) if !until.is_over(now) => Some(next.clone()),
            Some(Used::Packed(until, place)) if !until.is_over(now) => {
                let next = self.packed.get(*place)?;
                Some(Arc::new(Published::restored(next, rules, now.unix)))
            }
            _ => Some(self.stale_rows.get(key)?.next.clone()),
        }
    }

    /// Notes what came for the refresh token of a row, which `update_token` has yet to replace.
    pub(super) fn owe(&mut self, row: Key, slot: &Arc<Slot>, next: &Arc<Published>) {
        // A row that keeps its refresh token is not stale: that is in use.
        if key(&next.token) == Some(row) {
            return;
        }
        let stale = StaleRow {
            slot: Arc::downgrade(slot),
            next: next.clone(),
        };
        let is_dead = |row: &StaleRow| row.slot.strong_count() == 0;
        self.stale_rows.insert(row, stale, is_dead);
    }

    /// Notes that `update_token` has replaced a row. Requests that loaded it before that may come for as
    /// long as after a renewal.
    pub(super) fn replaced(&mut self, row: Key, now: Now) {
        if let Some(stale) = self.stale_rows.remove(&row)
            && self.in_use.get(&row).is_none()
        {
            let used = Used::Token(Until::spent(now), stale.next);
            self.used.insert(row, used, |used| used.is_over(now));
        }
    }

    /// Moves the key of `slot` from `old` to `new`. If the new refresh token has a slot already, the
    /// two are merged.
    pub(super) fn rotate(
        &mut self,
        slot: &Arc<Slot>,
        state: &mut State,
        old: Option<&Published>,
        new: &Arc<Published>,
        now: Now,
    ) {
        let old = old.filter(|old| old.token.refresh_token().is_some());
        let old = old.and_then(|old| state.key.or_else(|| key(&old.token)));
        let next = key(&new.token);
        if let Some(old) = old.filter(|old| Some(*old) != next) {
            let _ = self.in_use.remove(&old);
            self.failed.remove(&old);
            let used = Used::Token(Until::spent(now), new.clone());
            self.used.insert(old, used, |used| used.is_over(now));
            state.spent = Some(old);
        }
        let Some(next) = next else {
            return;
        };
        let other = self.in_use.get(&next);
        let other = other.and_then(|entry| entry.slot().upgrade());
        let is_other = |other: &Arc<_>| !Arc::ptr_eq(other, slot) && other.forwarded().is_none();
        match other.filter(is_other) {
            Some(other) => {
                state.key = None;
                merge(slot, state, other, new);
            }
            None => {
                state.key = Some(next);
                self.add(next, slot, Received::of(new, now), now);
            }
        }
    }

    /// The successor of `token` for `slot`, if its refresh token was used. The next login of a user is
    /// that for no other slot.
    pub(super) fn successor(
        &self,
        slot: &Arc<Slot>,
        token: &Token,
        rules: &Rules,
        now: Now,
    ) -> Option<Arc<Published>> {
        match self.lookup(key(token)?, rules, now) {
            Found::Slot(found, By::Used) => found.published(),
            Found::Slot(next, By::Replaced(_)) if Arc::ptr_eq(&next, slot) => slot.published(),
            Found::Slot(_, By::Replaced(last)) => last,
            Found::Token(published) => Some(published),
            Found::Slot(_, By::Own) | Found::Nothing => None,
        }
    }

    /// Notes that the token is no longer in use, without a successor.
    pub(super) fn forget(&mut self, state: &mut State, old: Option<&Published>) {
        state.key = None;
        if let Some(key) = old.and_then(|old| key(&old.token)) {
            let _ = self.in_use.remove(&key);
            let _ = self.used.remove(&key);
            self.failed.remove(&key);
        }
    }

    /// Notes that the token of `slot` could not be renewed.
    pub(super) fn fail(&mut self, slot: &Slot, now: Now) {
        self.failed.add(slot, now);
    }

    /// Notes that a new slot uses the refresh token, which may have failed before.
    pub(super) fn begin(
        &mut self,
        key: Key,
        slot: &Arc<Slot>,
        received: Option<Received>,
        now: Now,
    ) {
        self.failed.recall(&key, slot, now);
        self.add(key, slot, received, now);
    }

    /// Notes that `slot` uses the refresh token.
    pub(super) fn add(&mut self, key: Key, slot: &Arc<Slot>, received: Option<Received>, now: Now) {
        let slot = Arc::downgrade(slot);
        let entry = match received {
            Some(received) => SlotEntry::Received(Box::new((slot, received))),
            None => SlotEntry::By(slot),
        };
        let _ = self.used.remove(&key);
        self.in_use.insert(key, entry, |entry| entry.is_dead(now));
        self.used.sweep(|used| used.is_over(now));
        self.packed.sweep(now);
        self.failed.sweep(now);
    }

    /// The lifetime of `token`, if it was received a short time ago.
    pub(super) fn received(&self, key: &Key, token: &Token) -> Option<Received> {
        match self.in_use.get(key) {
            Some(SlotEntry::Received(entry)) => Some(entry.1).filter(|received| received.is(token)),
            _ => None,
        }
    }

    /// Lets go of a slot that only the caller holds, with its memory: a weak pointer would keep that.
    /// What was received a short time ago is still known, and a used refresh token still leads to the
    /// token.
    pub(super) fn let_go(&mut self, slot: &Arc<Slot>, state: &State) {
        if let (Some(spent), Some(published)) = (&state.spent, &state.published) {
            self.pack(spent, published);
        }
        let Some(key) = &state.key else {
            return;
        };
        let is_own = |found: &Weak<Slot>| std::ptr::eq(found.as_ptr(), Arc::as_ptr(slot));
        match self.in_use.get_mut(key) {
            Some(SlotEntry::Received(entry)) if is_own(&entry.0) => entry.0 = Weak::new(),
            Some(SlotEntry::By(found)) if is_own(found) => {
                let _ = self.in_use.remove(key);
            }
            _ => {}
        }
    }

    /// Keeps a token that is in use no longer in little memory.
    fn pack(&mut self, spent: &Key, published: &Arc<Published>) {
        // Whole seconds are enough for all others.
        if is_short(&published.token) {
            return;
        }
        if let Some(used) = self.used.get_mut(spent)
            && let Used::Token(until, next) = used
            && Arc::ptr_eq(next, published)
            && let Some(place) = self.packed.keep(&published.token, *until)
        {
            *used = Used::Packed(*until, place);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.in_use.len() + self.used.len() + self.stale_rows.len()
    }
}

/// Forwards the handles of `slot` to `other`, which has the same refresh token by now. The store
/// goes along.
fn merge(slot: &Arc<Slot>, state: &mut State, other: Arc<Slot>, new: &Arc<Published>) {
    let mut into = other.write();
    // A slot has at most one store.
    if state.store.is_some() && into.store.is_some() {
        return;
    }
    let is_same = into.published.as_ref().is_some_and(|own| own.is_same(new));
    let has_newer = is_newer_than(into.own(), &new.token);
    // The token of a renewal in flight there will be newer than both.
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
        // A save in progress is that of the other slot.
        store.saving = None;
        into.store = Some(store);
    }
    if !into.is_saved() {
        slot.registry.add(&other);
    }
    drop(into);
    state.forwarded = Some(other);
}

/// The slot at the end of the forwarding.
pub(super) fn to_the_end(mut slot: Arc<Slot>) -> Arc<Slot> {
    loop {
        let Some(next) = slot.forwarded() else {
            return slot;
        };
        slot = next;
    }
}

impl SlotEntry {
    fn slot(&self) -> &Weak<Slot> {
        match self {
            Self::By(slot) => slot,
            Self::Received(entry) => &entry.0,
        }
    }

    fn is_dead(&self, now: Now) -> bool {
        match self {
            Self::By(slot) => slot.strong_count() == 0,
            Self::Received(entry) => {
                let (slot, received) = &**entry;
                slot.strong_count() == 0 && now.monotonic >= received.until
            }
        }
    }
}

pub(super) fn key(token: &Token) -> Option<Key> {
    token.refresh_token().and_then(key_of)
}

pub(super) fn key_of(refresh_token: &Secret) -> Option<Key> {
    refresh_token.digest().first_chunk().copied()
}

/// Whether a row is newer than the token in use. One with the same access token never is: the token
/// in use has more precise times.
pub(super) fn is_newer(token: &Token, own: Option<&Token>) -> bool {
    own.is_none_or(|own| age(token) > age(own) && token.access_token() != own.access_token())
}

/// Whether the token in use is newer than `token`.
pub(super) fn is_newer_than(own: Option<&Token>, token: &Token) -> bool {
    own.is_some_and(|own| age(own) > age(token))
}

fn age(token: &Token) -> (Option<u64>, Option<u64>) {
    (token.issued_at_unix(), token.expires_at_unix())
}

#[cfg(test)]
mod tests;
