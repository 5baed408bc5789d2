//! The feature `rsa-sha1` is off: neither SHA-1 nor small keys.

use crate::{
    error::{Error, Result},
    oauth1::rsa_key::Hash,
};

/// A key that cannot be made.
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

/// Why a key that may be good was not taken.
pub(super) const REFUSED: &str = "the RSA key cannot be used: it is damaged, or has not 2048 \
     to 4096 bits, without which oauth-twin needs its feature rsa-sha1";

/// Why nothing can be signed with SHA-1.
pub(super) fn no_sha1() -> Error {
    Error::usage("RSA-SHA1 needs the feature rsa-sha1 of oauth-twin")
}
