//! What is known of a row for its next handle: that its token could not be renewed, or has been told.

use super::Slots;
use crate::{
    error::{Error, Result},
    lifecycle::{
        now::Now,
        outbox::InProgress,
        single_flight::{Claim, Outcome},
    },
};

impl Slots {
    /// Ends the flight of a claim whose attempt has failed. The wait, or the refusal, is known for some
    /// time, also to handles that are yet to be made.
    pub(crate) fn fail(
        &self,
        claim: &Claim,
        error: Error,
        has_requested: bool,
        now: Now,
    ) -> Result<Outcome> {
        let result = claim.slot.fail(claim, error, has_requested, now);
        if has_requested && result.is_err() {
            self.lock().fail(&claim.slot, now);
        }
        result
    }

    /// Notes that `update_token` has taken its update.
    pub(crate) fn delivered(&self, progress: InProgress, now: Now) {
        if let Some(row) = progress.row() {
            self.lock().replaced(row, now);
        }
        progress.done();
    }
}
