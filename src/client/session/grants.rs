//! The grants of a handle, and the handles that depend on it: neither of which a child has.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::handle::Handle;

use crate::oauth2::grant::Grant;

/// The grants of a handle and its dependents, which take next to no memory, and no lock, where there
/// never were any.
#[derive(Default)]
pub(super) struct Grants(OnceLock<Box<Mutex<Both>>>);

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
        let Some(first) = first else {
            return Self::default();
        };
        let both = Both {
            current: Some(first.clone()),
            first: Some(first),
            dependents: Vec::new(),
        };
        Self(OnceLock::from(Box::new(Mutex::new(both))))
    }

    pub(super) fn first(&self) -> Option<Arc<dyn Grant>> {
        self.lock()?.first.clone()
    }

    pub(super) fn current(&self) -> Option<Arc<dyn Grant>> {
        self.lock()?.current.clone()
    }

    #[inline]
    pub(super) fn has_current(&self) -> bool {
        self.lock().is_some_and(|both| both.current.is_some())
    }

    /// Sets the grant that can be sent again.
    pub(super) fn set(&self, grant: Option<Arc<dyn Grant>>) {
        let both = match grant {
            Some(_) => Some(self.lock_or_insert()),
            None => self.lock(),
        };
        // A grant may be the user's own code, for which no lock is held when it is dropped.
        let replaced = both.map(|mut both| std::mem::replace(&mut both.current, grant));
        drop(replaced);
    }

    /// The same in place of `old`, unless another login has set another one meanwhile.
    pub(super) fn exchange(&self, old: Option<Arc<dyn Grant>>, grant: Option<Arc<dyn Grant>>) {
        // There is none.
        let Some(mut both) = self.lock() else {
            return;
        };
        let is_old = match (&both.current, &old) {
            (Some(current), Some(old)) => Arc::ptr_eq(current, old),
            (current, old) => current.is_none() && old.is_none(),
        };
        let replaced = match is_old {
            true => std::mem::replace(&mut both.current, grant),
            false => grant,
        };
        drop(both);
        drop((old, replaced));
    }

    pub(super) fn add_dependent(&self, dependent: Weak<Handle>) {
        let dependents = &mut self.lock_or_insert().dependents;
        dependents.retain(|dependent| dependent.strong_count() > 0);
        dependents.push(dependent);
    }

    pub(super) fn has_dependents(&self) -> bool {
        self.lock().is_some_and(|both| !both.dependents.is_empty())
    }

    /// The dependents that are alive.
    pub(super) fn dependents(&self) -> Vec<Arc<Handle>> {
        let both = self.lock();
        let dependents = both.iter().flat_map(|both| &both.dependents);
        dependents.filter_map(Weak::upgrade).collect()
    }

    #[inline]
    fn lock(&self) -> Option<MutexGuard<'_, Both>> {
        let both = self.0.get()?;
        Some(both.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock_or_insert(&self) -> MutexGuard<'_, Both> {
        let both = self.0.get_or_init(Box::default);
        both.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
