//! Where a token is kept outside of the client: what stands there, who may replace it, and a file.
//!
//! The traits of stores are the modes' own. What a client makes of what it reads is decided here.

mod file_token_store;
mod lease;
#[cfg_attr(unix, path = "private_files/unix.rs")]
#[cfg_attr(not(unix), path = "private_files/other.rs")]
mod private_files;

mod stored_token;

pub use {file_token_store::FileTokenStore, lease::Lease, stored_token::StoredToken};
