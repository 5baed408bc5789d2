//! Leases on stored tokens.

use std::{any::Any, fmt};

/// Exclusive right to renew the token of a store, until it is dropped.
///
/// A store wraps a value whose drop releases the right, such as a locked file or an owned guard:
///
/// ```
/// use oauth_twin::Lease;
///
/// struct Release<'a>(&'a str);
///
/// impl Drop for Release<'_> {
///     fn drop(&mut self) {
///         println!("{} is free", self.0);
///     }
/// }
///
/// let lease = Lease::new(Release("row 7"));
/// drop(lease);
/// // For a store that no other process uses at the same time:
/// let lease = Lease::new(());
/// ```
pub struct Lease(
    #[expect(dead_code, reason = "its drop releases the lease")] Box<dyn Any + Send + Sync>,
);

impl Lease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}
