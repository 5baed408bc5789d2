//! Stores, that of the client and one for each user, and what is done for users.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    events::{External, Index, Life, Row, USERS},
    world::{World, refresh_token, take},
};
use crate::{
    lifecycle::{
        table::{UserId, to_the_end},
        testing::{TestSlot, store, store_of},
    },
    oauth2::token::Token,
    token_store::StoredToken,
};

/// The stores, by their numbers.
#[derive(Default)]
pub(super) struct Stores {
    rows: HashMap<usize, StoredToken>,
    leases: [Arc<()>; USERS + 1],
    leased_elsewhere: HashSet<usize>,
    broken: HashSet<usize>,
}

impl Stores {
    pub(super) fn row(&self, store: usize) -> Option<&StoredToken> {
        self.rows.get(&store)
    }

    pub(super) fn put(&mut self, store: usize, row: StoredToken) {
        self.rows.insert(store, row);
    }

    /// The lease, if nobody has it.
    pub(super) fn lease(&self, store: usize) -> Option<Arc<()>> {
        let lease = &self.leases[store];
        let is_free = !self.leased_elsewhere.contains(&store) && Arc::strong_count(lease) == 1;
        is_free.then(|| lease.clone())
    }

    pub(super) fn is_broken(&self, store: usize) -> bool {
        self.broken.contains(&store)
    }

    pub(super) fn toggle_broken(&mut self, store: usize) {
        toggle(&mut self.broken, store);
    }

    /// From now on nothing fails, and nobody else has a lease.
    pub(super) fn repair(&mut self) {
        self.broken.clear();
        self.leased_elsewhere.clear();
    }
}

fn toggle(all: &mut HashSet<usize>, one: usize) {
    if !all.remove(&one) {
        all.insert(one);
    }
}

fn id(user: usize) -> UserId {
    UserId::new(&user.to_string())
}

fn user(index: Index) -> usize {
    1 + usize::from(index) % USERS
}

impl World {
    /// One of the stores that there are.
    pub(super) fn store(&self, index: Index) -> usize {
        match (self.homes[0], self.has_users) {
            (Some(_), true) => usize::from(index) % (USERS + 1),
            (None, true) => user(index),
            (_, false) => 0,
        }
    }

    /// What is in the store of a slot.
    pub(super) fn row_of(&self, slot: &TestSlot) -> Option<StoredToken> {
        self.stores.row(store_of(slot)?).cloned()
    }

    pub(super) fn is_out_of_reach(&self, slot: &TestSlot) -> bool {
        let store = store_of(slot);
        store.is_some_and(|store| self.stores.is_broken(store))
    }

    /// Acts as another process, or replica.
    pub(super) fn act_externally(&mut self, store: Index, what: External) {
        let store = self.store(store);
        let row = self.stores.row(store);
        let version = row.map_or(0, |row| row.version) + 1;
        let old = row.and_then(|row| row.token.clone());
        let token = match what {
            External::Lease => return toggle(&mut self.stores.leased_elsewhere, store),
            External::Loss => {
                self.stores.rows.remove(&store);
                return;
            }
            External::Revocation => {
                self.revoked.extend(old.as_ref().and_then(refresh_token));
                None
            }
            External::Login => Some(self.token_for_store(Row::Login)),
            External::Back(index) => Some(self.token_for_store(Row::Known(index))),
            External::Renewal => {
                let Some(old) = old else {
                    return;
                };
                let new = self.make(None, Life::Seconds(90));
                self.inherit(&old, &new);
                Some(new)
            }
        };
        self.stores.put(store, StoredToken::new(token, version));
    }

    /// The slot of a user, for one more handle.
    fn slot_of(&mut self, user: usize) -> TestSlot {
        let slot = self.slots.of_user(id(user), self.now);
        let slot =
            slot.unwrap_or_else(|| self.slots.add_user(id(user), Some(store(user)), self.now));
        self.see(&slot);
        slot
    }

    pub(super) fn for_user(&mut self, index: Index) {
        let slot = self.slot_of(user(index));
        self.handles.push(slot);
        self.homes.push(Some(user(index)));
    }

    /// Gives a user a token, or none.
    pub(super) fn assign(&mut self, user: usize, slot: &TestSlot, token: Option<Token>) {
        let next = self.slots.assign(id(user), slot, token, self.now);
        self.see(&next);
    }

    /// Keeps the login of a child, as with `login.client`, or a new one. No login is in two stores.
    pub(super) fn keep_for(&mut self, index: Index, child: Index) {
        let handles = self.handles.iter().cloned().map(to_the_end);
        let tokens = handles.filter_map(|slot| Some(slot.published()?.token.clone()));
        let mut logins: Vec<_> = tokens.filter(|token| !self.is_kept(token)).collect();
        let token = match take(&mut logins, child) {
            Some(login) if child.is_multiple_of(2) => login,
            _ => self.token(Row::Login),
        };
        self.keep(&token);
        let slot = self.slot_of(user(index));
        self.assign(user(index), &slot, Some(token));
        self.slots.forget_handle(slot);
    }

    /// Revokes the token of a user and forgets it, under the lease, if there is no renewal that has
    /// to be waited for.
    pub(super) fn forget_user(&mut self, index: Index) {
        let slot = self.slot_of(user(index));
        let end = to_the_end(slot.clone());
        let lease = self.stores.lease(user(index));
        if lease.is_some() && end.in_flight().is_none() && !self.is_out_of_reach(&end) {
            self.read(&end);
            if let Some(published) = end.published() {
                self.revoked.extend(refresh_token(&published.token));
                self.assign(user(index), &slot, None);
            }
        }
        drop((lease, end));
        self.slots.forget_handle(slot);
    }

    /// The slots of the users who are in the table.
    pub(super) fn slots_of_users(&self) -> Vec<TestSlot> {
        let users = 1..=USERS;
        let slots = users.filter_map(|user| self.slots.of_user(id(user), self.now));
        slots
            .map(|slot| {
                let end = to_the_end(slot.clone());
                self.slots.forget_handle(slot);
                end
            })
            .collect()
    }

    /// Nobody uses them for their idle time.
    pub(super) fn let_users_go(&mut self) {
        self.now.monotonic += Duration::from_secs(1000);
        assert!(self.slots.of_user(id(0), self.now).is_none());
    }

    /// Each store has at most one slot, and the handles that have one all lead to it.
    pub(super) fn check_stores(&self, ends: &[TestSlot]) {
        let mut stored = HashMap::new();
        for slot in self.seen.iter().filter_map(Weak::upgrade) {
            if let Some(store) = store_of(&slot) {
                let other = stored.insert(store, slot);
                assert!(other.is_none(), "two slots have the store {store}");
            }
        }
        for (home, slot) in self.homes.iter().zip(ends) {
            if let Some(store) = home {
                let owner = stored.get(store).expect("the slot of a handle");
                assert!(Arc::ptr_eq(owner, slot), "whose the store {store} is");
            }
        }
        assert!(self.homes[0].is_some() || !stored.contains_key(&0));
    }
}
