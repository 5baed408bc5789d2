//! Client certificates without TLS.

use crate::{
    error::{Error, Result},
    oauth2::client_auth::certificate::certified_key::CertifiedKey,
};

/// The error that there can be no client certificate.
macro_rules! with_identity {
    ($builder:expr, $certificate:expr) => {
        $crate::tls::identity($certificate).map(|_never| $builder)
    };
}
pub(crate) use with_identity;

const NO_TLS: &str =
    "needs TLS; enable one of the features rustls, rustls-aws-lc-rs and native-tls";

/// What is wrong with a certificate for this TLS library.
pub(crate) fn check(_certificate: &CertifiedKey) -> Result<(), String> {
    Err(NO_TLS.to_owned())
}

pub(crate) fn identity(_certificate: &CertifiedKey) -> Result<()> {
    Err(Error::usage(format!("client_certificate {NO_TLS}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth2::ClientCertificate;

    #[test]
    fn the_features_with_tls_are_named() {
        let certificate = ClientCertificate::from_pem(
            include_str!("../../../tests/vectors/p-256.certificate.pem"),
            include_str!("../../../tests/vectors/p-256.pkcs8.pem"),
        );
        let certificate = certificate.expect("a certificate").current();
        for problem in [
            check(&certificate).expect_err("no TLS"),
            identity(&certificate).expect_err("no TLS").to_string(),
        ] {
            for feature in ["rustls", "rustls-aws-lc-rs", "native-tls"] {
                assert!(problem.contains(feature), "{problem}");
            }
        }
    }
}
