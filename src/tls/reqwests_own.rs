//! TLS as reqwest configures it from its own features, or none.

/// Returns the builder unchanged.
macro_rules! preconfigured {
    ($builder:expr) => {
        $crate::error::Result::Ok($builder)
    };
}
pub(crate) use preconfigured;

/// Sets the client certificate.
macro_rules! preconfigured_with {
    ($builder:expr, $certificate:expr) => {
        $crate::tls::with_identity!($builder, $certificate)
    };
}
pub(crate) use preconfigured_with;

/// Returns the builder unchanged.
macro_rules! preconfigured_or_own {
    ($builder:expr) => {
        $builder
    };
}
pub(crate) use preconfigured_or_own;

/// Does nothing: reqwest has a provider of its own.
pub(crate) fn install_provider() {}
