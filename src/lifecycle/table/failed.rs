//! Rows that could not be renewed a short time ago: the wait after a failure, and a refusal, are for all
//! handles of a row, also where a service has one for each request.

use std::time::Duration;

use super::{
    key_map::{Key, KeyMap},
    spent::Until,
};
use crate::{
    error::Error,
    lifecycle::{now::Now, pacing::Pacing, slot::Slot},
    oauth2::token::Token,
};

/// Time for which a failure counts after its wait, so that the next wait is longer.
const FAILED: Duration = Duration::from_secs(60);
/// Time for which a refusal is known: as long as a user stays in memory.
const REFUSED: Duration = Duration::from_secs(300);
/// Limit of their number, each with an error in brief.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct FailedRows(KeyMap<FailedRow>);

#[derive(Debug)]
struct FailedRow {
    until: Until,
    failure: Box<LastFailure>,
}

#[derive(Debug)]
struct LastFailure {
    /// Of the token that could not be renewed.
    access_token: [u8; 32],
    pacing: Pacing,
    refusal: Option<Box<Error>>,
}

impl FailedRows {
    /// Notes the failure of a slot. One with a store is not found by a row.
    pub(super) fn add(&mut self, slot: &Slot, now: Now) {
        let state = slot.read();
        let (Some(key), None, Some(token)) = (state.key, &state.store, state.own()) else {
            return;
        };
        let end = match &state.refusal {
            Some(_) => Some(now.monotonic.saturating_add(REFUSED)),
            None => state.pacing.end().map(|end| end.saturating_add(FAILED)),
        };
        let Some(end) = end else {
            return;
        };
        let failure = Box::new(LastFailure {
            access_token: digest(token),
            pacing: state.pacing.in_brief(),
            refusal: state.refusal().map(|error| Box::new(error.in_brief())),
        });
        drop(state);
        let until = Until::at(end);
        self.sweep(now);
        if self.0.len() < MOST || self.0.get(&key).is_some() {
            let row = FailedRow { until, failure };
            self.0.insert(key, row, |row| row.until.is_over(now));
        }
    }

    /// Tells a new slot of the last failure of its token, if that is known.
    pub(super) fn recall(&self, key: &Key, slot: &Slot, now: Now) {
        let Some(FailedRow { until, failure }) = self.0.get(key) else {
            return;
        };
        let mut state = slot.write();
        let is_same = |token| digest(token) == failure.access_token;
        if !until.is_over(now) && state.own().is_some_and(is_same) {
            state.pacing = failure.pacing.clone();
            state.refusal.clone_from(&failure.refusal);
        }
    }

    /// Notes that the refresh token is used, or not in use any more.
    pub(super) fn remove(&mut self, key: &Key) {
        let _ = self.0.remove(key);
    }

    pub(super) fn sweep(&mut self, now: Now) {
        self.0.sweep(|row| row.until.is_over(now));
    }
}

fn digest(token: &Token) -> [u8; 32] {
    token.access_token().digest()
}
