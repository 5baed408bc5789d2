//! Inside of every client with a token: a handle that can be closed, on a slot that may be shared, on
//! shared connections and settings.

mod grants;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use reqwest::{IntoUrl, Method};

use super::{
    delivery::Delivery,
    endpoint_call::EndpointCall,
    gate::Gate,
    http, is_in_callback, maybe_async,
    settings::{Identity, Settings},
    shared::Shared,
    side_by_side, spawn_and_forget,
    store_sync::StoreSync,
    transport::Transport,
    waiting::{Deadline, Waiting},
};
use crate::{
    error::{Error, Result},
    lifecycle::{action::Caller, now::Now, published::Published, slot::Slot, slots::Slots},
    oauth2::{grant::Grant, token::Token},
};
use grants::Grants;

/// Handle of a client. Clones are the same client.
#[derive(Clone)]
pub(in super::super) struct Session(Arc<Handle>);

struct Handle(RwLock<HandleState>);

enum HandleState {
    Open(Live),
    /// Closed to callers, with undelivered tokens, which another `close` delivers.
    Closing(Live),
    Closed,
}

/// State of an open client.
#[derive(Clone)]
pub(in super::super) struct Live {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot<Waiting>>,
    kind: Arc<HandleKind>,
}

/// Properties of a handle from its creation.
struct HandleKind {
    is_child: bool,
    has_store: bool,
    gate: Gate,
    grants: Grants,
}

impl Session {
    pub(super) fn new(
        settings: Settings,
        transport: Transport,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Self {
        let kind = HandleKind {
            is_child: false,
            has_store: settings.store.is_some(),
            gate: Gate::default(),
            grants: Grants::new(grant),
        };
        let slots = Slots::new(settings.rules);
        let slot = slots.first(token, kind.has_store, Now::by(&settings.clock));
        let shared = Arc::new(Shared::new(settings, transport, slots));
        Self::open(shared, slot, kind)
    }

    fn open(shared: Arc<Shared>, slot: Arc<Slot<Waiting>>, kind: HandleKind) -> Self {
        let live = Live {
            shared,
            slot,
            kind: Arc::new(kind),
        };
        Self(Arc::new(Handle(RwLock::new(HandleState::Open(live)))))
    }

    /// A client for the token of another user, on the same connections.
    pub(super) fn child(&self, token: Token) -> Self {
        let Ok(Live { shared, .. }) = self.live() else {
            return Self(Arc::new(Handle(RwLock::new(HandleState::Closed))));
        };
        let slot = shared.slots.find(token, shared.now());
        let kind = HandleKind {
            is_child: true,
            has_store: false,
            gate: Gate::default(),
            grants: Grants::default(),
        };
        Self::open(shared, slot, kind)
    }

    /// Creates a request on the connections of the client.
    #[inline]
    pub(super) fn request(
        &self,
        method: Method,
        url: impl IntoUrl,
    ) -> Result<http::RequestBuilder> {
        match &*self.0.read() {
            HandleState::Open(live) => Ok(live.shared.transport.request(method, url)),
            HandleState::Closing(_) | HandleState::Closed => Err(Error::closed()),
        }
    }

    /// The state, if the client is open.
    pub(super) fn live(&self) -> Result<Live> {
        match &*self.0.read() {
            HandleState::Open(live) => Ok(live.clone()),
            HandleState::Closing(_) | HandleState::Closed => Err(Error::closed()),
        }
    }

    /// The same for a call that began before the client was closed.
    fn live_or_closing(&self) -> Result<Live> {
        let live = self.0.read().live().cloned();
        live.ok_or_else(Error::closed)
    }

    /// The same for methods that must not be called within `update_token`.
    pub(super) fn live_outside_hook(&self, method: &'static str) -> Result<Live> {
        let live = self.live()?;
        if is_in_callback(live.slot.id()) {
            return Err(Error::reentrant(method));
        }
        Ok(live)
    }

    pub(super) fn token(&self) -> Option<Token> {
        let published = self.live().ok()?.slot.published()?;
        Some(published.token.clone())
    }

    pub(super) fn set_token(&self, token: Token) -> Result<()> {
        let live = self.live_outside_hook("set_token")?;
        let grant = live.kind.grants.first();
        let slot = self.replace(Some(token), grant)?;
        spawn_and_forget(Delivery::new(live.shared, slot).store())
    }

    /// Points the handle, with its clones, to the slot of another token, or to one without.
    pub(super) fn replace(
        &self,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Result<Arc<Slot<Waiting>>> {
        // The clock may be the caller's code, which no lock is held for.
        let now = self.live_or_closing()?.shared.now();
        let mut state = self.0.write();
        let live = state.live_mut().ok_or_else(Error::closed)?;
        let shared = &live.shared;
        let has_store = live.kind.has_store;
        let slot = shared.slots.replace(&live.slot, token, has_store, now);
        live.slot = slot.clone();
        live.kind.grants.set(grant);
        shared.tell_dropped();
        Ok(slot)
    }

    /// Points the handle to a slot without a token.
    pub(super) fn forget(&self) -> Result<Arc<Slot<Waiting>>> {
        let grant = self.live()?.kind.grants.first();
        self.replace(None, grant)
    }

    /// Whether the handle, which may be closed by now, points to this slot.
    pub(super) fn points_to(&self, slot: &Arc<Slot<Waiting>>) -> bool {
        let state = self.0.read();
        state
            .live()
            .is_none_or(|live| Arc::ptr_eq(&live.slot, slot))
    }

    /// Points the handle to the slot with which its own was merged.
    pub(super) fn follow(&self, slot: Arc<Slot<Waiting>>) {
        let mut state = self.0.write();
        if let Some(live) = state.live_mut()
            && live
                .slot
                .forwarded()
                .is_some_and(|next| Arc::ptr_eq(&next, &slot))
        {
            live.slot = slot;
        }
    }

    /// Closes the client as far as that is possible without waiting.
    #[allow(
        dead_code,
        reason = "a thread cannot be dropped in the middle of its work"
    )]
    pub(in super::super) fn abandon(&self) {
        if let Some(live) = self.begin_close() {
            let _ = spawn_and_forget(live.settle());
        }
    }

