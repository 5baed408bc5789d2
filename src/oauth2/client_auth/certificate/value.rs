//! Certificates of clients.
//!
//! [RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)

use std::{fmt, path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{certified_key::CertifiedKey, files::CertificateFiles};
use crate::error::Result;

/// The client's certificate for mutual TLS, with its private key.
///
/// A client that has one presents it to its server and to APIs. It authenticates the client, with
/// [`TlsClientAuth`] or [`SelfSignedTlsClientAuth`] as client authentication; and access tokens may
/// be bound to it, beside any client authentication and for public clients, too. In both cases the
/// client uses the server's `mtls_endpoint_aliases`.
///
/// ```
/// # #[cfg(all(feature = "blocking", feature = "rustls"))]
/// # fn main() -> oauth_twin::Result<()> {
/// use oauth_twin::{
///     OAuth2Client,
///     oauth2::{ClientCertificate, ClientCredentials, TlsClientAuth},
/// };
///
/// # let folder = "tests/vectors";
/// # let [chain, key] = ["certificate", "pkcs8"].map(|it| format!("{folder}/p-256.{it}.pem"));
/// // Read again when they change: no restart for a new certificate.
/// let certificate = ClientCertificate::from_files(chain, key)?;
/// let client = OAuth2Client::builder("client-id")
///     .issuer("https://id.example.com")
///     .token_endpoint("https://mtls.id.example.com/token")
///     .client_certificate(certificate)
///     .token_endpoint_auth_method(TlsClientAuth)
///     .grant(ClientCredentials::new())
///     .build()?;
/// # Ok(()) }
/// # #[cfg(not(all(feature = "blocking", feature = "rustls")))] fn main() {}
/// ```
///
/// A token that is issued over such a connection, by a server whose metadata have
/// [`tls_client_certificate_bound_access_tokens`], keeps the certificate's thumbprint:
/// [`Token::certificate_thumbprint`]. If the client has another certificate by the time it is used,
/// it counts as expired.
///
/// Cheap to clone; clones share what is read from files.
///
/// # Security
///
/// A certificate is shown to every server that asks for one, also to one of another origin to which
/// an API redirects; the private key is never sent. A client certificate that `configure_http` sets
/// takes precedence over this one.
///
/// [RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)
///
/// [`TlsClientAuth`]: crate::oauth2::TlsClientAuth
/// [`SelfSignedTlsClientAuth`]: crate::oauth2::SelfSignedTlsClientAuth
/// [`tls_client_certificate_bound_access_tokens`]: crate::oauth2::AuthorizationServer::tls_client_certificate_bound_access_tokens
/// [`Token::certificate_thumbprint`]: crate::Token::certificate_thumbprint
#[derive(Clone)]
pub struct ClientCertificate {
    source: CertificateSource,
    transport_only: bool,
}

#[derive(Clone)]
enum CertificateSource {
    Fixed(Arc<CertifiedKey>),
    Files(Arc<CertificateFiles>),
}

impl ClientCertificate {
    /// Reads a certificate chain, the client's own certificate first, and its private key, both in
    /// PEM.
    ///
    /// The key may be PKCS#8, PKCS#1 or SEC1: RSA of 2048, 3072 or 4096 bits, EC on P-256 or P-384,
    /// or Ed25519. Chain and key may be in one text, which is passed twice.
    ///
    /// # Errors
    ///
    /// If there is no certificate or no key that can be used, or if the key does not belong to the
    /// first certificate.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self> {
        let key = CertifiedKey::from_pem(chain.as_ref(), key.as_ref())?;
        Ok(Self {
            source: CertificateSource::Fixed(Arc::new(key)),
            transport_only: false,
        })
    }

    /// Reads the same from files, and again when they have changed.
    ///
    /// A client looks for a change before each call of an endpoint of its server, and at most once a
    /// second before a request to an API. It then makes new connections. Files that cannot be read,
    /// or do not belong together as one of them is still to be replaced, leave the old certificate
    /// in use. The files are to be on a local file system, as they are read in place.
    ///
    /// # Errors
    ///
    /// If the files cannot be read, and those of [`from_pem`](Self::from_pem).
    pub fn from_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self> {
        let files = CertificateFiles::read(chain.into(), key.into())?;
        Ok(Self {
            source: CertificateSource::Files(Arc::new(files)),
            transport_only: false,
        })
    }

    /// Uses the certificate for connections alone, such as those to a gateway that admits no others.
    /// It does not authenticate the client, no token counts as bound to it, and the plain endpoints
    /// of the server are used.
    #[must_use]
    pub fn transport_only(mut self) -> Self {
        self.transport_only = true;
        self
    }

    /// The thumbprint of the client's own certificate, as it was read last: the SHA-256 hash in
    /// base64url.
    ///
    /// [RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)
    pub fn thumbprint(&self) -> String {
        self.current().thumbprint.as_ref().to_owned()
    }

    /// Whether this certificate is the one that a token is bound to, by the token's claim `cnf`.
    ///
    /// ```
    /// use oauth_twin::oauth2::{ClientCertificate, Introspection};
    ///
    /// fn is_ours(certificate: &ClientCertificate, introspection: &Introspection) -> bool {
    ///     certificate.is_confirmed_by(introspection.get("cnf"))
    /// }
    /// ```
    ///
    /// It is false without a claim, or if the claim confirms something else.
    ///
    /// [RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)
    pub fn is_confirmed_by(&self, confirmation: Option<&Value>) -> bool {
        let confirmed = confirmation.and_then(confirmed_thumbprint);
        confirmed.is_some_and(|confirmed| confirmed == &*self.current().thumbprint)
    }

    /// Whether it authenticates the client or binds its tokens.
    pub(crate) fn is_credential(&self) -> bool {
        !self.transport_only
    }

    /// Whether it may be replaced by another one.
    #[allow(dead_code, reason = "the clients make their connections by it")]
    pub(crate) fn may_change(&self) -> bool {
        matches!(self.source, CertificateSource::Files(_))
    }

    /// The certificate as it was read last.
    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        match &self.source {
            CertificateSource::Fixed(key) => key.clone(),
            CertificateSource::Files(files) => files.current(),
        }
    }

    /// Reads files again that have changed.
    #[allow(dead_code, reason = "the clients do so before they send")]
    pub(crate) fn reload(&self) -> Result<()> {
        match &self.source {
            CertificateSource::Fixed(_) => Ok(()),
            CertificateSource::Files(files) => files.reload(),
        }
    }
}

/// The thumbprint in a claim `cnf`.
pub(crate) fn confirmed_thumbprint(confirmation: &Value) -> Option<&str> {
    confirmation.get("x5t#S256")?.as_str()
}

/// Omits the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("thumbprint", &self.current().thumbprint)
            .field("transport_only", &self.transport_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
