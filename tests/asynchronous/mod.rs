//! What only the async clients can do.

mod cancellation;
mod runtime;
mod with;
