//! Store of a token outside of the client.

use std::{sync::Arc, time::Duration};

use crate::{
    blocking::client::{AssertionClientBuilder, OAuth2ClientBuilder, StoreCalls, StoredTokens},
    error::BoxError,
    oauth2::client::RegisteredClient,
    token_store::{FileTokenStore, Lease, StoredToken},
};

/// Store of a client's token outside of it: for the next run of the program, for other processes,
/// for other machines. [`FileTokenStore`] is one.
///
/// A client loads the token when it first needs one, and again before each renewal. It renews under
/// the lease, uses the new token, and saves it under the next version before `update_token` is
/// called; so of any number of processes one renews, and the others load the new token. The lease is
/// kept until the token is saved or its time ends, and a failed save is repeated meanwhile. A fresh
/// token is used without loading.
///
/// ```
/// use std::{sync::{Arc, Mutex, atomic::{AtomicBool, Ordering}}, time::Duration};
/// use oauth_twin::{BoxError, Lease, OAuth2Client, StoredToken, TokenStore};
///
/// #[derive(Default)]
/// struct Memory {
///     stored: Mutex<Option<StoredToken>>,
///     leased: Arc<AtomicBool>,
/// }
///
/// struct Release(Arc<AtomicBool>);
///
/// impl Drop for Release {
///     fn drop(&mut self) {
///         self.0.store(false, Ordering::SeqCst);
///     }
/// }
///
/// impl TokenStore for Memory {
///     fn load(&self) -> Result<Option<StoredToken>, BoxError> {
///         Ok(self.stored.lock().map_err(|_| "a thread panicked")?.clone())
///     }
///
///     fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
///         // A table: UPDATE … SET token = $1, version = $2 WHERE id = $3 AND version = $2 - 1
///         let mut stored = self.stored.lock().map_err(|_| "a thread panicked")?;
///         let version = stored.as_ref().map_or(0, |stored| stored.version);
///         let is_next = version == next.replaces();
///         if is_next {
///             *stored = Some(next.clone());
///         }
///         Ok(is_next)
///     }
///
///     fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
///         let is_free = !self.leased.swap(true, Ordering::SeqCst);
///         Ok(is_free.then(|| Lease::new(Release(self.leased.clone()))))
///     }
/// }
///
/// let client = OAuth2Client::builder("client-id").token_store(Memory::default()).build()?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// Each call is made on a thread of its own and waited for until 10 seconds, or until the client's
/// timeout if that is shorter; the thread ends when the call returns, so it needs a timeout of its
/// own. Their errors become sources of the client's errors, so they must contain no secret. Within
/// them, calls of the same client that would wait for its token are errors.
///
/// # Security
///
/// A store holds the token of one client for one purpose: use one store for each account, each
/// scope and each server.
pub trait TokenStore: Send + Sync {
    /// Returns what is stored, or none if nothing ever was. It must not read from a replica that
    /// lags behind: an earlier version would be used, and its refresh token is used up.
    ///
    /// # Errors
    ///
    /// Any failure to read; the client then renews nothing. A store that only saves requests may
    /// return none instead.
    fn load(&self) -> Result<Option<StoredToken>, BoxError>;

    /// Stores `next` if the stored version is [`next.replaces()`](StoredToken::replaces), in one
    /// step, and returns whether it did.
    ///
    /// # Errors
    ///
    /// Any failure to store. The client uses the token, reports
    /// [`ErrorKind::Update`](crate::ErrorKind::Update), and repeats the save while the lease lasts,
    /// with the next renewal, and when it is closed.
    fn save(&self, next: &StoredToken) -> Result<bool, BoxError>;

    /// Acquires the right to renew, or returns none at once if another process holds it; the client
    /// calls again. If the end of its holder cannot be detected otherwise, the lease ends by itself
    /// after `time`: twice the client's timeout and 30 seconds. While `ensure_login` waits for its user,
    /// `time` is 30 seconds at most, and the lease is released and acquired again after a third of it.
    ///
    /// A refresh token is used under the lease, which is also the proof that a new token can be
    /// stored.
    ///
    /// # Errors
    ///
    /// Any failure to acquire it; the client then renews nothing.
    fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError>;

