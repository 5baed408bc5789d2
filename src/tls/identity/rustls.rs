//! Client certificates where reqwest configures rustls.

use reqwest::Identity;

use crate::{
    error::{Error, Result},
    oauth2::client_auth::certificate::certified_key::CertifiedKey,
};

/// Sets the client certificate on reqwest's builder, of either mode.
macro_rules! with_identity {
    ($builder:expr, $certificate:expr) => {
        // Another crate may have enabled native-tls, which reqwest would prefer then.
        $crate::tls::identity($certificate)
            .map(|identity| $builder.tls_backend_rustls().identity(identity))
    };
}
pub(crate) use with_identity;

/// What is wrong with a certificate for this TLS library.
pub(crate) fn check(certificate: &CertifiedKey) -> Result<(), String> {
    identity(certificate)
        .map(drop)
        .map_err(|error| error.to_string())
}

pub(crate) fn identity(certificate: &CertifiedKey) -> Result<Identity> {
    let mut pem = certificate.key_pem();
    pem.push_str(&certificate.chain_pem());
    Identity::from_pem(pem.as_bytes())
        .map_err(|_error| Error::usage("cannot be used by rustls; convert its key to PKCS#8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::ClientCertificate;

    #[test]
    fn every_format_of_a_key_can_be_used() {
        for (chain, key) in [
            (
                include_str!("../../../tests/vectors/rsa-2048.certificate.pem"),
                include_str!("../../../tests/vectors/rsa-2048.pkcs1.pem"),
            ),
            (
                include_str!("../../../tests/vectors/p-256.certificate.pem"),
                include_str!("../../../tests/vectors/p-256.pkcs8.pem"),
            ),
        ] {
            let certificate = ClientCertificate::from_pem(chain, key).expect("a certificate");
            assert_eq!(check(&certificate.current()), Ok(()));
        }
    }
}
