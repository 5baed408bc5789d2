//! Settings, connections and slots that a client shares with its children.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicBool};

use super::{
    documents::cache::DocumentCache, dpop::Dpop, registration::kept::KeptRegistrations,
    settings::Settings, transport::Transport,
};
use crate::{
    error::Result,
    lifecycle::{now::Now, slot::Slot, slots::Slots},
    oauth2::{
        TokenEndpoint, endpoint::device_authorization::polls::DevicePolls,
        provider::refresh::refresh_needs_scope, server::metadata::AuthorizationServer,
    },
    oidc::{key_set::KeySet, logout_token::UsedLogoutTokens},
    trace,
};

/// Settings, connections and slots that a client shares with its children.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) transport: Arc<Transport>,
    pub(super) slots: Slots,
    pub(super) sources: LoginSources,
    /// The metadata of a server that is discovered.
    pub(super) server: DocumentCache<AuthorizationServer>,
    /// The token endpoint of a server that is given, once it was needed.
    pub(super) token_endpoint: OnceLock<Result<Arc<TokenEndpoint>>>,
    /// The keys with which the server signs.
    pub(super) keys: DocumentCache<KeySet>,
    pub(super) device_polls: DevicePolls,
    /// The logout tokens that were used, unless the user's own store keeps them.
    pub(super) used_logout_tokens: Mutex<UsedLogoutTokens>,
    /// Whether there is a token endpoint: each request asks, and the server's metadata are a map.
    pub(super) can_ask: bool,
    /// Whether refreshes name the granted scope; the successful way is remembered.
    pub(super) sends_scope: AtomicBool,
    /// Keys and nonces of a client that proves possession.
    pub(super) dpop: Option<Arc<Dpop>>,
    /// The same with earlier registrations of the client, for children that have those.
    earlier: Mutex<Vec<Arc<Self>>>,
}

/// Client of whose token the tokens of others are made.
pub(super) trait LoginSource: Send + Sync {
    /// Makes the others forget their tokens if this client has its token from `slot`.
    fn end_dependents(&self, slot: &Arc<Slot>);
}

/// The clients of whose tokens those of others are made, which are few.
#[derive(Default)]
pub(super) struct LoginSources(Mutex<Vec<Weak<dyn LoginSource>>>);

impl LoginSources {
    pub(super) fn add(&self, source: Weak<dyn LoginSource>) {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&source));
        sources.push(source);
    }

    /// Ends what was made of the token of `slot`, which has that of another login by now, or none.
    pub(super) fn end_dependents(&self, slot: &Arc<Slot>) {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<_> = sources.iter().filter_map(Weak::upgrade).collect();
        drop(sources);
        for source in known {
            source.end_dependents(slot);
        }
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, transport: Arc<Transport>) -> Self {
        let metadata = settings.discovery.as_ref();
        let metadata = metadata.and_then(|found| found.metadata.clone());
        let token_endpoint = metadata
            .as_ref()
            .unwrap_or(&settings.server)
            .token_endpoint();
        Self {
            sends_scope: AtomicBool::new(token_endpoint.is_some_and(refresh_needs_scope)),
            server: DocumentCache::new(metadata),
            can_ask: settings.has_token_endpoint(),
            token_endpoint: OnceLock::new(),
            keys: DocumentCache::new(settings.key_set.clone()),
            used_logout_tokens: Mutex::default(),
            dpop: settings.dpop.clone(),
            slots: Slots::new(settings.rules.clone()),
            sources: LoginSources::default(),
            settings,
            transport,
            device_polls: DevicePolls::default(),
            earlier: Mutex::default(),
        }
    }

    /// Takes the place of `old`, whose registration is replaced, and whose children stay.
    pub(super) fn succeed(&self, old: &Arc<Self>) {
        let mut earlier = std::mem::take(&mut *old.earlier());
        earlier.retain(|part| Arc::strong_count(part) > 1 || part.slots.owes());
        earlier.push(old.clone());
        *self.earlier() = earlier;
    }

    /// This and what it has taken the place of.
    pub(super) fn with_earlier(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut parts = self.earlier().clone();
        parts.push(self.clone());
        parts
    }

    fn earlier(&self) -> MutexGuard<'_, Vec<Arc<Self>>> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The registrations that the token store keeps.
    pub(super) fn kept_registrations(&self) -> KeptRegistrations {
        KeptRegistrations {
            store: self.settings.store.clone(),
            clock: self.settings.clock.clone(),
            timeout: self.settings.timeout,
            mark: Some(self.registering()),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now::by(&self.settings.clock)
    }

    /// Marks the callbacks that run for any of the slots.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Marks the calls of a store for registrations, which a renewal or a registration waits for. Nothing
    /// else has this address.
    pub(super) fn registering(&self) -> usize {
        self.id() + 1
    }

    /// Emits an event if updates of superseded logins were dropped.
    pub(super) fn tell_dropped(&self) {
        match self.slots.take_dropped() {
            0 => {}
            count => trace::updates_dropped(self.settings.name(), count),
        }
    }
}
