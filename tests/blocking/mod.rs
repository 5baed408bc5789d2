//! What only the blocking clients can do.
