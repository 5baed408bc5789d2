//! PEM, the text format of keys and certificates.
//!
//! [RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)

use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::{
    encoding::without_byte_order_mark,
    error::{Error, Result},
};

/// The first unencrypted private key in `pem`. `kind` is part of the error, as in "no RSA private
/// key".
pub(crate) fn private_key(pem: &[u8], kind: &str) -> Result<PrivateKeyDer<'static>> {
    let pem = without_byte_order_mark(pem);
    // The error may quote the text.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_error| {
        // OpenSSL's own encryption does not change the label of the section.
        let markers: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
        Error::usage(match markers.iter().any(|marker| contains(pem, marker)) {
            true => format!(
                "the {kind}private key is encrypted; decrypt it first, as with `openssl pkey`"
            ),
            false => format!(
                "the PEM contains no {kind}private key: it needs a complete section BEGIN PRIVATE \
                 KEY, BEGIN RSA PRIVATE KEY or BEGIN EC PRIVATE KEY, with its labels on separate \
                 lines"
            ),
        })
    })
}

/// Whether `pem` contains `text`.
pub(crate) fn contains(pem: &[u8], text: &[u8]) -> bool {
    pem.windows(text.len()).any(|window| window == text)
}
