//! What is known of single providers, as data.

pub mod fixes;
pub(crate) mod google;
pub(crate) mod refresh;
