//! Registrations that the token store keeps, by issuer: of all processes that share it one registers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::super::{
    Store, in_callback, maybe_async,
    settings::Bound,
    sleep,
    transport::Transport,
    waiting::{Deadline, STORE_CALL, store_timed_out},
    with_timeout,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    oauth2::{
        client::RegisteredClient,
        endpoint::registration::{endpoint::RegistrationEndpoint, request::RegistrationRequest},
        token::Token,
    },
    random,
    token_store::{Lease, StoredToken},
    trace,
};

/// Wait before a lease is requested again.
const LEASE_WAIT: Duration = Duration::from_millis(100);

/// The store of registrations; without one, each client registers by itself.
pub(in super::super) struct KeptRegistrations {
    pub(in super::super) store: Option<Store>,
    pub(in super::super) clock: Clock,
    /// Limit of a call of an endpoint.
    pub(in super::super) timeout: Duration,
    /// Marks the calls of the store as callbacks of a client, once there is one.
    pub(in super::super) mark: Option<usize>,
}

/// Registration for a client.
pub(in super::super) struct ObtainedRegistration {
    pub(in super::super) registered: RegisteredClient,
    /// Whether it was made now.
    pub(in super::super) is_new: bool,
}

impl ObtainedRegistration {
    fn kept(registered: RegisteredClient) -> Self {
        Self {
            registered,
            is_new: false,
        }
    }

    fn new(registered: RegisteredClient) -> Self {
        Self {
            registered,
            is_new: true,
        }
    }
}

impl KeptRegistrations {
    fn call_limit(&self) -> Duration {
        self.timeout.min(STORE_CALL)
    }

    /// The time of a lease: long enough to read the store twice, to register, and to store that.
    fn lease_time(&self) -> Duration {
        self.timeout
            .saturating_mul(2)
            .saturating_add(3 * STORE_CALL)
    }
}

#[maybe_async]
impl KeptRegistrations {
    /// The registration of the client at the server: the one that is kept, or by registering the
    /// client. A new one is kept before it is used.
    pub(in super::super) async fn obtain(
        &self,
        transport: &Arc<Transport>,
        endpoint: Result<RegistrationEndpoint>,
        issuer: &str,
        request: &RegistrationRequest,
    ) -> Result<ObtainedRegistration> {
        if let Some(kept) = self.usable(issuer, request).await? {
            return Ok(ObtainedRegistration::kept(kept));
        }
        let endpoint = endpoint?;
        let Some(store) = &self.store else {
            let registered = register(transport, &endpoint, request, self.timeout).await;
            return registered.map(ObtainedRegistration::new);
        };
        let lease = self.lease(store).await?;
        let registered = self
            .register_under_lease(store, transport, &endpoint, issuer, request)
            .await;
        self.release(store, lease).await;
        registered
    }

    async fn register_under_lease(
        &self,
        store: &Store,
        transport: &Arc<Transport>,
        endpoint: &RegistrationEndpoint,
        issuer: &str,
        request: &RegistrationRequest,
    ) -> Result<ObtainedRegistration> {
        // Once more, as another process may have registered a moment ago.
        if let Some(kept) = self.usable(issuer, request).await? {
            return Ok(ObtainedRegistration::kept(kept));
        }
        let registered = register(transport, endpoint, request, self.timeout).await?;
        self.save(issuer, Some(registered.clone())).await?;
        self.drop_token(store, |_| true).await?;
        Ok(ObtainedRegistration::new(registered))
    }

    /// The registration that is kept, unless it has expired or is for other redirection URIs.
    async fn usable(
        &self,
        issuer: &str,
        request: &RegistrationRequest,
    ) -> Result<Option<RegisteredClient>> {
        let kept = self.load(issuer).await?;
        let now = self.clock.unix();
        Ok(kept.filter(|kept| !kept.is_expired_at(now) && kept.serves(&request.metadata)))
    }

    /// Removes this registration, unless another one or another secret has replaced it. Returns
    /// whether it was there.
    /// Without a lease, which a renewal may hold that has found the client to be unknown.
    pub(in super::super) async fn forget(&self, registered: &RegisteredClient) -> Result<bool> {
        self.replace(registered, None, RegisteredClient::is_same)
            .await
    }

    /// Keeps what the server has issued for a registration that is kept.
    pub(in super::super) async fn update(&self, registered: &RegisteredClient) -> Result<bool> {
        let is_it = |kept: &RegisteredClient, registered: &RegisteredClient| {
            kept.client_id() == registered.client_id()
        };
        self.replace(registered, Some(registered.clone()), is_it)
            .await
    }

    async fn replace(
        &self,
        registered: &RegisteredClient,
        next: Option<RegisteredClient>,
        is_it: impl Fn(&RegisteredClient, &RegisteredClient) -> bool + Send,
    ) -> Result<bool> {
        let issuer = registered.issuer();
        let kept = self.load(issuer).await?;
        let is_kept = kept.is_some_and(|kept| is_it(&kept, registered));
        if is_kept {
            self.save(issuer, next).await?;
        }
        Ok(is_kept)
    }

    /// The registration that is kept, whatever its state.
    pub(in super::super) async fn load(&self, issuer: &str) -> Result<Option<RegisteredClient>> {
        self.load_by(issuer, None).await
    }

    /// The same for a call that ends at its own deadline.
    pub(in super::super) async fn load_by(
        &self,
        issuer: &str,
        own: Option<Deadline>,
    ) -> Result<Option<RegisteredClient>> {
        let Some(store) = self.store.clone() else {
            return Ok(None);
        };
        let (issuer, mark) = (issuer.to_owned(), self.mark);
        let limit = self.call_limit();
        let limit = own.map_or(limit, |own| own.left().min(limit));
        let kept = with_timeout(limit, move || load(store, issuer, mark)).await;
        kept.unwrap_or_else(|| match own.is_some_and(Deadline::is_over) {
            true => Err(store_timed_out()),
            false => Err(Error::store(LATE, None)),
        })
    }

