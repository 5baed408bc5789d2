//! What only the async clients can do.
