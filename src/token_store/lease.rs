//! Leases on stored tokens.

use std::{any::Any, fmt};

/// Exclusive right to renew the token of a store, until it is released or dropped.
///
/// A store wraps a value whose drop releases the right, such as a locked file or an owned guard. Where
/// the release is a request, the store's `release` makes it, and the drop is the last resort:
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
pub struct Lease(Box<dyn Any + Send + Sync>);

impl Lease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }

    /// Returns the guard that the lease was made of.
    ///
    /// ```
    /// use oauth_twin::Lease;
    ///
    /// let guard: u64 = Lease::new(7_u64).into_guard().unwrap();
    /// assert_eq!(guard, 7);
    /// ```
    ///
    /// # Errors
    ///
    /// The lease, if its guard is of another type.
    pub fn into_guard<T: Any>(self) -> Result<T, Self> {
        self.0.downcast().map(|guard| *guard).map_err(Self)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_comes_back_as_what_it_is() {
        let lease = Lease::new("row 7")
            .into_guard::<u64>()
            .expect_err("another type");
        assert_eq!(lease.into_guard::<&str>().expect("the guard"), "row 7");
    }
}
