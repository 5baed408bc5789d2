//! Access to the entries of one token within a limit of time.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{keyring_failure::KeyringFailure, names::Names, worker::Worker};
use crate::random;

/// Access to the entries of one token, for one operation of the store.
pub(super) struct Access<'a> {
    worker: &'a Worker,
    names: &'a Names,
    /// What the suffixes of all entries begin with.
    base: String,
    timeout: Duration,
    deadline: Instant,
}

impl<'a> Access<'a> {
    pub(super) fn new(worker: &'a Worker, names: &'a Names, timeout: Duration) -> Self {
        // A time without end is one of 30 years.
        let bounded = timeout.min(Duration::from_secs(1_000_000_000));
        Self {
            worker,
            names,
            base: String::new(),
            timeout,
            deadline: Instant::now() + bounded,
        }
    }

    /// Moves to the entries whose suffixes begin with this one.
    pub(super) fn below(self, base: String) -> Self {
        Self { base, ..self }
    }

    fn entry(&self, suffix: &str) -> (String, String) {
        self.names.entry(&format!("{}{suffix}", self.base))
    }

    pub(super) fn limit(&self) -> Result<Option<usize>, KeyringFailure> {
        let limit = self
            .worker
            .call(self.deadline, |keyring| Ok(keyring.limit()));
        self.in_time(limit)
    }

    /// Reads the entry with this suffix.
    pub(super) fn read(&self, suffix: &str) -> Result<Option<Zeroizing<String>>, KeyringFailure> {
        let (service, entry) = self.entry(suffix);
        let read = self
            .worker
            .call(self.deadline, move |keyring| keyring.read(&service, &entry));
        self.in_time(read)
    }

    /// Writes the entry with this suffix, reads it and compares. A keyring may say that it has
    /// stored what it has dropped or cut off.
    pub(super) fn write(&self, suffix: &str, value: &str) -> Result<(), KeyringFailure> {
        let (service, entry) = self.entry(suffix);
        let text = Zeroizing::new(value.to_owned());
        let written = self.worker.call(self.deadline, move |keyring| {
            keyring.write(&service, &entry, &text)
        });
        self.in_time(written)?;
        let what = match self.read(suffix)? {
            Some(stored) if *stored == value => return Ok(()),
            Some(stored) => format!(
                "holds {} of {} bytes of a value that it reported as stored, or others",
                stored.len(),
                value.len()
            ),
            None => "does not hold a value that it reported as stored".into(),
        };
        Err(KeyringFailure::Other(what))
    }

    /// Removes the entry with this suffix, and returns whether there was one.
    pub(super) fn remove(&self, suffix: &str) -> Result<bool, KeyringFailure> {
        let (service, entry) = self.entry(suffix);
        let removed = self.worker.call(self.deadline, move |keyring| {
            keyring.remove(&service, &entry)
        });
        self.in_time(removed)
    }

    /// Writes, reads and removes a value, so that the keyring has shown that it works and is
    /// unlocked.
    pub(super) fn probe(&self) -> Result<(), KeyringFailure> {
        // A name of its own, as others may probe at the same time.
        let [name, value] = [nonce()?, nonce()?];
        let suffix = format!("/probe/{name}");
        let written = self.write(&suffix, &value);
        let removed = self.remove(&suffix);
        written?;
        removed?;
        if self.read(&suffix)?.is_some() {
            return Err(KeyringFailure::Other(
                "does not remove what it holds".into(),
            ));
        }
        self.worker.trust();
        Ok(())
    }

    fn in_time<T>(&self, called: Option<Result<T, KeyringFailure>>) -> Result<T, KeyringFailure> {
        called.unwrap_or(Err(KeyringFailure::TimedOut(self.timeout)))
    }
}

fn nonce() -> Result<String, KeyringFailure> {
    let mut bytes = [0; 16];
    let filled = random::fill(&mut bytes);
    filled.map_err(|error| KeyringFailure::Other(format!("cannot be tested: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
