//! Updates that a slot has yet to deliver to `update_token`: in order, each until it is taken.

use std::{collections::VecDeque, sync::Arc};

use super::{
    single_flight::{Outcome, Waiter},
    slot::{Slot, State},
    update::TokenUpdate,
};

/// Limit of undelivered updates of superseded logins.
pub(super) const SUPERSEDED: usize = 64;

/// The updates of a slot.
#[derive(Debug)]
pub(super) struct Outbox<W> {
    /// Undelivered; the last one is merged with the next.
    updates: VecDeque<TokenUpdate>,
    /// Set while one is delivered, so that they are delivered one after the other.
    pub(super) telling: Option<W>,
}

impl<W> Default for Outbox<W> {
    fn default() -> Self {
        Self {
            updates: VecDeque::new(),
            telling: None,
        }
    }
}

impl<W> Outbox<W> {
    /// Adds an update; returns the oldest of a superseded login if it is dropped for it.
    #[must_use]
    pub(super) fn add(&mut self, mut update: TokenUpdate) -> Option<TokenUpdate> {
        let follows = |earlier: &TokenUpdate| !earlier.superseded;
        if !update.superseded
            && self.updates.back().is_some_and(follows)
            && let Some(earlier) = self.updates.pop_back()
        {
            update = update.after(earlier);
        }
        self.updates.push_back(update);
        let superseded = self.updates.iter().filter(|update| update.superseded);
        if superseded.count() <= SUPERSEDED {
            return None;
        }
        let oldest = self.updates.iter().position(|update| update.superseded)?;
        self.updates.remove(oldest)
    }

    /// Marks all updates: another token has replaced theirs.
    pub(super) fn supersede(&mut self) {
        for update in &mut self.updates {
            update.superseded = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// Puts back an update that was not taken, merged with the next one.
    fn put_back(&mut self, update: TokenUpdate) {
        let next = self.updates.pop_front();
        match next {
            Some(next) if !next.superseded && !update.superseded => {
                self.updates.push_front(next.after(update));
            }
            next => {
                next.into_iter()
                    .for_each(|next| self.updates.push_front(next));
                self.updates.push_front(update);
            }
        }
    }
}

/// Next delivery of a slot, and the caller that does it.
pub(crate) enum Due<T, W: Waiter> {
    Nothing,
    Mine(T, InProgress<W>),
    /// Another caller does it; settled when it has ended.
    Busy(W),
}

/// Kind of delivery, each done by one caller at a time. Saving does not wait for a hook, as a login
/// that is to be saved would wait for it, too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    Save,
    Tell,
}

impl<W: Waiter> Slot<W> {
    /// Takes the next update. It goes back unless it is [`InProgress::done`].
    pub(crate) fn take_update(self: &Arc<Self>) -> Due<TokenUpdate, W> {
        let mut state = self.write();
        if let Some(other) = &state.outbox.telling {
            return Due::Busy(other.clone());
        }
        match state.outbox.updates.pop_front() {
            None => Due::Nothing,
            Some(update) => {
                let progress = self.begin(&mut state, Task::Tell, Some(update.clone()));
                Due::Mine(update, progress)
            }
        }
    }

    pub(super) fn begin(
        self: &Arc<Self>,
        state: &mut State<W>,
        task: Task,
        undone: Option<TokenUpdate>,
    ) -> InProgress<W> {
        let waiter = W::default();
        if let Some(busy) = state.busy(task) {
            *busy = Some(waiter.clone());
        }
        InProgress {
            slot: self.clone(),
            task,
            undone,
            waiter,
        }
    }
}

impl<W: Waiter> State<W> {
    fn busy(&mut self, task: Task) -> Option<&mut Option<W>> {
        match task {
            Task::Tell => Some(&mut self.outbox.telling),
            Task::Save => self.store.as_mut().map(|store| &mut store.saving),
        }
    }
}

/// Right to save or to call the hook. If a hook fails, panics or is cut off, its update is delivered
/// again; an unsaved token stays so until it is saved.
pub(crate) struct InProgress<W: Waiter> {
    slot: Arc<Slot<W>>,
    task: Task,
    undone: Option<TokenUpdate>,
    waiter: W,
}

impl<W: Waiter> InProgress<W> {
    pub(crate) fn done(mut self) {
        self.undone = None;
    }
}

impl<W: Waiter> Drop for InProgress<W> {
    fn drop(&mut self) {
        let mut state = self.slot.write();
        if let Some(mut update) = self.undone.take() {
            update.superseded |= state.superseded;
            state.outbox.put_back(update);
        }
        if let Some(busy) = state.busy(self.task) {
            *busy = None;
        }
        self.slot.check_settled(&state);
        drop(state);
        self.waiter.settle(Ok(Outcome::Unchanged));
    }
}
