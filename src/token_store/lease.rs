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
pub struct Lease {
    guard: Box<dyn Any + Send + Sync>,
    ends_with_process: bool,
}

impl Lease {
    /// A lease that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self {
            guard: Box::new(guard),
            ends_with_process: false,
        }
    }

    /// The same for a lease that ends with its process, in whatever way that ends.
    pub(crate) fn of_process(guard: impl Any + Send + Sync) -> Self {
        Self {
            ends_with_process: true,
            ..Self::new(guard)
        }
    }

    #[allow(dead_code, reason = "only logins hold a lease for long")]
    pub(crate) fn ends_with_process(&self) -> bool {
        self.ends_with_process
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
        match self.guard.downcast() {
            Ok(guard) => Ok(*guard),
            Err(guard) => Err(Self { guard, ..self }),
        }
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

    #[test]
    fn a_lease_ends_with_its_process_where_the_store_says_so() {
        assert!(!Lease::new(()).ends_with_process());
        let lease = Lease::of_process(7_u64).into_guard::<&str>();
        let lease = lease.expect_err("another type");
        assert!(lease.ends_with_process());
        assert_eq!(lease.into_guard::<u64>().expect("the guard"), 7);
    }
}
