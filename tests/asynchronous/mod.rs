//! What only the async clients can do.

mod assertion;
mod cancellation;
mod runtime;
mod sequences;
mod with;
