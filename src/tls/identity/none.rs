//! Client certificates without TLS.

use crate::{
    error::{Error, Result},
    oauth2::client_auth::certificate::certified_key::CertifiedKey,
};

/// Returns the builder, or an error if there is a client certificate.
macro_rules! with_identity {
    ($builder:expr, $certificate:expr) => {
        match $certificate {
            Some(certificate) => $crate::tls::identity(certificate).map(|_never| $builder),
            None => $crate::error::Result::Ok($builder),
        }
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
