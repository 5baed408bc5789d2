//! Updates that a slot has yet to deliver to `update_token`: in order, each until it is taken.

use std::{collections::VecDeque, sync::Arc};

use super::{
    slot::{Slot, State},
    table::{key_map::Key, key_of},
    update::TokenUpdate,
};
use crate::signal::Signal;

/// Limit of undelivered updates of superseded logins.
pub(super) const SUPERSEDED: usize = 64;

/// The updates of a slot.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Undelivered, seldom any.
    updates: Option<Box<Updates>>,
    /// Set while one is delivered, so that they are delivered one after the other.
    pub(super) delivering: Option<Arc<Signal<()>>>,
}

#[derive(Debug, Default)]
struct Updates {
    /// The last one is merged with the next.
    queue: VecDeque<TokenUpdate>,
    /// Whether the hook was called with the first one. It may have stored that, and then failed: the
    /// row is found by the token of that update only, so nothing is merged with it any more.
    is_first_told: bool,
}

impl Updates {
    fn can_merge_last(&self) -> bool {
        let is_told = self.is_first_told && self.queue.len() == 1;
        let last = self.queue.back();
        !is_told && last.is_some_and(|last| !last.superseded)
    }

    fn remove(&mut self, at: usize) -> Option<TokenUpdate> {
        self.is_first_told &= at != 0;
        self.queue.remove(at)
    }
}

impl Outbox {
    /// Adds an update; returns the oldest of a superseded login if it is dropped for it.
    #[must_use]
    pub(super) fn add(&mut self, mut update: TokenUpdate) -> Option<TokenUpdate> {
        let updates = self.updates.get_or_insert_default();
        if !update.superseded
            && updates.can_merge_last()
            && let Some(earlier) = updates.queue.pop_back()
        {
            update = update.after(earlier);
        }
        updates.queue.push_back(update);
        let superseded = updates.queue.iter().filter(|update| update.superseded);
        if superseded.count() <= SUPERSEDED {
            return None;
        }
        let oldest = updates.queue.iter().position(|update| update.superseded)?;
        updates.remove(oldest)
    }

    /// Marks all updates: another token has replaced theirs.
    pub(super) fn supersede(&mut self) {
        let queues = self.updates.iter_mut();
        for update in queues.flat_map(|updates| updates.queue.iter_mut()) {
            update.superseded = true;
        }
    }

    /// The refresh token of the row that the last update replaces.
    pub(super) fn last_row(&self) -> Option<Key> {
        self.updates.as_ref()?.queue.back().and_then(row)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.updates.is_none()
    }

    /// Takes the next update.
    fn take(&mut self) -> Option<TokenUpdate> {
        let update = self.updates.as_mut()?.remove(0);
        self.updates.take_if(|updates| updates.queue.is_empty());
        update
    }

    /// Puts back an update that was not taken. It is told again as it was.
    fn put_back(&mut self, update: TokenUpdate) {
        let updates = self.updates.get_or_insert_default();
        updates.queue.push_front(update);
        updates.is_first_told = true;
    }
}

/// Next delivery of a slot, and the caller that does it.
pub(crate) enum Due<T> {
    Nothing,
    Mine(T, InProgress),
    /// Another caller does it, until this is set.
    Busy(Arc<Signal<()>>),
}

/// Kind of delivery, each done by one caller at a time. Saving does not wait for a hook, as a login
/// that is to be saved would wait for it, too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    Save,
    Deliver,
}

impl Slot {
    /// Takes the next update. It goes back unless it is [`InProgress::done`].
    pub(crate) fn take_update(self: &Arc<Self>) -> Due<TokenUpdate> {
        let mut state = self.write();
        if let Some(other) = &state.outbox.delivering {
            return Due::Busy(other.clone());
        }
        match state.outbox.take() {
            None => Due::Nothing,
            Some(update) => {
                let progress = self.begin(&mut state, Task::Deliver, Some(update.clone()));
                Due::Mine(update, progress)
            }
        }
    }

