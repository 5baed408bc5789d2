//! Specifics of providers.

mod deviations;
pub(crate) mod entra;
pub mod fixes;
pub(crate) mod google;
pub(crate) mod quirks;
pub(crate) mod refresh;
