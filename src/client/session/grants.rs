//! The grants of a handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oauth2::grant::Grant;

/// The grants of a handle, of which children have none.
#[derive(Default)]
pub(super) struct Grants(Mutex<Option<Box<Both>>>);

#[derive(Default)]
struct Both {
    /// The grant to return to with another token. Only of the client itself: a child acts for another
    /// user.
    first: Option<Arc<dyn Grant>>,
    /// The grant that can be sent again.
    current: Option<Arc<dyn Grant>>,
}

impl Grants {
    pub(super) fn new(first: Option<Arc<dyn Grant>>) -> Self {
        let both = first.map(|grant| {
            let (first, current) = (Some(grant.clone()), Some(grant));
            Box::new(Both { first, current })
        });
        Self(Mutex::new(both))
    }

    pub(super) fn first(&self) -> Option<Arc<dyn Grant>> {
        self.lock().as_ref()?.first.clone()
    }

    pub(super) fn current(&self) -> Option<Arc<dyn Grant>> {
        self.lock().as_ref()?.current.clone()
    }

    pub(super) fn has_current(&self) -> bool {
        let both = self.lock();
        both.as_ref().is_some_and(|both| both.current.is_some())
    }

    /// Sets the grant that can be sent again.
    pub(super) fn set(&self, grant: Option<Arc<dyn Grant>>) {
        let mut both = self.lock();
        let replaced = match (&mut *both, grant) {
            (None, None) => None,
            (both, grant) => std::mem::replace(&mut both.get_or_insert_default().current, grant),
        };
        // A grant may be the user's own code, for which no lock is held.
        drop(both);
        drop(replaced);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Both>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
