//! One login at a time for the tasks and threads of a process.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients that log a user in now.
static TURNS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// The right to log a user in, until it is dropped.
pub(super) struct LoginTurn(usize);

impl LoginTurn {
    /// The turn of the client with this identity, unless another caller of it has it.
    pub(super) fn take(client: usize) -> Option<Self> {
        let mut turns = turns();
        if turns.contains(&client) {
            return None;
        }
        turns.push(client);
        Some(Self(client))
    }
}

impl Drop for LoginTurn {
    fn drop(&mut self) {
        turns().retain(|client| *client != self.0);
    }
}

fn turns() -> MutexGuard<'static, Vec<usize>> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}
