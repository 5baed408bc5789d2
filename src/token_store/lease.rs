//! The right to renew what a store holds.

use std::{any::Any, fmt};

/// The right to renew the token of a store, which nobody else has until this is dropped.
///
/// A store puts into it whatever gives the right back when it is dropped, such as a locked file or
/// an owned guard:
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
    #[expect(dead_code, reason = "it is only there to be dropped")] Box<dyn Any + Send + Sync>,
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
