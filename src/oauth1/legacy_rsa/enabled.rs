//! Builds with the feature `rsa-sha1`: signatures that ring does not support, on the crate `rsa`.
//!
//! The crate only signs here, with blinding, and never decrypts. It has an open advisory about
//! timing, RUSTSEC-2023-0071; see `SECURITY.md`.

use ring::digest::digest;
use rsa::{
    Pkcs1v15Sign, PrivateKey, pkcs1::DecodeRsaPrivateKey as _, pkcs8::DecodePrivateKey as _,
    traits::PublicKeyParts as _,
};

use crate::{
    error::{Error, Result},
    oauth1::rsa_key::Hash,
};

/// RSA key of 1024 to 8192 bits, for any hash.
pub(super) struct LegacyKey(PrivateKey);

impl LegacyKey {
    pub(super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        PrivateKey::from_pkcs1_der(der).ok().map(Self)
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        PrivateKey::from_pkcs8_der(der).ok().map(Self)
    }

    pub(super) fn bits(&self) -> usize {
        self.0.size() * 8
    }

    pub(super) fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>> {
        let digest = digest(hash.algorithm(), message);
        let padding = Pkcs1v15Sign {
            hash_len: Some(digest.as_ref().len()),
            prefix: prefix(hash).into(),
        };
        let signature = self.0.sign(padding, digest.as_ref());
        signature.map_err(|_error| Error::usage("the RSA key cannot sign"))
    }
}

/// The DER of a `DigestInfo` up to the hash.
///
/// [RFC 8017 section 9.2, note 1](https://www.rfc-editor.org/rfc/rfc8017#section-9.2)
fn prefix(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        Hash::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    }
}

/// Error text for a key.
pub(super) const UNSUPPORTED: &str = "the RSA key is invalid, or its size is not 1024 to 8192 bits";

/// The error for a signature with SHA-1 by a key that only ring could read.
pub(super) fn sha1_unsupported() -> Error {
    Error::usage("the RSA key cannot sign with SHA-1; use RSA-SHA256 or another key")
}