    pub(super) fn begin(
        self: &Arc<Self>,
        state: &mut State,
        task: Task,
        undone: Option<TokenUpdate>,
    ) -> InProgress {
        let ended = Arc::<Signal<()>>::default();
        if let Some(busy) = state.busy(task) {
            *busy = Some(ended.clone());
        }
        InProgress {
            slot: self.clone(),
            task,
            undone,
            ended,
        }
    }
}

impl State {
    fn busy(&mut self, task: Task) -> Option<&mut Option<Arc<Signal<()>>>> {
        match task {
            Task::Deliver => Some(&mut self.outbox.delivering),
            Task::Save => self.store.as_mut().map(|store| &mut store.saving),
        }
    }
}

/// Right to save or to call the hook. If a hook fails, panics or is cut off, its update is delivered
/// again; an unsaved token stays so until it is saved.
pub(crate) struct InProgress {
    slot: Arc<Slot>,
    task: Task,
    undone: Option<TokenUpdate>,
    ended: Arc<Signal<()>>,
}

impl InProgress {
    /// The refresh token of the row that the update replaces, unless another one is to replace it, too.
    pub(super) fn row(&self) -> Option<Key> {
        let update = self.undone.as_ref()?;
        let replaces =
            |other: &TokenUpdate| other.previous_refresh_token == update.previous_refresh_token;
        let state = self.slot.read();
        let mut left = state.outbox.updates.iter().flat_map(|it| &it.queue);
        match left.any(replaces) {
            true => None,
            false => row(update),
        }
    }

    pub(crate) fn done(mut self) {
        self.undone = None;
    }
}

fn row(update: &TokenUpdate) -> Option<Key> {
    update.previous_refresh_token.as_ref().and_then(key_of)
}

