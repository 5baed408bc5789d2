//! Token stores that fail and lag now and then, and note in the ledger what they have taken.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use oauth_twin::{AsyncTokenStore, BoxError, Lease, StoredToken, TokenStore};

use crate::Soak;

/// A store in memory.
#[derive(Clone, Default)]
pub struct MemoryTokenStore {
    stored: Arc<Mutex<Option<StoredToken>>>,
    leased: Arc<AtomicBool>,
}

/// Gives the lease back.
struct Release(Arc<AtomicBool>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl TokenStore for MemoryTokenStore {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stored.clone())
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let is_next = version == next.replaces();
        if is_next {
            *stored = Some(next.clone());
        }
        Ok(is_next)
    }

    fn lease(&self, _time: Duration) -> Result<Option<Lease>, BoxError> {
        let taken = self.leased.swap(true, Ordering::SeqCst);
        Ok((!taken).then(|| Lease::new(Release(self.leased.clone()))))
    }
}

impl AsyncTokenStore for MemoryTokenStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        TokenStore::load(self)
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        TokenStore::save(self, next)
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        TokenStore::lease(self, time)
    }
}

/// A store with faults.
pub struct FaultyTokenStore<S> {
    pub store: S,
    pub soak: Arc<Soak>,
    /// The user whose token it holds.
    pub user: usize,
}

impl<S> FaultyTokenStore<S> {
    /// Delay of the next call, or its failure.
    fn fault(&self) -> Result<Duration, BoxError> {
        if self.soak.faultless.load(Ordering::SeqCst) {
            return Ok(Duration::ZERO);
        }
        let mut rng = self.soak.random.next("store", self.user);
        match rng.below(100) {
            0..2 => Err("the store is out of order".into()),
            2..6 => Ok(rng.millis(50, 300)),
            _ => Ok(Duration::ZERO),
        }
    }

    fn note(&self, next: &StoredToken, taken: bool) -> bool {
        if taken && let Some(token) = &next.token {
            self.soak.ledger.keep(token);
        }
        taken
    }
}

impl<S: TokenStore> TokenStore for FaultyTokenStore<S> {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        thread::sleep(self.fault()?);
        self.store.load()
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        thread::sleep(self.fault()?);
        Ok(self.note(next, self.store.save(next)?))
    }

    fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        thread::sleep(self.fault()?);
        self.store.lease(time)
    }
}

impl<S: AsyncTokenStore> AsyncTokenStore for FaultyTokenStore<S> {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        tokio::time::sleep(self.fault()?).await;
        self.store.load().await
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        tokio::time::sleep(self.fault()?).await;
        Ok(self.note(next, self.store.save(next).await?))
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        tokio::time::sleep(self.fault()?).await;
        self.store.lease(time).await
    }
}