    /// Keeps a registration, or none, under the lease.
    async fn save(&self, issuer: &str, registered: Option<RegisteredClient>) -> Result<()> {
        let Some(store) = self.store.clone() else {
            return Ok(());
        };
        let (issuer, mark) = (issuer.to_owned(), self.mark);
        let save = move || save(store, issuer, registered, mark);
        let saved = with_timeout(self.call_limit(), save).await;
        saved.unwrap_or_else(|| Err(Error::store(LATE, None)))
    }

    /// Removes the token that is stored, if it belongs to this client, which is forgotten.
    pub(in super::super) async fn drop_token_of(
        &self,
        registered: &RegisteredClient,
    ) -> Result<()> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let lease = self.lease(store).await?;
        let is_its_own = |token: &Token| Bound::names(token, registered);
        let dropped = self.drop_token(store, is_its_own).await;
        self.release(store, lease).await;
        dropped
    }

    /// Removes the token that is stored, if it is such a one.
    async fn drop_token(
        &self,
        store: &Store,
        is_such: impl Fn(&Token) -> bool + Send,
    ) -> Result<()> {
        let (loading, limit, mark) = (store.clone(), self.call_limit(), self.mark);
        let stored = with_timeout(limit, move || load_token(loading, mark)).await;
        let stored = stored.unwrap_or_else(|| Err(Error::store(LATE, None)))?;
        let is_such = |stored: &StoredToken| stored.token.as_ref().is_some_and(is_such);
        let Some(stored) = stored.filter(is_such) else {
            return Ok(());
        };
        let (store, none) = (
            store.clone(),
            StoredToken::new(None, stored.version.saturating_add(1)),
        );
        let saved = with_timeout(limit, move || save_token(store, none, mark)).await;
        saved.unwrap_or_else(|| Err(Error::store(LATE, None)))
    }

    /// Releases a lease. If that fails, it ends by itself.
    async fn release(&self, store: &Store, lease: Lease) {
        let (store, mark) = (store.clone(), self.mark);
        let released = with_timeout(self.call_limit(), move || release(store, lease, mark)).await;
        if let Err(error) = released.unwrap_or_else(|| Err(Error::store(LATE, None))) {
            // The client that it is about may have no identifier yet.
            trace::lease_not_released(None, &error);
        }
    }

    async fn lease(&self, store: &Store) -> Result<Lease> {
        let (began, time) = (Instant::now(), self.lease_time());
        loop {
            let (store, mark) = (store.clone(), self.mark);
            let lease = with_timeout(self.call_limit(), move || lease(store, time, mark)).await;
            match lease.unwrap_or_else(|| Err(Error::store(LATE, None)))? {
                Some(lease) => return Ok(lease),
                None if began.elapsed() >= self.timeout => return Err(Error::store(HELD, None)),
                None => sleep(LEASE_WAIT.saturating_add(random::jitter(LEASE_WAIT)?)).await,
            }
        }
    }
}

/// Registers a client. It is sent once: a second one would leave an abandoned client at the server.
#[maybe_async]
pub(super) async fn register(
    transport: &Arc<Transport>,
    endpoint: &RegistrationEndpoint,
    request: &RegistrationRequest,
    limit: Duration,
) -> Result<RegisteredClient> {
    let request = endpoint.request(request)?;
    let response = transport.ask(&request, limit).await;
    let response = response.map_err(|error| error.of_call(&request.call()))?;
    endpoint.read_response(&request, &response)
}

const LATE: &str = "token_store timed out";
const HELD: &str = "another process holds the lease of token_store and does not give it back";

#[maybe_async]
async fn load(
    store: Store,
    issuer: String,
    mark: Option<usize>,
) -> Result<Option<RegisteredClient>> {
    let kept = in_callback(mark.as_slice(), move || store.load_registration(issuer)).await;
    kept.map_err(|error| Error::store("token_store could not read a registration", Some(error)))
}

#[maybe_async]
async fn save(
    store: Store,
    issuer: String,
    kept: Option<RegisteredClient>,
    mark: Option<usize>,
) -> Result<()> {
    let save = move || store.save_registration(issuer, kept);
    let saved = in_callback(mark.as_slice(), save).await;
    saved.map_err(|error| Error::store("token_store did not keep a registration", Some(error)))
}

#[maybe_async]
async fn lease(store: Store, time: Duration, mark: Option<usize>) -> Result<Option<Lease>> {
    let lease = in_callback(mark.as_slice(), move || store.lease(time)).await;
    lease.map_err(|error| Error::store("token_store could not be leased", Some(error)))
}

#[maybe_async]
async fn release(store: Store, lease: Lease, mark: Option<usize>) -> Result<()> {
    let released = in_callback(mark.as_slice(), move || store.release(lease)).await;
    released.map_err(|error| Error::store("token_store could not release its lease", Some(error)))
}

#[maybe_async]
async fn load_token(store: Store, mark: Option<usize>) -> Result<Option<StoredToken>> {
    let stored = in_callback(mark.as_slice(), move || store.load()).await;
    stored.map_err(|error| Error::store("token_store could not be read", Some(error)))
}

#[maybe_async]
async fn save_token(store: Store, next: StoredToken, mark: Option<usize>) -> Result<()> {
    let saved = in_callback(mark.as_slice(), move || store.save(next)).await;
    let saved =
        saved.map_err(|error| Error::store("token_store did not remove the token", Some(error)))?;
    match saved {
        true => Ok(()),
        false => Err(Error::store(
            "token_store was changed during a registration",
            None,
        )),
    }
}