    /// Refuses callers from now on. Returns the state, unless the client was settled before.
    fn begin_close(&self) -> Option<Live> {
        let mut state = self.0.write();
        let live = match std::mem::replace(&mut *state, HandleState::Closed) {
            HandleState::Open(live) | HandleState::Closing(live) => live,
            HandleState::Closed => return None,
        };
        live.gate().close();
        *state = HandleState::Closing(live.clone());
        Some(live)
    }
}

#[maybe_async]
impl Session {
    pub(in super::super) async fn close(&self) -> Result<()> {
        if let Ok(live) = self.live()
            && (is_in_callback(live.slot.id()) || is_in_callback(live.shared.id()))
        {
            return Err(Error::reentrant("close"));
        }
        let Some(live) = self.begin_close() else {
            return Ok(());
        };
        live.settle().await?;
        let state = std::mem::replace(&mut *self.0.write(), HandleState::Closed);
        state.release();
        Ok(())
    }
}

impl Handle {
    fn read(&self) -> RwLockReadGuard<'_, HandleState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HandleState> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandleState {
    fn live(&self) -> Option<&Live> {
        match self {
            Self::Open(live) | Self::Closing(live) => Some(live),
            Self::Closed => None,
        }
    }

    fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Open(live) | Self::Closing(live) => Some(live),
            Self::Closed => None,
        }
    }

    /// Removes the handle from its slot.
    fn release(self) {
        if let Self::Open(live) | Self::Closing(live) = self {
            let Live { shared, slot, .. } = live;
            shared.slots.forget_handle(slot);
        }
    }
}

