//! TLS as reqwest sets it up from its own features, or none.

/// Leaves the builder as it is.
macro_rules! preconfigured {
    ($builder:expr) => {
        $crate::error::Result::Ok($builder)
    };
}
pub(crate) use preconfigured;

/// reqwest brings its provider along.
pub(crate) fn install_provider() {}
