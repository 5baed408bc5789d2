//! What is in flight for a slot, a renewal or the first look into its store: one caller leads it,
//! any number wait for it.

use std::sync::Arc;

use super::{
    Outcome,
    slot::{Current, Slot, Wanted},
};
use crate::{
    error::{Error, Result},
    oauth2::grant::Grant,
};

/// What came of it, if it did not fail.
#[derive(Clone)]
pub(super) enum Ended {
    /// A token, renewed here or by somebody else who shares the store.
    With(Arc<Current>),
    /// Another token counts by now, which is as good as a renewed one.
    Superseded,
    /// Nothing was renewed: whoever waits looks again.
    Unchanged,
}

/// What those who wait share.
pub(super) struct Flight {
    /// Set as soon as a token is published, before it is stored and told.
    pub(super) outcome: Outcome<Result<Ended>>,
    /// Set when the store and the hook have it, too.
    pub(super) landed: Outcome<()>,
}

impl Flight {
    pub(super) fn new() -> Self {
        Self {
            outcome: Outcome::new(),
            landed: Outcome::new(),
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

impl Lead {
    /// Tells those who wait. Unless there is a token for them, the slot is free for the next one
    /// before: nobody is to join what has ended.
    pub(super) fn end(&self, outcome: Result<Ended>) {
        if !matches!(outcome, Ok(Ended::With(_))) {
            self.slot.land(&self.flight);
        }
        self.flight.outcome.set(outcome);
    }
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
