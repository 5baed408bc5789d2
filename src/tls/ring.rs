//! rustls on *ring* with the platform's verifier: one crypto library, and no cmake to build it.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, client::Resumption, crypto::CryptoProvider, sign::SingleCertAndKey};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{
    error::{Error, Result},
    oauth2::client_auth::certificate::certified_key::CertifiedKey,
};

/// Sets our TLS configuration on reqwest's builder, of either mode.
macro_rules! preconfigured {
    ($builder:expr) => {
        $crate::tls::config().map(|config| $builder.tls_backend_preconfigured(config))
    };
}
pub(crate) use preconfigured;

/// The same with a client certificate.
macro_rules! preconfigured_with {
    ($builder:expr, $certificate:expr) => {
        $crate::tls::config_with($certificate)
            .map(|config| $builder.tls_backend_preconfigured(config))
    };
}
pub(crate) use preconfigured_with;

/// The same; or if our configuration cannot be made, reqwest's own, whose `build` says why.
macro_rules! preconfigured_or_own {
    ($builder:expr) => {
        match $crate::tls::config() {
            Ok(config) => $builder.tls_backend_preconfigured(config),
            Err(_unavailable) => {
                $crate::tls::install_provider();
                $builder
            }
        }
    };
}
pub(crate) use preconfigured_or_own;

/// The configuration that all clients of the process share. Loading the platform's roots is
/// expensive, so it is done once.
pub(crate) fn config() -> Result<ClientConfig> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_platform_verifier()
        .map_err(failed)?
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// The same with a client certificate.
pub(crate) fn config_with(certificate: &CertifiedKey) -> Result<ClientConfig> {
    let mut config = config()?;
    let (chain, key) = (certificate.chain.clone(), certificate.key.clone_key());
    let key = rustls::sign::CertifiedKey::from_der(chain, key, config.crypto_provider());
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key.map_err(failed)?));
    // A session that is resumed has the certificate, or none, that it began with.
    config.resumption = Resumption::default();
    Ok(config)
}

fn failed(error: rustls::Error) -> Error {
    Error::usage(format!("TLS could not be configured: {error}"))
}

/// Installs *ring* as the provider of the process unless one is installed. With `configure_http`
/// reqwest configures TLS itself, so that the caller's roots and client certificates take effect,
/// and it uses the provider of the process.
pub(crate) fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // It fails if another thread has just installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The provider that the program has installed, else *ring*.
fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_roots_are_loaded_once() {
        let [first, second] = [(); 2].map(|()| super::config().expect("TLS"));
        // A configuration of its own would have a provider of its own.
        assert!(std::sync::Arc::ptr_eq(
            first.crypto_provider(),
            second.crypto_provider()
        ));
    }
}
