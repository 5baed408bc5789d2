//! A keyring for tests, with faults.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use zeroize::Zeroizing;

use super::{
    KeyringTokenStore,
    keyring_failure::KeyringFailure,
    worker::{Keyring, Worker},
};
use crate::oauth2::client::RegisteredClient;

/// A client that is registered at this issuer.
pub(crate) fn registered(issuer: &str, id: &str) -> RegisteredClient {
    let json = serde_json::json!({
        "issuer": issuer, "client_id": id, "client_secret": "hunter2",
    });
    serde_json::from_value(json).expect("a client")
}

/// What is wrong with a keyring.
#[derive(Clone, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Stores nothing, and says that it did.
    Forgets,
    /// Does not remove anything, and says that it did.
    Keeps,
    /// Denies access.
    Locked,
    /// Answers when the lock is free.
    Hangs(Arc<Mutex<()>>),
    /// Panics once.
    Panics,
    /// Fails from now on, after this many writes.
    FailsAfter(usize),
}

#[derive(Default)]
struct MemoryValues {
    entries: BTreeMap<String, String>,
    /// In UTF-16 code units: what is told, and what is held.
    limit: Option<usize>,
    kept: Option<usize>,
    fault: Fault,
    /// The connections and the calls that were made.
    opened: usize,
    calls: Vec<String>,
}

/// Keyring in memory. Clones are one keyring, with one lock folder.
#[derive(Clone)]
pub(crate) struct Memory {
    state: Arc<Mutex<MemoryValues>>,
    folder: Arc<LockFolder>,
}

struct LockFolder(PathBuf);

impl Drop for LockFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oauth-twin-keyring-{}-{number}", std::process::id());
        Self {
            state: Arc::default(),
            folder: Arc::new(LockFolder(std::env::temp_dir().join(name))),
        }
    }

    /// A store as another process would have it, with a connection of its own.
    pub(crate) fn store(&self, user: &str) -> KeyringTokenStore {
        let memory = self.clone();
        let worker = Worker::new("test keyring", move || {
            memory.lock().opened += 1;
            Ok(Box::new(memory.clone()))
        });
        KeyringTokenStore::with_worker(worker, "reports", user)
            .lock_folder(self.folder())
            .timeout(Duration::from_secs(5))
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.0.clone()
    }

    pub(crate) fn limit_to(&self, units: usize) {
        self.lock().limit = Some(units);
    }

    /// Holds at most as many bytes of a value, and tells nobody.
    pub(crate) fn keep_at_most(&self, bytes: usize) {
        self.lock().kept = Some(bytes);
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// The entries and the lengths of their values in UTF-16 code units.
    pub(crate) fn entries(&self) -> Vec<(String, usize)> {
        let state = self.lock();
        let entries = state.entries.iter();
        entries
            .map(|(name, value)| (name.clone(), value.encode_utf16().count()))
            .collect()
    }

    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.lock().entries.get(name).cloned()
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        self.lock().entries.insert(name.into(), value.into());
    }

    pub(crate) fn opened(&self) -> usize {
        self.lock().opened
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, MemoryValues> {
        self.state.lock().expect("no test panics meanwhile")
    }

    /// The state for a call, unless that fails.
    fn call(&self, name: &str) -> Result<MutexGuard<'_, MemoryValues>, KeyringFailure> {
        let fault = self.lock().fault.clone();
        match fault {
            Fault::Locked => return Err(KeyringFailure::Locked("no prompt".into())),
            Fault::Hangs(lock) => drop(lock.lock()),
            Fault::Panics => {
                self.lock().fault = Fault::None;
                panic!("as told");
            }
            Fault::FailsAfter(0) => return Err(KeyringFailure::Other("is gone".into())),
            _ => {}
        }
        let mut state = self.lock();
        state.calls.push(name.into());
        Ok(state)
    }
}

impl Keyring for Memory {
    fn limit(&self) -> Option<usize> {
        self.lock().limit
    }

    fn read(
        &self,
        service: &str,
        entry: &str,
    ) -> Result<Option<Zeroizing<String>>, KeyringFailure> {
        let name = format!("{service} {entry}");
        let state = self.call(&format!("read {name}"))?;
        Ok(state.entries.get(&name).cloned().map(Zeroizing::new))
    }

    fn write(&self, service: &str, entry: &str, value: &str) -> Result<(), KeyringFailure> {
        let name = format!("{service} {entry}");
        let mut state = self.call(&format!("write {name}"))?;
        if let Fault::FailsAfter(writes) = &mut state.fault {
            *writes -= 1;
        }
        let units = value.encode_utf16().count();
        if state.limit.is_some_and(|limit| units > limit) {
            return Err(KeyringFailure::Other(
                "takes no value of this length".into(),
            ));
        }
        if !matches!(state.fault, Fault::Forgets) {
            let kept = state.kept.unwrap_or(usize::MAX).min(value.len());
            state.entries.insert(name, value[..kept].into());
        }
        Ok(())
    }

    fn remove(&self, service: &str, entry: &str) -> Result<bool, KeyringFailure> {
        let name = format!("{service} {entry}");
        let mut state = self.call(&format!("remove {name}"))?;
        if matches!(state.fault, Fault::Keeps) {
            return Ok(true);
        }
        Ok(state.entries.remove(&name).is_some())
    }
}
