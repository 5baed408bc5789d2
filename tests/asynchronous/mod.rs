//! Tests of the async clients alone.

mod assertion;
mod cancellation;
mod runtime;
mod sequences;
mod with;