    /// Returns the registration of the client at `issuer`, if one is kept. A client that registers
    /// itself looks here first. By default nothing is kept.
    ///
    /// # Errors
    ///
    /// Any failure to read; the client then does not register.
    fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        let _ = issuer;
        Ok(None)
    }

    /// Keeps the registration of the client at `issuer` instead of the one that is kept, or with none
    /// removes it. A new one is kept under the lease. By default nothing is kept, and a client registers
    /// again at each start.
    ///
    /// # Errors
    ///
    /// Any failure to store.
    fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        let _ = (issuer, registration);
        Ok(())
    }

    /// Releases a lease of this store. Defaults to dropping it; a store whose lease ends by a request
    /// makes that request here, and a store that wraps another passes the lease on.
    ///
    /// The time of the lease may have ended, and another process have it by now: compare its owner.
    ///
    /// # Errors
    ///
    /// Any failure to release it; the client reports an event, and the lease ends by itself.
    fn release(&self, lease: Lease) -> Result<(), BoxError> {
        drop(lease);
        Ok(())
    }
}

impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        (**self).load()
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        (**self).save(next)
    }

    fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        (**self).lease(time)
    }

    fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        (**self).load_registration(issuer)
    }

    fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        (**self).save_registration(issuer, registration)
    }

    fn release(&self, lease: Lease) -> Result<(), BoxError> {
        (**self).release(lease)
    }
}

impl TokenStore for FileTokenStore {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        self.read()
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        self.replace(next)
    }

    fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        self.try_lease()
    }

    fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        self.read_registration(issuer)
    }

    fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        self.replace_registration(issuer, registration)
    }
}

/// Store of any type.
pub(super) trait AnyStore: Send + Sync {
    /// What clients do with stores.
    fn calls(&self) -> &'static dyn StoreCalls;
    fn load(self: Arc<Self>) -> Result<Option<StoredToken>, BoxError>;
    fn save(self: Arc<Self>, next: StoredToken) -> Result<bool, BoxError>;
    fn lease(self: Arc<Self>, time: Duration) -> Result<Option<Lease>, BoxError>;
    fn load_registration(self: Arc<Self>, issuer: String) -> Result<KeptRegistration, BoxError>;
    fn save_registration(
        self: Arc<Self>,
        issuer: String,
        kept: KeptRegistration,
    ) -> Result<(), BoxError>;
    fn release(self: Arc<Self>, lease: Lease) -> Result<(), BoxError>;
}

/// Registration that is kept, if there is one.
type KeptRegistration = Option<RegisteredClient>;

impl<S: TokenStore + 'static> AnyStore for S {
    fn calls(&self) -> &'static dyn StoreCalls {
        &StoredTokens
    }

    fn load(self: Arc<Self>) -> Result<Option<StoredToken>, BoxError> {
        TokenStore::load(&*self)
    }

    fn save(self: Arc<Self>, next: StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&*self, &next)
    }

    fn lease(self: Arc<Self>, time: Duration) -> Result<Option<Lease>, BoxError> {
        TokenStore::lease(&*self, time)
    }

    fn load_registration(self: Arc<Self>, issuer: String) -> Result<KeptRegistration, BoxError> {
        TokenStore::load_registration(&*self, &issuer)
    }

    fn save_registration(
        self: Arc<Self>,
        issuer: String,
        kept: KeptRegistration,
    ) -> Result<(), BoxError> {
        TokenStore::save_registration(&*self, &issuer, kept.as_ref())
    }

    fn release(self: Arc<Self>, lease: Lease) -> Result<(), BoxError> {
        TokenStore::release(&*self, lease)
    }
}

macro_rules! stored {
    ($builder:ident, $which:expr) => {
        impl $builder {
            /// Sets the store of the token outside of the client: a
            /// [`FileTokenStore`](crate::FileTokenStore), or a store of your own. The client loads
            /// its token from it and saves each new one, including
            #[doc = $which]
            ///
            /// The lease of a renewal is kept until the new token is saved, and a failed save is
            /// repeated meanwhile. `token` is none until the store has been read, for example by
            /// `ensure_active_token`.
            pub fn token_store(mut self, store: impl TokenStore + 'static) -> Self {
                self.tokens.store = Some(Arc::new(store));
                self
            }
        }
    };
}

stored!(
    OAuth2ClientBuilder,
    "those of `set_token` and `fetch_token`; after `revoke_token` none. Children have no store of \
     their own; one with the client's refresh token shares its token and its store."
);
stored!(AssertionClientBuilder, "those of `set_token`.");
