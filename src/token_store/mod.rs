//! Token stores: the stored value, the lease on it, a store in a file, and the commands of one in
//! Redis.
//!
//! The store traits belong to the modes. How a client reconciles a stored token with its own is
//! decided here.

mod file_token_store;
#[cfg(feature = "keyring")]
pub(crate) mod keyring;
mod lease;
#[cfg_attr(unix, path = "private_files/unix.rs")]
#[cfg_attr(not(unix), path = "private_files/other.rs")]
mod private_files;
#[cfg(feature = "redis")]
pub(crate) mod redis;

mod stored_token;
mod user_key;

#[cfg(feature = "keyring")]
pub use keyring::KeyringTokenStore;
#[cfg(feature = "redis")]
pub use redis::SealingKeys;
pub use {
    file_token_store::FileTokenStore, lease::Lease, stored_token::StoredToken, user_key::UserKey,
};
