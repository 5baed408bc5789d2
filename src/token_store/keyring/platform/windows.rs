//! Credential Manager of Windows.

use std::collections::HashMap;

use windows_native_keyring_store::Store;

use super::{
    core_keyring::{CoreKeyring, failure},
    keyring_failure::KeyringFailure,
};

pub(super) const NAME: &str = "Windows Credential Manager";

/// 2,560 bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), as texts are UTF-16 there.
const LIMIT: usize = 1280;

pub(super) fn open() -> Result<CoreKeyring, KeyringFailure> {
    // The one name that an entry has there is `{entry}:{service}`, and neither part contains a colon.
    let store = Store::new_with_configuration(&HashMap::from([("divider", ":")]));
    // Another computer, to which the default would let the token roam, knows nothing of the lease.
    let modifiers = |_: &str, _: &str| vec![("persistence", "Local".to_owned())];
    CoreKeyring::new(store.map_err(failure)?, Some(LIMIT), modifiers)
}
