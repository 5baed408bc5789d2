//! PEM: the text that keys and certificates are kept in.
//!
//! [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)

use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::error::{Error, Result};

/// The first private key in `pem`, if it is not encrypted. `kind` goes into the error, as in
/// "there is no RSA private key".
pub(crate) fn private_key(pem: &[u8], kind: &str) -> Result<PrivateKeyDer<'static>> {
    // OpenSSL's own encryption keeps the name of the section.
    if contains(pem, b"BEGIN ENCRYPTED PRIVATE KEY") || contains(pem, b"Proc-Type: 4,ENCRYPTED") {
        return Err(Error::usage(format!(
            "the {kind}private key is encrypted; decrypt it first, as with `openssl pkey`"
        )));
    }
    // The error may quote the text.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_error| {
        Error::usage(format!(
            "there is no {kind}private key in the PEM: no whole section BEGIN PRIVATE KEY, \
             BEGIN RSA PRIVATE KEY or BEGIN EC PRIVATE KEY"
        ))
    })
}

/// Whether `text` stands in `pem`.
pub(crate) fn contains(pem: &[u8], text: &[u8]) -> bool {
    pem.windows(text.len()).any(|window| window == text)
}
