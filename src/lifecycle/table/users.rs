//! The slots of the users who were active a short time ago.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ring::digest::{SHA256, digest};

use super::{
    Table,
    key_map::{Key, KeyMap},
    to_the_end,
};
use crate::lifecycle::{now::Now, slot::Slot};

/// Slots that are looked at for each new one.
const STEPS: usize = 2;
/// The same if there are too many.
const MORE_STEPS: usize = 16;

/// Time between two sweeps if no slot is new.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Identity of a user in the table: the first half of the SHA-256 of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserId(Key);

impl UserId {
    pub(crate) fn new(name: &str) -> Self {
        Self::of(name.as_bytes())
    }

    /// The identity of the tokens of an exchange with this fingerprint. No user has it, as the name
    /// of a user is UTF-8.
    pub(crate) fn of_exchange(fingerprint: &[u8]) -> Self {
        Self::of(&[&[0xff], fingerprint].concat())
    }

    fn of(bytes: &[u8]) -> Self {
        let digest = digest(&SHA256, bytes);
        // A SHA-256 has 32 bytes.
        Self(*digest.as_ref().first_chunk().unwrap_or(&[0; 16]))
    }
}

/// How long, and how many, slots of users stay while no handle points to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserLimits {
    pub(crate) idle: Duration,
    pub(crate) count: usize,
}

impl Default for UserLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(300),
            count: 10_000,
        }
    }
}

/// The slots of users, which stay for some time after their use.
#[derive(Debug, Default)]
pub(super) struct Users {
    entries: KeyMap<User>,
    /// The key of each entry, once. The first one is looked at next.
    queue: VecDeque<Key>,
    /// By monotonic time.
    next_sweep: Duration,
}

#[derive(Debug)]
struct User {
    slot: Arc<Slot>,
    last: LastUse,
}

/// The last use of a slot: milliseconds of monotonic time, and in the last bit whether it was since
/// the slot was looked at last. There are many of them.
#[derive(Clone, Copy, Debug)]
struct LastUse(u64);

impl LastUse {
    fn at(now: Now) -> Self {
        let seconds = now.monotonic.as_secs().saturating_mul(1000);
        Self(seconds.saturating_add(now.monotonic.subsec_millis().into()) << 1 | 1)
    }

    /// Whether it was so long ago that the slot may leave.
    fn is_idle(self, limits: &UserLimits, now: Now) -> bool {
        let used = Duration::from_millis(self.0 >> 1);
        now.monotonic.saturating_sub(used) >= limits.idle
    }

    /// Whether it was since the last call of this.
    fn take_recent(&mut self) -> bool {
        let is_recent = self.0 & 1 == 1;
        self.0 &= !1;
        is_recent
    }
}

/// Slots that leave the table, to be dropped when it is not locked: a store is the user's own code.
pub(in crate::lifecycle) type Leaving = Vec<Arc<Slot>>;

impl Table {
    /// The slot of a user, unless it has been idle for so long that it has to be loaded again.
    pub(in crate::lifecycle) fn of_user(
        &mut self,
        user: UserId,
        limits: &UserLimits,
        now: Now,
    ) -> (Option<Arc<Slot>>, Leaving) {
        let mut leaving = Vec::new();
        let slot = self.users.entries.get_mut(&user.0).and_then(|entry| {
            let is_idle = entry.last.is_idle(limits, now);
            if is_idle && entry.is_unused() {
                return None;
            }
            entry.touch(now);
            Some(entry.current().clone())
        });
        if now.monotonic >= self.users.next_sweep {
            self.users.next_sweep = now.monotonic.saturating_add(SWEEP_INTERVAL);
            let steps = MORE_STEPS + self.users.queue.len() / 64;
            self.sweep(steps, limits, now, &mut leaving);
        }
        (slot, leaving)
    }

    /// Adds the slot of a user, unless there is one by now. Others leave for it.
    pub(in crate::lifecycle) fn add_user(
        &mut self,
        user: UserId,
        slot: Arc<Slot>,
        limits: &UserLimits,
        now: Now,
    ) -> (Arc<Slot>, Leaving) {
        let mut leaving = Vec::new();
        if let Some(entry) = self.users.entries.get_mut(&user.0) {
            let is_idle = entry.last.is_idle(limits, now);
            entry.touch(now);
            if is_idle && entry.is_unused() {
                leaving.push(std::mem::replace(&mut entry.slot, slot));
                let slot = entry.slot.clone();
                self.let_go_of(&leaving);
                return (slot, leaving);
            }
            let current = entry.current().clone();
            leaving.push(slot);
            return (current, leaving);
        }
        let entry = User {
            slot: slot.clone(),
            last: LastUse::at(now),
        };
        self.users.entries.insert(user.0, entry, |_| false);
        self.users.queue.push_back(user.0);
        self.sweep(STEPS, limits, now, &mut leaving);
        (slot, leaving)
    }

    /// Points a user to another slot. Their handles have been forwarded to it.
    pub(in crate::lifecycle) fn point_user(&mut self, user: UserId, slot: &Arc<Slot>) {
        if let Some(entry) = self.users.entries.get_mut(&user.0) {
            entry.slot = slot.clone();
        }
    }

    /// Removes some of the slots that are idle; and of those that are too many, first the ones that
    /// were not used since they were looked at last.
    fn sweep(&mut self, steps: usize, limits: &UserLimits, now: Now, leaving: &mut Leaving) {
        let before = leaving.len();
        for step in 0..2 * MORE_STEPS.max(steps) {
            let is_over = self.users.queue.len() > limits.count;
            if step >= steps && !is_over {
                break;
            }
            let Some(key) = self.users.queue.pop_front() else {
                break;
            };
            let Some(entry) = self.users.entries.get_mut(&key) else {
                continue;
            };
            let is_idle = entry.last.is_idle(limits, now);
            let is_recent = entry.last.take_recent();
            let has_to_leave = is_idle || (is_over && (!is_recent || step >= MORE_STEPS));
            if has_to_leave && entry.is_unused() {
                leaving.extend(self.users.entries.remove(&key).map(|entry| entry.slot));
            } else {
                self.users.queue.push_back(key);
            }
        }
        if leaving.len() > before {
            self.let_go_of(&leaving[before..]);
        }
    }

    fn let_go_of(&mut self, slots: &[Arc<Slot>]) {
        for slot in slots {
            self.let_go(slot, &slot.read());
        }
    }

    #[cfg(test)]
    pub(in crate::lifecycle) fn users(&self) -> usize {
        assert_eq!(self.users.queue.len(), self.users.entries.len());
        self.users.queue.len()
    }
}

impl User {
    fn touch(&mut self, now: Now) {
        self.last = LastUse::at(now);
    }

    /// The slot, which may have been merged with another.
    fn current(&mut self) -> &Arc<Slot> {
        if let Some(next) = self.slot.forwarded() {
            self.slot = to_the_end(next);
        }
        &self.slot
    }

    /// Whether nothing but the table knows the slot. One with anything in flight or undelivered is
    /// in the registry.
    fn is_unused(&mut self) -> bool {
        Arc::strong_count(self.current()) == 1
    }
}
