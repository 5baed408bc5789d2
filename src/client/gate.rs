//! Gate for the endpoint calls of an open client, which reports when the last of them has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    maybe_async,
    waiting::{Deadline, is_set_until},
};
use crate::{
    error::{Error, Result},
    signal::Signal,
};

/// Gate between a client and its endpoints.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<GateState>);

#[derive(Debug, Default)]
struct GateState {
    is_closed: bool,
    under_way: u32,
    /// Set when no call is in progress any more.
    idle: Option<Arc<Signal<()>>>,
}

/// Endpoint call in progress, with all its attempts.
#[derive(Debug)]
pub(super) struct Passage<'a>(&'a Gate);

impl Gate {
    /// Lets a call pass, unless the gate is closed.
    pub(super) fn pass(&self) -> Result<Passage<'_>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Error::closed());
        }
        state.under_way += 1;
        Ok(Passage(self))
    }

    /// Lets no further call pass.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn idle(&self) -> Option<Arc<Signal<()>>> {
        let mut state = self.lock();
        match state.under_way {
            0 => None,
            _ => Some(state.idle.get_or_insert_default().clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[maybe_async]
impl Gate {
    /// Waits for the calls in progress; whether they have ended before the deadline.
    pub(super) async fn is_idle(&self, deadline: Deadline) -> bool {
        match self.idle() {
            None => true,
            Some(idle) => is_set_until(&idle, deadline).await,
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        let idle = match state.under_way {
            0 => state.idle.take(),
            _ => None,
        };
        // Whoever is woken may pass.
        drop(state);
        if let Some(idle) = idle {
            idle.set(());
        }
    }
}
