//! Stands for another crate of a program: it uses maybe-async's toggle, in its blocking position.

/// The number, and no future, as `is_sync` is on.
#[maybe_async::maybe_async]
pub async fn seven() -> u32 {
    7
}
