//! The slots of `for_token` children: children with equal refresh tokens share one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use super::slot::{Origin, Rules, Slot};
use crate::{oauth2::token::Token, secret::Secret};

/// How long a spent refresh token leads to the token that took its place: requests that loaded
/// their row before the renewal are done by then.
const SPENT: Duration = Duration::from_secs(60);

/// By the SHA-256 of the refresh token, so that no secret stands in a key.
#[derive(Default)]
pub(super) struct Children(Mutex<Table>);

#[derive(Default)]
struct Table {
    slots: HashMap<[u8; 32], Entry>,
    /// The spent ones, in the order in which their time ends.
    spent: VecDeque<(Duration, [u8; 32])>,
    /// The size at which dead entries are looked for.
    sweep_at: usize,
}

enum Entry {
    /// The refresh token is in use, as long as somebody holds the slot.
    Live(Weak<Slot>),
    /// It was spent; the slot is kept until that time, and good as long as it is the same owner's.
    Spent(Arc<Slot>, Duration, u64),
}

impl Entry {
    fn slot(&self, now: Duration) -> Option<Arc<Slot>> {
        match self {
            Self::Live(slot) => slot.upgrade(),
            Self::Spent(slot, until, owner) => {
                (now < *until && slot.owner() == *owner).then(|| slot.clone())
            }
        }
    }

    fn is_dead(&self, now: Duration) -> bool {
        match self {
            Self::Live(slot) => slot.strong_count() == 0,
            Self::Spent(_, until, _) => now >= *until,
        }
    }
}

impl Children {
    /// The slot for a child with `token`.
    pub(super) fn slot(&self, token: Token, rules: Rules, now: Duration) -> Arc<Slot> {
        let Some(key) = token.refresh_token().map(Secret::digest) else {
            return child(token, rules);
        };
        let mut table = self.lock();
        if let Some(entry) = table.slots.get(&key)
            && let Some(slot) = entry.slot(now)
        {
            // A spent refresh token comes with a stale row, whatever its times say.
            if matches!(entry, Entry::Live(_)) {
                slot.adopt(token);
            }
            return slot;
        }
        let slot = child(token, rules);
        table.insert(key, Entry::Live(Arc::downgrade(&slot)), now);
        slot
    }

    /// A renewal has put `new` into `slot`, where `old` was.
    pub(super) fn rotated(&self, slot: &Arc<Slot>, old: &Token, new: &Token, now: Duration) {
        let [old, new] = [old, new].map(|token| token.refresh_token().map(Secret::digest));
        if old == new {
            return;
        }
        let mut table = self.lock();
        if let Some(old) = old {
            let until = now.saturating_add(SPENT);
            let entry = Entry::Spent(slot.clone(), until, slot.owner());
            table.insert(old, entry, now);
            table.spent.push_back((until, old));
        }
        if let Some(new) = new {
            table.insert(new, Entry::Live(Arc::downgrade(slot)), now);
        }
    }

    /// The caller has put `new` into `slot`: `old` leads there no longer.
    pub(super) fn moved(
        &self,
        slot: &Arc<Slot>,
        old: Option<&Token>,
        new: Option<&Token>,
        now: Duration,
    ) {
        let [old, new] = [old, new].map(|token| token?.refresh_token().map(Secret::digest));
        let mut table = self.lock();
        if let Some(old) = old {
            table.slots.remove(&old);
        }
        if let Some(new) = new {
            table.insert(new, Entry::Live(Arc::downgrade(slot)), now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Spent entries go when their time has come; other dead ones are cleared away whenever the
    /// table has doubled, so that it costs each insertion about the same.
    fn insert(&mut self, key: [u8; 32], entry: Entry, now: Duration) {
        while self.spent.front().is_some_and(|(until, _)| *until <= now)
            && let Some((_, key)) = self.spent.pop_front()
        {
            if self.slots.get(&key).is_some_and(|entry| entry.is_dead(now)) {
                self.slots.remove(&key);
            }
        }
        if self.slots.len() >= self.sweep_at {
            self.slots.retain(|_, entry| !entry.is_dead(now));
            self.sweep_at = (self.slots.len() * 2).max(64);
        }
        self.slots.insert(key, entry);
    }
}

fn child(token: Token, rules: Rules) -> Arc<Slot> {
    let origin = Origin {
        grant: None,
        child: true,
        stored: false,
    };
    Arc::new(Slot::new(Some(token), rules, origin))
}
