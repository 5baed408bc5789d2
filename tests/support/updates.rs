//! A hook that records its updates.

use std::sync::{Arc, Mutex};

use oauth_twin::{BoxError, TokenUpdate};

/// The updates of a hook, in order.
pub type Updates = Arc<Mutex<Vec<TokenUpdate>>>;

/// A hook that records its updates in `updates`.
pub fn recording(
    updates: &Updates,
) -> impl Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync + 'static {
    let updates = updates.clone();
    move |update| {
        updates.lock().expect("a lock").push(update);
        Ok(())
    }
}
