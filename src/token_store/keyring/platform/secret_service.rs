//! Secret Service of Linux and of the BSDs: GNOME Keyring, KWallet, KeePassXC.

use zbus_secret_service_keyring_store::Store;

use super::{
    core_keyring::{CoreKeyring, failure},
    keyring_failure::KeyringFailure,
};

pub(super) const NAME: &str = "Secret Service";

/// Connects to the service by the session bus.
pub(super) fn open() -> Result<CoreKeyring, KeyringFailure> {
    let store = Store::new().map_err(failure)?;
    // What programs such as Seahorse show.
    let modifiers = |service: &str, entry: &str| vec![("label", format!("{service} ({entry})"))];
    CoreKeyring::new(store, None, modifiers)
}
