//! TLS configuration. No other module knows of TLS libraries.

#[cfg(not(feature = "rustls"))]
mod reqwests_own;
#[cfg(feature = "rustls")]
mod ring;

#[cfg(not(feature = "rustls"))]
pub(crate) use reqwests_own::{install_provider, preconfigured, preconfigured_or_own};
#[cfg(feature = "rustls")]
pub(crate) use ring::{config, install_provider, preconfigured, preconfigured_or_own};
