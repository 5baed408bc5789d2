//! Where a token is kept outside of the client.

use std::{sync::Arc, time::Duration};

use crate::{
    blocking::client::{AssertionClientBuilder, OAuth2ClientBuilder},
    error::BoxError,
    token_store::{FileTokenStore, Lease, StoredToken},
};

/// Keeps the token of a client outside of it: for the next run of the program, for other
/// processes, for other machines. [`FileTokenStore`] is one.
///
/// A client reads it when it first needs a token, and again before each renewal. It renews under
/// the lease and stores the new token under the next version, before `update_token` is told; so of
/// any number of processes one renews, and the others take what it has stored. A token that is
/// fresh is used without looking into the store.
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
/// Each call is made on a thread of its own and waited for no longer than 10 seconds, or the
/// client's timeout if that is shorter; the thread ends when the call returns, so give it a
/// timeout, too. What calls fail with becomes the source of the client's error, so it must tell no
/// secret. Within them, calls of the same client that would wait for its token are errors.
///
/// # Security
///
/// A store holds the token of one client for one purpose: give each account, each scope and each
/// server its own.
pub trait TokenStore: Send + Sync {
    /// What is stored; nothing, if nothing ever was. It must not come from a copy that lags behind:
    /// an earlier version is news, and its refresh token is spent.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the client renews nothing then. A store that is only there to save
    /// requests may say that nothing is stored instead.
    fn load(&self) -> Result<Option<StoredToken>, BoxError>;

    /// Stores `next` if the version that is stored is [`next.replaces()`](StoredToken::replaces),
    /// in one step, and tells whether it did.
    ///
    /// # Errors
    ///
    /// Whatever went wrong. The client goes on with the token, says that it is not stored, and
    /// tries again before the next renewal and when it is closed.
    fn save(&self, next: &StoredToken) -> Result<bool, BoxError>;

    /// The right to renew, unless somebody else has it: not waited for, as the client asks again.
    /// Where nothing else tells that its holder is no more, it ends by itself after `time`: twice
    /// the client's timeout and 30 seconds.
    ///
    /// A refresh token is spent under it, so it is also the proof that a new token can be stored.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the client renews nothing then.
    fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError>;
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
}

/// Any store, by one type.
pub(super) trait AnyStore: Send + Sync {
    fn load(self: Arc<Self>) -> Result<Option<StoredToken>, BoxError>;
    fn save(self: Arc<Self>, next: StoredToken) -> Result<bool, BoxError>;
    fn lease(self: Arc<Self>, time: Duration) -> Result<Option<Lease>, BoxError>;
}

impl<S: TokenStore + 'static> AnyStore for S {
    fn load(self: Arc<Self>) -> Result<Option<StoredToken>, BoxError> {
        TokenStore::load(&*self)
    }

    fn save(self: Arc<Self>, next: StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(&*self, &next)
    }

    fn lease(self: Arc<Self>, time: Duration) -> Result<Option<Lease>, BoxError> {
        TokenStore::lease(&*self, time)
    }
}

macro_rules! stored {
    ($builder:ident) => {
        impl $builder {
            /// Where the token is kept outside of the client: a
            /// [`FileTokenStore`](crate::FileTokenStore), or a store of your own. The client
            /// takes its token from there and puts each new one there, also that of `set_token`
            /// and of `fetch_token`; after `revoke_token` none. Children have no store.
            ///
            /// `token` is none until the store has been read, which `ensure_active_token` does.
            pub fn token_store(mut self, store: impl TokenStore + 'static) -> Self {
                self.tokens.store = Some(Arc::new(store));
                self
            }
        }
    };
}

stored!(OAuth2ClientBuilder);
stored!(AssertionClientBuilder);
