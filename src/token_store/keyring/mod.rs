//! A token in the keyring of the operating system.
//!
//! One thread talks to the keyring, as any call may wait for a user who has to unlock it; everyone
//! else waits for that thread only as long as they have time. What a value looks like in the keyring
//! is said in `entries`.

mod access;
mod core_keyring;
mod entries;
mod keyring_failure;
mod keyring_token_store;
mod names;
#[cfg_attr(
    all(unix, not(target_vendor = "apple")),
    path = "platform/secret_service.rs"
)]
#[cfg_attr(target_os = "macos", path = "platform/macos.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
#[cfg_attr(
    not(any(all(unix, not(target_vendor = "apple")), target_os = "macos", windows)),
    path = "platform/none.rs"
)]
mod platform;
mod registrations;
mod worker;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use keyring_token_store::KeyringTokenStore;
