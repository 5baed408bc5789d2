//! Handles whose tokens are made of the token of another one.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Session, handle::Handle};

/// The handles that forget their tokens when this one has another login.
#[derive(Default)]
pub(super) struct Dependents(Mutex<Vec<Weak<Handle>>>);

impl Dependents {
    pub(super) fn add(&self, dependent: &Session) {
        let mut dependents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dependents.retain(|dependent| dependent.strong_count() > 0);
        dependents.push(Arc::downgrade(&dependent.0));
    }

    /// Makes them forget their tokens, which are of the previous login.
    pub(super) fn forget(&self) {
        let dependents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<_> = dependents.iter().filter_map(Weak::upgrade).collect();
        // They may have dependents themselves.
        drop(dependents);
        for dependent in alive {
            // One that is closed has none any longer.
            let _ = Session(dependent).forget();
        }
    }
}
