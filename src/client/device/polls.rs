//! The device codes that are polled: of the callers with one code, one polls at a time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::super::Signal;
use crate::{
    clock::Clock,
    error::Result,
    oauth2::{
        endpoint::device_authorization::{polling::DevicePolling, response::DeviceAuthorization},
        token::Token,
    },
};

/// Digest of a device code.
type DeviceKey = [u8; 32];

/// The device codes that callers wait for.
#[derive(Default)]
pub(in super::super) struct DevicePolls(Mutex<HashMap<DeviceKey, Arc<Poll>>>);

struct Poll(Mutex<PollState>);

struct PollState {
    polling: DevicePolling,
    /// The caller that polls, or the last one, and what came of it.
    outcome: Option<Arc<Signal<PollOutcome>>>,
}

/// PollOutcome of the polling for those who wait for it; none if its caller was dropped.
type PollOutcome = Option<Result<Token>>;

/// A caller with a device code.
pub(in super::super) struct PollWaiter<'a> {
    polls: &'a DevicePolls,
    key: DeviceKey,
    poll: Arc<Poll>,
}

/// Part of a caller.
pub(in super::super) enum PollRole<'a> {
    /// To poll, for all others too.
    Lead(PollLeader<'a>),
    /// To wait for the outcome.
    Follow(Arc<Signal<PollOutcome>>),
}

/// The caller that polls. Dropped without an outcome, it leaves the polling to another.
pub(in super::super) struct PollLeader<'a> {
    poll: &'a Poll,
    signal: Arc<Signal<PollOutcome>>,
}

impl DevicePolls {
    /// Joins those who wait for the code of `device`.
    pub(in super::super) fn join(
        &self,
        device: &DeviceAuthorization,
        clock: &Clock,
    ) -> PollWaiter<'_> {
        let key = device.device_code().digest();
        let new = || {
            let state = PollState {
                polling: DevicePolling::new(device, clock),
                outcome: None,
            };
            Arc::new(Poll(Mutex::new(state)))
        };
        let poll = self.lock().entry(key).or_insert_with(new).clone();
        let polls = self;
        PollWaiter { polls, key, poll }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceKey, Arc<Poll>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poll {
    fn lock(&self) -> MutexGuard<'_, PollState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PollWaiter<'_> {
    /// Part of the caller: to poll, if no other does.
    pub(in super::super) fn role(&self) -> PollRole<'_> {
        let mut state = self.poll.lock();
        let is_left = |signal: &Arc<Signal<PollOutcome>>| matches!(signal.get(), Some(None));
        match &state.outcome {
            Some(signal) if !is_left(signal) => PollRole::Follow(signal.clone()),
            _ => {
                let signal = Arc::new(Signal::default());
                state.outcome = Some(signal.clone());
                let poll = &self.poll;
                PollRole::Lead(PollLeader { poll, signal })
            }
        }
    }
}

impl Drop for PollWaiter<'_> {
    fn drop(&mut self) {
        let mut polls = self.polls.lock();
        // The table's own and this one.
        if Arc::strong_count(&self.poll) <= 2 {
            polls.remove(&self.key);
        }
    }
}

impl PollLeader<'_> {
    /// The state of the polling, which lasts beyond this caller.
    pub(in super::super) fn polling<T>(&self, with: impl FnOnce(&mut DevicePolling) -> T) -> T {
        with(&mut self.poll.lock().polling)
    }

    /// Gives the outcome to all that wait.
    pub(in super::super) fn finish(self, outcome: Result<Token>) {
        self.signal.set(Some(outcome));
    }
}

impl Drop for PollLeader<'_> {
    fn drop(&mut self) {
        // It keeps the first value.
        self.signal.set(None);
    }
}
