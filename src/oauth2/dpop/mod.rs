//! Proof of possession at the application layer: keys, proofs, and the nonces of servers.
//!
//! [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)

pub(crate) mod binding;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod nonce;
pub(crate) mod proof;
