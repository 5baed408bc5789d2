//! Client certificates where reqwest configures the TLS library of the platform.

use reqwest::Identity;

use crate::{
    error::{Error, Result},
    oauth2::client_auth::certificate::certified_key::CertifiedKey,
};

/// Sets the client certificate on reqwest's builder, of either mode.
macro_rules! with_identity {
    ($builder:expr, $certificate:expr) => {
        $crate::tls::identity($certificate)
            .map(|identity| $builder.tls_backend_native().identity(identity))
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
    let (chain, key) = (certificate.chain_pem(), certificate.key_pem());
    Identity::from_pkcs8_pem(chain.as_bytes(), key.as_bytes()).map_err(|_error| {
        Error::usage(
            "cannot be used by native-tls, which needs a key in PKCS#8: convert it by `openssl \
             pkcs8 -topk8 -nocrypt`, or enable the feature rustls",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::ClientCertificate;

    #[test]
    fn a_key_in_another_format_than_pkcs_8_is_named() {
        let pkcs1 = ClientCertificate::from_pem(
            include_str!("../../../tests/vectors/rsa-2048.certificate.pem"),
            include_str!("../../../tests/vectors/rsa-2048.pkcs1.pem"),
        );
        let problem = check(&pkcs1.expect("a certificate").current()).expect_err("PKCS#1");
        assert!(problem.contains("PKCS#8"), "{problem}");
        assert!(problem.contains("enable the feature rustls"), "{problem}");
        let pkcs8 = ClientCertificate::from_pem(
            include_str!("../../../tests/vectors/p-256.certificate.pem"),
            include_str!("../../../tests/vectors/p-256.pkcs8.pem"),
        );
        assert_eq!(check(&pkcs8.expect("a certificate").current()), Ok(()));
    }
}