/// The last clone is dropped without `close`. A renewal continues by itself; an undelivered token is
/// delivered once more, as far as possible.
impl Drop for Handle {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *self.write(), HandleState::Closed);
        if let HandleState::Open(live) = &state
            && live.slot.has_undelivered()
            && !is_in_callback(live.slot.id())
            && !std::thread::panicking()
        {
            let deadline = Deadline::after(live.shared.settings.close_timeout);
            let delivery = Delivery::new(live.shared.clone(), live.slot.clone());
            // No caller is left to get the error.
            let _ = spawn_and_forget(delivery.run(deadline));
        }
        state.release();
    }
}

impl Live {
    /// The token if it need not be renewed, and whether another can be had if a server refuses it.
    pub(super) fn fresh_or_renewable(&self) -> Option<(Arc<Published>, bool)> {
        let now = self.shared.settings.clock.unix();
        let (token, is_renewable) = self.slot.fresh_or_renewable(now, self.can_ask())?;
        if self.shared.transport.has_certificate() && self.is_bound_elsewhere(&token) {
            return None;
        }
        Some((token, is_renewable || self.has_replayable_grant()))
    }

    /// Whether another token can be had if a server refuses this one.
    pub(super) fn can_renew(&self) -> bool {
        self.slot.is_renewable(self.can_ask()) || self.has_replayable_grant()
    }

    fn can_ask(&self) -> bool {
        self.shared.can_ask
    }

    fn has_replayable_grant(&self) -> bool {
        let by_refusal = self.shared.settings.rules.policy.on_unauthorized();
        by_refusal && self.can_ask() && self.kind.grants.has_current()
    }

    /// Returns to the grant that the client was created with.
    pub(super) fn log_out(&self) -> Option<Arc<dyn Grant>> {
        let grant = self.kind.grants.first();
        self.kind.grants.set(grant.clone());
        grant
    }

    /// The gate that each call of an endpoint passes.
    pub(super) fn gate(&self) -> &Gate {
        &self.kind.gate
    }

    /// A call of an endpoint.
    pub(super) fn call(&self) -> EndpointCall<'_> {
        EndpointCall::new(&self.shared, &self.slot)
    }

    pub(super) fn store_sync(&self) -> StoreSync {
        StoreSync::new(self.shared.clone(), self.slot.clone())
    }

    /// The properties of the handle beside the slot.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            grant: self.kind.grants.current(),
            can_ask: self.can_ask(),
        }
    }
}

#[maybe_async]
impl Live {
    /// Waits for calls and renewals in flight, and delivers the outboxes: of this client, and unless
    /// it is a child, of all its children.
    async fn settle(self) -> Result<()> {
        let deadline = Deadline::after(self.shared.settings.close_timeout);
        if !self.gate().is_idle(deadline).await {
            return Err(Error::interrupted(
                "a request is still under way; close again to wait for it",
            ));
        }
        let mut slots = match self.kind.is_child {
            true => Vec::new(),
            false => self.shared.slots.pending(),
        };
        if !slots.iter().any(|slot| Arc::ptr_eq(slot, &self.slot)) {
            slots.push(self.slot.clone());
        }
        let shared = self.shared.clone();
        let settle = move |slot| Delivery::new(shared.clone(), slot).settle(deadline);
        side_by_side(slots, settle).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.read() {
            HandleState::Open(Live { shared, slot, .. }) => {
                let mut debug = f.debug_struct("Open");
                match &shared.settings.identity {
                    Identity::Client => debug.field("client", &shared.settings.client),
                    Identity::Issuer(issuer) => debug.field("issuer", issuer),
                };
                let token = slot.published().map(|published| published.token.clone());
                match (shared.server(), &shared.settings.discovery) {
                    (None, Some(found)) => debug.field("server", &found.discovery),
                    (server, _) => debug.field("server", &server.unwrap_or_default()),
                };
                debug.field("token", &token).finish()
            }
            HandleState::Closing(_) | HandleState::Closed => f.write_str("Closed"),
        }
    }
}
