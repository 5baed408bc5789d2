//! Specifics of providers.

pub mod fixes;
pub(crate) mod google;
pub(crate) mod refresh;
