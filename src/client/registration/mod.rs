//! Registration of the client, and the registrations that are kept.

mod algorithms;
pub(super) mod anew;
mod builder;
mod calls;
pub(super) mod kept;
