//! Store of a token outside of the client.

use std::{
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use crate::{
    asynchronous::{
        BoxFuture,
        client::{AsyncAssertionClientBuilder, AsyncOAuth2ClientBuilder, StoreCalls, StoredTokens},
    },
    error::{BoxError, Error},
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
/// Each call is limited to 10 seconds, or to the client's timeout if that is shorter. `load` and
/// `lease` are dropped then; `save` runs on. Their errors become sources of the client's errors, so
/// they must contain no secret. Within them, calls of the same client that would wait for its token
/// are errors.
///
/// # Security
///
/// A store holds the token of one client for one purpose: use one store for each account, each
/// scope and each server.
pub trait AsyncTokenStore: Send + Sync {
    /// Returns what is stored, or none if nothing ever was. It must not read from a replica that
    /// lags behind: an earlier version would be used, and its refresh token is used up.
    ///
    /// # Errors
    ///
    /// Any failure to read; the client then renews nothing. A store that only saves requests may
    /// return none instead.
    fn load(&self) -> impl Future<Output = Result<Option<StoredToken>, BoxError>> + Send;

    /// Stores `next` if the stored version is [`next.replaces()`](StoredToken::replaces), in one
    /// step, and returns whether it did.
    ///
    /// # Errors
    ///
    /// Any failure to store. The client uses the token, reports
    /// [`ErrorKind::Update`](crate::ErrorKind::Update), and repeats the save while the lease lasts,
    /// with the next renewal, and when it is closed.
    fn save(&self, next: &StoredToken) -> impl Future<Output = Result<bool, BoxError>> + Send;

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
    fn lease(&self, time: Duration)
    -> impl Future<Output = Result<Option<Lease>, BoxError>> + Send;

    /// Returns the registration of the client at `issuer`, if one is kept. A client that registers
    /// itself looks here first. By default nothing is kept.
    ///
    /// # Errors
    ///
    /// Any failure to read; the client then does not register.
    fn load_registration(
        &self,
        issuer: &str,
    ) -> impl Future<Output = Result<Option<RegisteredClient>, BoxError>> + Send {
        let _ = issuer;
        ready(Ok(None))
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
    ) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = (issuer, registration);
        ready(Ok(()))
    }

    /// Releases a lease of this store, which the client waits for. Defaults to dropping it; a store
    /// whose lease ends by a request makes that request here, and a store that wraps another passes
    /// the lease on.
    ///
    /// A lease is dropped without this call where nobody can wait for it, for example when the task
    /// of a renewal is.
    ///
    /// The time of the lease may have ended, and another process have it by now: compare its owner.
    ///
    /// # Errors
    ///
    /// Any failure to release it; the client reports an event, and the lease ends by itself.
    fn release(&self, lease: Lease) -> impl Future<Output = Result<(), BoxError>> + Send {
        drop(lease);
        ready(Ok(()))
    }
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

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        (**self).load_registration(issuer).await
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        (**self).save_registration(issuer, registration).await
    }

    async fn release(&self, lease: Lease) -> Result<(), BoxError> {
        (**self).release(lease).await
    }
}

/// On a thread for blocking work.
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

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        let (store, issuer) = (self.clone(), issuer.to_owned());
        on_thread(move || store.read_registration(&issuer)).await
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        let (store, issuer) = (self.clone(), issuer.to_owned());
        let registration = registration.cloned();
        on_thread(move || store.replace_registration(&issuer, registration.as_ref())).await
    }

    async fn release(&self, lease: Lease) -> Result<(), BoxError> {
        on_thread(move || {
            drop(lease);
            Ok(())
        })
        .await
    }
}

pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::interrupted("the runtime shut down"))?
}

/// Store of any type.
pub(super) trait AnyStore: Send + Sync {
    /// What clients do with stores.
    fn calls(&self) -> &'static dyn StoreCalls;
    fn load(self: Arc<Self>) -> BoxFuture<Option<StoredToken>>;
    fn save(self: Arc<Self>, next: StoredToken) -> BoxFuture<bool>;
    fn lease(self: Arc<Self>, time: Duration) -> BoxFuture<Option<Lease>>;
    fn load_registration(self: Arc<Self>, issuer: String) -> BoxFuture<KeptRegistration>;
    fn save_registration(self: Arc<Self>, issuer: String, kept: KeptRegistration) -> BoxFuture<()>;
    fn release(self: Arc<Self>, lease: Lease) -> BoxFuture<()>;
}

/// Registration that is kept, if there is one.
type KeptRegistration = Option<RegisteredClient>;

impl<S: AsyncTokenStore + 'static> AnyStore for S {
    fn calls(&self) -> &'static dyn StoreCalls {
        &StoredTokens
    }

    fn load(self: Arc<Self>) -> BoxFuture<Option<StoredToken>> {
        Box::pin(async move { AsyncTokenStore::load(&*self).await })
    }

    fn save(self: Arc<Self>, next: StoredToken) -> BoxFuture<bool> {
        Box::pin(async move { AsyncTokenStore::save(&*self, &next).await })
    }

    fn lease(self: Arc<Self>, time: Duration) -> BoxFuture<Option<Lease>> {
        Box::pin(async move { AsyncTokenStore::lease(&*self, time).await })
    }

    fn load_registration(self: Arc<Self>, issuer: String) -> BoxFuture<KeptRegistration> {
        Box::pin(async move { AsyncTokenStore::load_registration(&*self, &issuer).await })
    }

    fn save_registration(self: Arc<Self>, issuer: String, kept: KeptRegistration) -> BoxFuture<()> {
        Box::pin(
            async move { AsyncTokenStore::save_registration(&*self, &issuer, kept.as_ref()).await },
        )
    }

    fn release(self: Arc<Self>, lease: Lease) -> BoxFuture<()> {
        Box::pin(async move { AsyncTokenStore::release(&*self, lease).await })
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
            pub fn token_store(mut self, store: impl AsyncTokenStore + 'static) -> Self {
                self.tokens.store = Some(Arc::new(store));
                self
            }
        }
    };
}

stored!(
    AsyncOAuth2ClientBuilder,
    "those of `set_token` and `fetch_token`; after `revoke_token` none. Children have no store of \
     their own; one with the client's refresh token shares its token and its store."
);
stored!(AsyncAssertionClientBuilder, "those of `set_token`.");
