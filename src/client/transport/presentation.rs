//! Presentation of client certificates.

use super::{
    super::http,
    connections::{ConnectionSettings, Connections},
    rotation::CertificateRotation,
};
use crate::{
    error::Result,
    oauth2::client_auth::certificate::{certified_key::CertifiedKey, value::ClientCertificate},
    tls,
};

/// What presents a client certificate. The setting leads to it, so that a program whose clients have
/// none does not contain it.
pub(in super::super) trait Presentation: Send + Sync {
    /// What is wrong with the certificate.
    fn check(&self, certificate: &ClientCertificate) -> Result<(), String>;

    /// The connections with the certificate as it is now, and if it may change, what changes them.
    fn connections(
        &self,
        certificate: ClientCertificate,
        settings: &ConnectionSettings,
    ) -> Result<Presented>;

    /// Reads the certificate again if it has changed, and makes new connections then.
    fn update(&self, rotation: &CertificateRotation, settings: &ConnectionSettings);

    /// Sets the certificate on reqwest's builder: within our TLS configuration, or else within its own.
    fn present(
        &self,
        builder: http::ClientBuilder,
        certificate: &CertifiedKey,
        preconfigured: bool,
    ) -> Result<http::ClientBuilder>;
}

/// Connections with a certificate.
pub(in super::super) enum Presented {
    Fixed(Connections),
    Changing(CertificateRotation),
}

/// Presentation by the TLS library.
pub(in super::super) struct ByTls;

impl Presentation for ByTls {
    fn check(&self, certificate: &ClientCertificate) -> Result<(), String> {
        tls::check(&certificate.current())
    }

    fn connections(
        &self,
        certificate: ClientCertificate,
        settings: &ConnectionSettings,
    ) -> Result<Presented> {
        if certificate.may_change() {
            let rotation = CertificateRotation::new(certificate, settings, &Self)?;
            return Ok(Presented::Changing(rotation));
        }
        let (current, binding) = (certificate.current(), certificate.is_credential());
        Connections::presenting(settings, &current, &Self, binding).map(Presented::Fixed)
    }

    fn update(&self, rotation: &CertificateRotation, settings: &ConnectionSettings) {
        rotation.read_again(settings);
    }

    fn present(
        &self,
        builder: http::ClientBuilder,
        certificate: &CertifiedKey,
        preconfigured: bool,
    ) -> Result<http::ClientBuilder> {
        match preconfigured {
            true => tls::preconfigured_with!(builder, certificate),
            false => tls::with_identity!(builder, certificate),
        }
    }
}
