//! One login at a time for the tasks and threads of a process.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The clients with a login in progress.
static HOLDERS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Lock of a client during a login, until it is dropped.
pub(super) struct LoginLock(usize);

impl LoginLock {
    /// Acquires the lock of the client with this identity, unless another caller holds it.
    pub(super) fn try_acquire(client: usize) -> Option<Self> {
        let mut holders = holders();
        if holders.contains(&client) {
            return None;
        }
        holders.push(client);
        Some(Self(client))
    }
}

impl Drop for LoginLock {
    fn drop(&mut self) {
        holders().retain(|client| *client != self.0);
    }
}

fn holders() -> MutexGuard<'static, Vec<usize>> {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}
