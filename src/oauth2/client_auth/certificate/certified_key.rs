//! Certificate chains with their private keys, and thumbprints of certificates.
//!
//! [RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)

use std::{fmt, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    error::{Error, Result},
    jose, pem,
};

/// Characters in a line of PEM.
const LINE: usize = 64;

/// Returns the thumbprint of a certificate in DER, as the claim `x5t#S256` has it: the SHA-256 hash
/// in base64url.
///
/// A resource server compares that of the certificate which a client has presented with the token's.
///
/// ```
/// # use oauth_twin::oauth2::certificate_thumbprint;
/// # fn check(presented: &[u8], claims: &oauth_twin::jose::Claims) -> bool {
/// let expected = claims.get("cnf").and_then(|cnf| cnf.get("x5t#S256"));
/// expected.is_some_and(|expected| *expected == certificate_thumbprint(presented))
/// # }
/// ```
///
/// [RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)
pub fn certificate_thumbprint(certificate: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate))
}

/// Certificate chain with the private key of its first certificate.
pub(crate) struct CertifiedKey {
    /// The client's own certificate, and those that lead to a root.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) thumbprint: Arc<str>,
}

impl CertifiedKey {
    /// Reads a chain and a key in PEM.
    pub(super) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self> {
        let text = pem::unescaped(chain);
        // The error may quote the text.
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain.unwrap_or_default();
        let Some(own) = chain.first() else {
            let problem = pem::without(&text, "certificate", "BEGIN CERTIFICATE");
            return Err(Error::usage(problem));
        };
        let key = Self {
            thumbprint: certificate_thumbprint(own).into(),
            key: pem::private_key(key, "")?,
            chain,
        };
        match jose::is_key_pair(&key.chain[0], key.key.secret_der())? {
            true => Ok(key),
            false => Err(Error::usage(
                "the private key does not belong to the first certificate of the chain; the \
                 client's own certificate comes first",
            )),
        }
    }

    /// The chain in PEM.
    #[allow(dead_code, reason = "reqwest wants it where it configures TLS itself")]
    pub(crate) fn chain_pem(&self) -> String {
        let sections = self.chain.iter().map(|der| section("CERTIFICATE", der));
        sections.map(|section| section.to_string()).collect()
    }

    /// The key in PEM.
    #[allow(dead_code, reason = "reqwest wants it where it configures TLS itself")]
    pub(crate) fn key_pem(&self) -> Zeroizing<String> {
        let label = match self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        section(label, self.key.secret_der())
    }
}

impl Drop for CertifiedKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Omits the key.
impl fmt::Debug for CertifiedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertifiedKey")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

/// A section of PEM.
fn section(label: &str, der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let mut pem = Zeroizing::new(String::with_capacity(encoded.len() * 2 + 128));
    pem.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
