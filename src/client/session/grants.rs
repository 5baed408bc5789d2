//! The grants of a handle, and the handles that depend on it: neither of which a child has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::handle::Handle;

use crate::oauth2::grant::Grant;

/// The grants of a handle and its dependents, which take next to no memory where there are none.
#[derive(Default)]
pub(super) struct Grants(Mutex<Option<Box<Both>>>);

#[derive(Default)]
struct Both {
    /// The grant to return to with another token. Only of the client itself: a child acts for another
    /// user.
    first: Option<Arc<dyn Grant>>,
    /// The grant that can be sent again.
    current: Option<Arc<dyn Grant>>,
    /// The handles that forget their tokens when this one has another login.
    dependents: Vec<Weak<Handle>>,
}

impl Grants {
    pub(super) fn new(first: Option<Arc<dyn Grant>>) -> Self {
        let both = first.map(|grant| {
            let (first, current) = (Some(grant.clone()), Some(grant));
            Box::new(Both {
                first,
                current,
                dependents: Vec::new(),
            })
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

    pub(super) fn add_dependent(&self, dependent: Weak<Handle>) {
        let mut both = self.lock();
        let dependents = &mut both.get_or_insert_default().dependents;
        dependents.retain(|dependent| dependent.strong_count() > 0);
        dependents.push(dependent);
    }

    /// The dependents that are alive.
    pub(super) fn dependents(&self) -> Vec<Arc<Handle>> {
        let both = self.lock();
        let dependents = both.iter().flat_map(|both| &both.dependents);
        dependents.filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Both>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
