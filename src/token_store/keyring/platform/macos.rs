//! Login keychain of macOS.

use apple_native_keyring_store::keychain::Store;

use super::{
    core_keyring::{CoreKeyring, failure},
    keyring_failure::KeyringFailure,
};

pub(super) const NAME: &str = "macOS keychain";

pub(super) fn open() -> Result<CoreKeyring, KeyringFailure> {
    let store = Store::new().map_err(failure)?;
    CoreKeyring::new(store, None, |_, _| Vec::new())
}
