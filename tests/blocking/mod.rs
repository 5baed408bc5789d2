//! What only the blocking clients have to stand.

mod runtime;
mod token_store;
mod with;
