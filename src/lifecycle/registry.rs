//! Slots with a flight or with undelivered tokens: they stay until all is delivered, and `close`
//! finds them here.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    outbox::SUPERSEDED,
    slot::{Rules, Slot},
};

/// Its lock is the last that is taken: nothing else is locked while it is held.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The rules for all slots.
    pub(super) rules: Rules,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
struct Entries {
    /// All of them, by their identifier.
    slots: HashMap<usize, Arc<Slot>, BuildHasherDefault<ByAddress>>,
    /// Those whose token no handle uses, the oldest first.
    superseded: VecDeque<usize>,
}

/// Hash of an address, which nobody else chooses.
#[derive(Default)]
struct ByAddress(u64);

impl Hasher for ByAddress {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        /// 2^64 divided by the golden ratio, which distributes multiples of a power of two.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ address as u64).wrapping_mul(FACTOR);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

impl Registry {
    pub(super) fn new(rules: Rules) -> Self {
        let entries = Entries {
            slots: HashMap::default(),
            superseded: VecDeque::new(),
        };
        Self {
            rules,
            entries: Mutex::new(entries),
        }
    }

    pub(super) fn add(&self, slot: &Arc<Slot>) {
        let mut entries = self.lock();
        entries
            .slots
            .entry(slot.id())
            .or_insert_with(|| slot.clone());
    }

    /// The caller holds the slot itself, so this never drops it.
    pub(super) fn remove(&self, slot: &Slot) {
        let mut entries = self.lock();
        if entries.slots.remove(&slot.id()).is_some() {
            entries.superseded.retain(|id| *id != slot.id());
        }
    }

    /// Limits the superseded logins with undelivered tokens: the oldest one is dropped.
    #[must_use]
    pub(super) fn supersede(&self, slot: &Slot) -> Option<Arc<Slot>> {
        let mut entries = self.lock();
        if !entries.slots.contains_key(&slot.id()) || entries.superseded.contains(&slot.id()) {
            return None;
        }
        entries.superseded.push_back(slot.id());
        if entries.superseded.len() <= SUPERSEDED {
            return None;
        }
        let oldest = entries.superseded.pop_front()?;
        entries.slots.remove(&oldest)
    }

    /// The token of a slot is in use again.
    pub(super) fn reuse(&self, slot: &Slot) {
        self.lock().superseded.retain(|id| *id != slot.id());
    }

    /// All of them.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.lock().slots.values().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().slots.is_empty()
    }

    /// Removes all of them, each of which holds the registry itself.
    pub(super) fn clear(&self) {
        let slots = std::mem::take(&mut self.lock().slots);
        // Their stores may end with them, for which nothing is locked.
        drop(slots);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
