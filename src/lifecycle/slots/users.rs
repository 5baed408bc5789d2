//! The slots of users: one user, one slot.

use std::sync::Arc;

use super::Slots;
use crate::{
    lifecycle::{
        now::Now,
        reconcile::{Origin, StoreState},
        slot::Slot,
        table::{Table, UserId, is_newer_than, to_the_end},
    },
    oauth2::token::Token,
};

impl Slots {
    /// The slot of a user for one more handle, if it is in use or was a short time ago.
    pub(crate) fn of_user(&self, user: UserId, now: Now) -> Option<Arc<Slot>> {
        let mut table = self.lock();
        let (slot, leaving) = table.of_user(user, &self.rules.users, now);
        if let Some(slot) = &slot {
            slot.write().handles += 1;
        }
        drop(table);
        drop(leaving);
        slot
    }

    /// The same with a new slot, whose token is in this store, unless there is one by now. A token
    /// that is exchanged is in none.
    pub(crate) fn add_user(
        &self,
        user: UserId,
        mut store: Option<Box<StoreState>>,
        now: Now,
    ) -> Arc<Slot> {
        if let Some(store) = &mut store {
            store.is_of_user = true;
        }
        let new = self.slot(None, store, None);
        let mut table = self.lock();
        let (slot, leaving) = table.add_user(user, new.clone(), &self.rules.users, now);
        if !Arc::ptr_eq(&slot, &new) {
            slot.write().handles += 1;
        }
        drop(table);
        drop((leaving, new));
        slot
    }

    /// Gives a user, whose slot this is, the token of a login, or none. All handles of the user go
    /// along, as the user is what they know, and so does the store.
    pub(crate) fn assign(
        &self,
        user: UserId,
        slot: &Arc<Slot>,
        token: Option<Token>,
        now: Now,
    ) -> Arc<Slot> {
        let origin = match token {
            Some(_) => Origin::Caller,
            None => Origin::Revocation,
        };
        let mut table = self.lock();
        let old = to_the_end(slot.clone());
        let (next, is_spent) = match &token {
            Some(token) => self.locate_for_store(&mut table, &old, token.clone(), now),
            None => (self.slot(None, None, None), false),
        };
        // The user is in the table, which is no handle.
        next.write().handles -= 1;
        if !Arc::ptr_eq(&old, &next) {
            self.forward(&mut table, &old, &next, origin);
            table.point_user(user, &next);
        }
        let mut state = next.write();
        if let Some(token) = token
            && !is_spent
            && state.own() != Some(&token)
            && !is_newer_than(state.own(), &token)
        {
            state.publish(Some(self.restored(token, now)));
        }
        if let Some(store) = &mut state.store {
            store.save(origin);
            self.registry.add(&next);
        }
        drop(state);
        next
    }

    /// Points a handle from `slot` to that of a user, who was given its token. None if it has another
    /// one by now, or a store.
    pub(crate) fn share(
        &self,
        slot: &Arc<Slot>,
        of_user: &Arc<Slot>,
        token: &Token,
    ) -> Option<Arc<Slot>> {
        let _table = self.lock();
        let [slot, next] = [slot, of_user].map(|slot| to_the_end(slot.clone()));
        if Arc::ptr_eq(&slot, &next) {
            return Some(next);
        }
        let mut state = slot.write();
        // Without a refresh token, by which the user would have been given this slot.
        let is_own = state.own() == Some(token) && state.key.is_none();
        if state.store.is_some() || !is_own {
            return None;
        }
        self.leave(&slot, &mut state, false);
        drop(state);
        next.write().handles += 1;
        Some(next)
    }

    /// Forwards the handles of a user from `old` to `next`, with the store.
    fn forward(&self, table: &mut Table, old: &Arc<Slot>, next: &Arc<Slot>, origin: Origin) {
        let mut state = old.write();
        // A refresh token that is in a request leads to the next token until the end of that.
        if state.flight.is_none() && state.key.is_some() {
            let published = state.published.clone();
            table.forget(&mut state, published.as_deref());
        }
        let handles = std::mem::take(&mut state.handles);
        let store = state.store.take();
        state.publish(None);
        state.superseded = true;
        state.outbox.supersede();
        self.note_dropped(self.registry.supersede(old).is_some());
        old.check_settled(&state);
        state.forwarded = Some(next.clone());
        drop(state);
        let mut state = next.write();
        state.handles += handles;
        state.superseded = false;
        self.registry.reuse(next);
        state.store = store.map(|store| store.moved(origin));
    }
}

#[cfg(test)]
mod tests;
