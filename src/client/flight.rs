//! A renewal in flight: one caller leads it, any number wait for it.

use std::sync::Arc;

use super::{
    Outcome,
    slot::{Current, Slot, Wanted},
};
use crate::{
    error::{Error, Result},
    oauth2::Grant,
};

/// What those who wait share. `None` for a token: the slot has changed, so look again.
pub(super) struct Flight {
    /// Set as soon as the token is published, before it is stored.
    pub(super) outcome: Outcome<Result<Option<Arc<Current>>>>,
    /// Set when the hook has run too.
    pub(super) landed: Outcome<()>,
    /// Whether only the token store is read.
    pub(super) reads: bool,
}

impl Flight {
    pub(super) fn new(reads: bool) -> Self {
        Self {
            outcome: Outcome::new(),
            landed: Outcome::new(),
            reads,
        }
    }
}

/// The one renewal of a slot: what it starts from. When it is dropped, on whatever way, the slot
/// is free for the next and nobody waits any longer.
pub(super) struct Lead {
    pub(super) slot: Arc<Slot>,
    pub(super) flight: Arc<Flight>,
    pub(super) wanted: Wanted,
    pub(super) generation: u64,
    pub(super) old: Option<Arc<Current>>,
    pub(super) grant: Option<Arc<dyn Grant>>,
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.slot.land(&self.flight);
        // Keeps what was set before: this is for a panic and for a runtime that shuts down.
        self.flight.outcome.set(Err(Error::interrupted(
            "the renewal was cut off before its end",
        )));
        self.flight.landed.set(());
    }
}
