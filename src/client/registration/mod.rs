//! Registration of the client, and the registrations that are kept.

mod algorithms;
mod builder;
mod calls;
pub(super) mod kept;
