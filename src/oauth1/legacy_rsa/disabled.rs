//! Builds without the feature `rsa-sha1`: neither SHA-1 nor small keys.

use crate::{
    error::{Error, Result},
    oauth1::rsa_key::Hash,
};

/// Key type without values.
pub(super) enum LegacyKey {}

impl LegacyKey {
    pub(super) fn from_pkcs1(_der: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn from_pkcs8(_der: &[u8]) -> Option<Self> {
        None
    }

    pub(super) fn bits(&self) -> usize {
        match *self {}
    }

    pub(super) fn sign(&self, _hash: Hash, _message: &[u8]) -> Result<Vec<u8>> {
        match *self {}
    }
}

/// Error text for a key that may be valid.
pub(super) const UNSUPPORTED: &str = "the RSA key is invalid, or its size is not 2048 to 4096 \
    bits; smaller and larger keys need the feature rsa-sha1 of oauth-twin";

/// The error for a signature with SHA-1.
pub(super) fn sha1_unsupported() -> Error {
    Error::usage("RSA-SHA1 needs the feature rsa-sha1 of oauth-twin")
}
