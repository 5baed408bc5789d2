//! Stores of the crate `keyring-core`.

use std::{collections::HashMap, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error, api::CredentialPersistence};
use zeroize::Zeroizing;

use super::{keyring_failure::KeyringFailure, worker::Keyring};

/// Settings of an entry that is created.
type Modifiers = fn(service: &str, entry: &str) -> Vec<(&'static str, String)>;

/// Keyring that a store of `keyring-core` gives access to.
pub(super) struct CoreKeyring {
    store: Arc<CredentialStore>,
    limit: Option<usize>,
    modifiers: Modifiers,
}

impl CoreKeyring {
    /// Wraps a store that keeps its values beyond the end of the process, as a mock does not.
    pub(super) fn new(
        store: Arc<CredentialStore>,
        limit: Option<usize>,
        modifiers: Modifiers,
    ) -> Result<Self, KeyringFailure> {
        use CredentialPersistence::{EntryOnly, ProcessOnly};
        if let EntryOnly | ProcessOnly = store.persistence() {
            let what = format!(
                "is a mock that forgets its values when the program ends ({})",
                store.vendor()
            );
            return Err(KeyringFailure::Other(what));
        }
        Ok(Self {
            store,
            limit,
            modifiers,
        })
    }

    fn entry(&self, service: &str, entry: &str) -> Result<Entry, KeyringFailure> {
        let modifiers = (self.modifiers)(service, entry);
        let modifiers: HashMap<_, _> = modifiers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let modifiers = Some(&modifiers).filter(|modifiers| !modifiers.is_empty());
        self.store.build(service, entry, modifiers).map_err(failure)
    }
}

impl Keyring for CoreKeyring {
    fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn read(
        &self,
        service: &str,
        entry: &str,
    ) -> Result<Option<Zeroizing<String>>, KeyringFailure> {
        match self.entry(service, entry)?.get_password() {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    fn write(&self, service: &str, entry: &str, value: &str) -> Result<(), KeyringFailure> {
        let entry = self.entry(service, entry)?;
        entry.set_password(value).map_err(failure)
    }

    fn remove(&self, service: &str, entry: &str) -> Result<bool, KeyringFailure> {
        match self.entry(service, entry)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }
}

/// Keeps the text of an error only: some variants hold the value, and would show it in `Debug`.
pub(super) fn failure(error: Error) -> KeyringFailure {
    match error {
        Error::NoStorageAccess(error) => KeyringFailure::Locked(error.to_string()),
        error => KeyringFailure::Other(format!("failed ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_is_found_out_and_named() {
        let mock = keyring_core::mock::Store::new().expect("a mock");
        let wrapped = CoreKeyring::new(mock, None, |_, _| Vec::new());
        let failure = wrapped.err().expect("a failure").to_string();
        assert!(failure.starts_with("is a mock that forgets"), "{failure}");
        assert!(failure.contains("Mock store"), "{failure}");
    }

    #[test]
    fn a_failure_holds_no_value_and_says_locked() {
        let failures = [
            failure(Error::BadEncoding(b"hunter2".to_vec())),
            failure(Error::BadDataFormat(b"hunter2".to_vec(), "cut off".into())),
            failure(Error::NoStorageAccess("no prompt".into())),
        ];
        let told = format!("{failures:?} {}", failures[1]);
        assert!(!told.contains("hunter2") && !told.contains("104"), "{told}");
        assert_eq!(
            failures[2].to_string(),
            "is locked, or denies access; unlock it and try again (no prompt)"
        );
    }
}
