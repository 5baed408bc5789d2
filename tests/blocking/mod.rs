//! Tests of the blocking clients alone.

mod runtime;
mod token_store;
mod with;
