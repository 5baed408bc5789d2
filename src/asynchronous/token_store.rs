//! Where a token is kept outside of the client.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{
    asynchronous::{
        BoxFuture,
        client::{AsyncAssertionClientBuilder, AsyncOAuth2ClientBuilder},
    },
    error::{BoxError, Error},
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
/// use std::{sync::Arc, time::Duration};
/// use oauth_twin::{AsyncOAuth2Client, AsyncTokenStore, BoxError, Lease, StoredToken};
/// use tokio::sync::{Mutex, Semaphore};
///
/// struct Memory {
///     stored: Mutex<Option<StoredToken>>,
///     free: Arc<Semaphore>,
/// }
///
/// impl AsyncTokenStore for Memory {
///     async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
///         Ok(self.stored.lock().await.clone())
///     }
///
///     async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
///         // A table: UPDATE … SET token = $1, version = $2 WHERE id = $3 AND version = $2 - 1
///         let mut stored = self.stored.lock().await;
///         let version = stored.as_ref().map_or(0, |stored| stored.version);
///         let is_next = version == next.replaces();
///         if is_next {
///             *stored = Some(next.clone());
///         }
///         Ok(is_next)
///     }
///
///     async fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
///         let permit = self.free.clone().try_acquire_owned();
///         Ok(permit.ok().map(Lease::new))
///     }
/// }
///
/// let store = Memory { stored: Mutex::default(), free: Arc::new(Semaphore::new(1)) };
/// let client = AsyncOAuth2Client::builder("client-id").token_store(store).build()?;
/// # Ok::<(), oauth_twin::Error>(())
/// ```
///
/// Each call is dropped after 10 seconds, or after the client's timeout if that is shorter. What
/// calls fail with becomes the source of the client's error, so it must tell no secret. Within
/// them, calls of the same client that would wait for its token are errors.
///
/// # Security
///
/// A store holds the token of one client for one purpose: give each account, each scope and each
/// server its own.
pub trait AsyncTokenStore: Send + Sync {
    /// What is stored; nothing, if nothing ever was. It must not come from a copy that lags behind:
    /// an earlier version is news, and its refresh token is spent.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the client renews nothing then. A store that is only there to save
    /// requests may say that nothing is stored instead.
    fn load(&self) -> impl Future<Output = Result<Option<StoredToken>, BoxError>> + Send;

    /// Stores `next` if the version that is stored is [`next.replaces()`](StoredToken::replaces),
    /// in one step, and tells whether it did.
    ///
    /// # Errors
    ///
    /// Whatever went wrong. The client goes on with the token, says that it is not stored, and
    /// tries again before the next renewal and when it is closed.
    fn save(&self, next: &StoredToken) -> impl Future<Output = Result<bool, BoxError>> + Send;

    /// The right to renew, unless somebody else has it: not waited for, as the client asks again.
    /// Where nothing else tells that its holder is no more, it ends by itself after `time`: twice
    /// the client's timeout and 30 seconds.
    ///
    /// A refresh token is spent under it, so it is also the proof that a new token can be stored.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the client renews nothing then.
    fn lease(&self, time: Duration)
    -> impl Future<Output = Result<Option<Lease>, BoxError>> + Send;
}

impl<S: AsyncTokenStore + ?Sized> AsyncTokenStore for Arc<S> {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        (**self).load().await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        (**self).save(next).await
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        (**self).lease(time).await
    }
}

/// On a thread for work that blocks.
impl AsyncTokenStore for FileTokenStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let store = self.clone();
        on_thread(move || store.read()).await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let (store, next) = (self.clone(), next.clone());
        on_thread(move || store.replace(&next)).await
    }

    async fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        let store = self.clone();
        on_thread(move || store.try_lease()).await
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::interrupted("the runtime shut down"))?
}

/// Any store, by one type.
pub(super) trait AnyStore: Send + Sync {
    fn load(self: Arc<Self>) -> BoxFuture<Option<StoredToken>>;
    fn save(self: Arc<Self>, next: StoredToken) -> BoxFuture<bool>;
    fn lease(self: Arc<Self>, time: Duration) -> BoxFuture<Option<Lease>>;
}

impl<S: AsyncTokenStore + 'static> AnyStore for S {
    fn load(self: Arc<Self>) -> BoxFuture<Option<StoredToken>> {
        Box::pin(async move { AsyncTokenStore::load(&*self).await })
    }

    fn save(self: Arc<Self>, next: StoredToken) -> BoxFuture<bool> {
        Box::pin(async move { AsyncTokenStore::save(&*self, &next).await })
    }

    fn lease(self: Arc<Self>, time: Duration) -> BoxFuture<Option<Lease>> {
        Box::pin(async move { AsyncTokenStore::lease(&*self, time).await })
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
            pub fn token_store(mut self, store: impl AsyncTokenStore + 'static) -> Self {
                self.tokens.store = Some(Arc::new(store));
                self
            }
        }
    };
}

stored!(AsyncOAuth2ClientBuilder);
stored!(AsyncAssertionClientBuilder);
