//! Systems whose keyring is not supported.

use super::{core_keyring::CoreKeyring, keyring_failure::KeyringFailure};

pub(super) const NAME: &str = "none";

pub(super) fn open() -> Result<CoreKeyring, KeyringFailure> {
    Err(KeyringFailure::Other(
        "is not supported on this system".into(),
    ))
}
