//! Handles whose tokens are made of that of another handle: they end with its login.

use std::sync::Arc;

use super::{
    super::shared::{LoginSource, Shared},
    Session,
    handle::{Handle, HandleKind},
};
use crate::lifecycle::slot::Slot;

impl Session {
    /// Makes `dependent` forget its token when this handle has another login.
    pub(in super::super) fn add_dependent(&self, dependent: &Self) {
        if let Ok(live) = self.live() {
            live.kind.grants.add_dependent(Arc::downgrade(&dependent.0));
            self.tell_of_logins(&live.shared);
        }
    }

    /// Lets this handle know what other handles, and other processes, do to its token.
    pub(super) fn tell_of_logins(&self, part: &Shared) {
        let source: Arc<dyn LoginSource> = self.0.clone();
        part.sources.add(Arc::downgrade(&source));
    }
}

impl LoginSource for Handle {
    fn end_dependents(&self, slot: &Arc<Slot>) {
        let state = self.read();
        let live = state.live().filter(|live| live.slot.is_one_with(slot));
        let kind = live.map(|live| live.kind.clone());
        drop(state);
        if let Some(kind) = kind {
            kind.end_dependents();
        }
    }
}

impl HandleKind {
    /// Makes the dependents of the handle forget their tokens.
    pub(super) fn end_dependents(&self) {
        for dependent in self.grants.dependents() {
            // They may have dependents themselves. One that is closed has no token any longer.
            let _ = Session(dependent).forget();
        }
    }
}