impl Drop for InProgress {
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
        self.ended.set(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::single_flight::Need;
    use crate::{
        lifecycle::testing::{access_token, at, begin_delivery, lead, renew, slots, token},
        oauth2::token::Token,
    };

    fn update(new: &str, old: &str, superseded: bool) -> TokenUpdate {
        let old = Token::new(old).with_refresh_token(old);
        TokenUpdate::new(Token::new(new), Some(&old), superseded)
    }

    /// New and previous access token, and whether it is superseded.
    fn texts(outbox: &Outbox) -> Vec<String> {
        let text = |update: &TokenUpdate| {
            let new = access_token(&update.token);
            let old = update.previous_access_token.as_ref();
            let old = old.map_or("", |old| old.expose_secret());
            let refresh = update.previous_refresh_token.as_ref();
            assert_eq!(refresh.map_or("", |refresh| refresh.expose_secret()), old);
            format!("{old}{}{new}", if update.superseded { "!" } else { ">" })
        };
        let queues = outbox.updates.iter();
        queues
            .flat_map(|updates| updates.queue.iter())
            .map(text)
            .collect()
    }

    #[test]
    fn consecutive_renewals_are_merged_and_superseded_ones_are_not() {
        for (updates, expected) in [
            (&["a>b", "b>c", "c>d"][..], &["a>d"][..]),
            (&["a!b", "b>c", "c>d"], &["a!b", "b>d"]),
            (&["a!b", "b!c"], &["a!b", "b!c"]),
            (&["a>b", "b!c", "b>d"], &["a>b", "b!c", "b>d"]),
        ] {
            let mut outbox = Outbox::default();
            for text in updates {
                let (old, new) = (&text[..1], &text[2..]);
                let dropped = outbox.add(update(new, old, text.contains('!')));
                assert!(dropped.is_none());
            }
            assert_eq!(texts(&outbox), expected, "{updates:?}");
        }
    }

    #[test]
    fn what_was_not_taken_is_told_again_as_it_was_and_only_what_follows_it_is_merged() {
        for (back, meanwhile, later, expected) in [
            (
                "a>b",
                &["b>c", "c>d"][..],
                &["d>e"][..],
                &["a>b", "b>e"][..],
            ),
            ("a>b", &[], &["b>c", "c>d"], &["a>b", "b>d"]),
            ("a!b", &["x>y"], &["y>z"], &["a!b", "x>z"]),
            ("a>b", &["b!c"], &["b>d"], &["a>b", "b!c", "b>d"]),
        ] {
            let of = |text: &str| update(&text[2..], &text[..1], text.contains('!'));
            let mut outbox = Outbox::default();
            let add = |outbox: &mut Outbox, these: &[&str]| {
                for text in these {
                    assert!(outbox.add(of(text)).is_none());
                }
            };
            add(&mut outbox, meanwhile);
            outbox.put_back(of(back));
            add(&mut outbox, later);
            assert_eq!(texts(&outbox), expected, "{back} {meanwhile:?} {later:?}");
            // The last one is merged with the next, as long as the hook does not know it.
            assert_eq!(outbox.take(), Some(of(back)));
            assert!(outbox.add(of("x>y")).is_none());
            assert_eq!(texts(&outbox).len(), expected.len() - 1, "{back}");
        }
    }

    #[test]
    fn of_superseded_updates_64_are_kept_and_the_oldest_goes() {
        let mut outbox = Outbox::default();
        for n in 0..SUPERSEDED {
            assert!(outbox.add(update("b", &n.to_string(), true)).is_none());
        }
        // One that is in use does not count.
        assert!(outbox.add(update("c", "b", false)).is_none());
        let dropped = outbox.add(update("b", "x", true)).expect("one too many");
        assert_eq!(dropped.previous_access_token, Some("0".into()));
        assert_eq!(texts(&outbox).len(), SUPERSEDED + 1);
        outbox.supersede();
        assert!(texts(&outbox).iter().all(|text| text.contains('!')));
        assert!(!outbox.is_empty());
    }

    #[test]
    fn one_update_is_told_at_a_time_and_again_until_it_is_taken() {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        assert!(matches!(slot.take_update(), Due::Nothing));
        renew(&slots, &slot, token("b", "s", 1), at(1));
        let (first, progress) = begin_delivery(&slot).expect("an update");
        let Due::Busy(other) = slot.take_update() else {
            panic!("two at a time");
        };
        // A hook that hangs blocks no renewal, and the next delivery waits for it.
        renew(&slots, &slot, token("c", "t", 2), at(2));
        renew(&slots, &slot, token("d", "u", 3), at(3));
        assert!(begin_delivery(&slot).is_none() && !other.is_set());
        assert!(!slot.is_settled() && slot.has_undelivered());
        // It fails, or panics.
        drop(progress);
        assert!(other.is_set());
        let (again, progress) = begin_delivery(&slot).expect("an update");
        assert_eq!(again, first);
        progress.done();
        // What came meanwhile was merged.
        let (second, progress) = begin_delivery(&slot).expect("an update");
        assert_eq!(access_token(&second.token), "d");
        assert_eq!(second.previous_refresh_token, Some("s".into()));
        progress.done();
        assert!(begin_delivery(&slot).is_none() && slot.is_settled());
        assert!(slots.pending().is_empty());
    }

    #[test]
    fn what_is_told_when_a_renewal_comes_is_not_told_twice() {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        renew(&slots, &slot, token("b", "s", 1), at(1));
        let (_, progress) = begin_delivery(&slot).expect("an update");
        renew(&slots, &slot, token("c", "t", 2), at(2));
        progress.done();
        let (update, progress) = begin_delivery(&slot).expect("an update");
        assert_eq!(access_token(&update.token), "c");
        assert_eq!(update.previous_access_token, Some("b".into()));
        assert!(!slot.is_settled());
        // Nothing else is undelivered, but the slot is not settled during a delivery.
        assert!(!slot.has_undelivered());
        assert_eq!(slots.pending().len(), 1);
        progress.done();
        assert!(slots.pending().is_empty());
    }

    #[test]
    fn where_there_is_no_hook_nothing_is_owed() {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let claim = lead(&slot, &Need::Renewed, at(1));
        assert_eq!(slots.pending().len(), 1);
        slots
            .publish(&claim, token("b", "s", 1), None, &mut None, false, at(1))
            .expect("without a problem");
        assert!(slot.is_settled() && slots.pending().is_empty());
    }
}
