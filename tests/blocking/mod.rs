//! What only the blocking clients have to stand.

mod runtime;
mod with;
