//! A hook that notes what it is told.

use std::sync::{Arc, Mutex};

use oauth_twin::{BoxError, TokenUpdate};

/// The updates that a hook was told of, in order.
pub type Told = Arc<Mutex<Vec<TokenUpdate>>>;

/// A hook that notes its updates in `told`.
pub fn noting(told: &Told) -> impl Fn(TokenUpdate) -> Result<(), BoxError> + Send + Sync + 'static {
    let told = told.clone();
    move |update| {
        told.lock().expect("a lock").push(update);
        Ok(())
    }
}
