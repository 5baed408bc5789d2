//! TLS configuration. No other module knows of TLS libraries.

#[cfg(any(feature = "rustls", feature = "rustls-aws-lc-rs"))]
#[path = "identity/rustls.rs"]
mod identity;
#[cfg(all(
    feature = "native-tls",
    not(any(feature = "rustls", feature = "rustls-aws-lc-rs"))
))]
#[path = "identity/native.rs"]
mod identity;
#[cfg(not(any(
    feature = "rustls",
    feature = "rustls-aws-lc-rs",
    feature = "native-tls"
)))]
#[path = "identity/none.rs"]
mod identity;
#[cfg(not(feature = "rustls"))]
mod reqwests_own;
#[cfg(feature = "rustls")]
mod ring;

pub(crate) use identity::{check, identity, with_identity};
#[cfg(not(feature = "rustls"))]
pub(crate) use reqwests_own::{
    install_provider, preconfigured, preconfigured_or_own, preconfigured_with,
};
#[cfg(feature = "rustls")]
pub(crate) use ring::{
    config, config_with, install_provider, preconfigured, preconfigured_or_own, preconfigured_with,
};
