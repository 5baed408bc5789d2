//! Inside of every client with a token: a handle that can be closed, on a slot that may be shared, on
//! shared connections and settings.

mod access;
mod dependents;
mod exchange;
mod grants;
mod handle;
mod led_resource;
mod resource;
mod users;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    delivery::Delivery,
    endpoint_call::EndpointCall,
    gate::Gate,
    maybe_async,
    settings::Settings,
    shared::Shared,
    side_by_side, spawn_and_forget,
    store_sync::{StoreSync, keep},
    transport::Transport,
    waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::{action::Caller, published::Published, slot::Slot, table::UserId},
    oauth2::{grant::Grant, token::Token},
    token_store::UserKey,
};
use grants::Grants;
pub(in super::super) use handle::Live;
use handle::{Handle, HandleKind, HandleState};
pub(super) use led_resource::{Resource, ResourceRefusal};

/// Handle of a client. Clones are the same client.
#[derive(Clone)]
pub(in super::super) struct Session(Arc<Handle>);

impl Session {
    pub(super) fn new(
        settings: Settings,
        transport: Transport,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Self {
        let kind = HandleKind {
            has_store: settings.store.is_some(),
            grants: Grants::new(grant),
            ..HandleKind::default()
        };
        let shared = Arc::new(Shared::new(settings, Arc::new(transport)));
        let store = shared.settings.store.clone().map(keep);
        let slot = shared.slots.first(token, store, shared.now());
        Self::open(shared, slot, kind)
    }

    fn open(shared: Arc<Shared>, slot: Arc<Slot>, kind: HandleKind) -> Self {
        let live = Live {
            shared,
            slot,
            kind: Arc::new(kind),
        };
        Self(Arc::new(Handle::new(HandleState::Open(live))))
    }

    /// A client for the token of another user, on the same connections.
    pub(super) fn child(&self, token: Token) -> Self {
        let live = match self.live() {
            Ok(live) => live,
            Err(error) => return Self::failed(error),
        };
        let shared = live.part_of(&token);
        let slot = shared.slots.find(token, shared.now());
        Self::open_child(live.with(shared, slot), None)
    }

    /// A client on the slot of a child, or of a user.
    fn open_child(live: Live, user: Option<UserId>) -> Self {
        let Live { shared, slot, kind } = live;
        let kind = HandleKind {
            is_child: true,
            user: user
                .map(Box::new)
                .map_or_else(OnceLock::new, OnceLock::from),
            resource: kind.resource.clone(),
            ..HandleKind::default()
        };
        Self::open(shared, slot, kind)
    }

    /// A client whose calls fail with this error.
    fn failed(error: Error) -> Self {
        Self(Arc::new(Handle::new(HandleState::Failed(error))))
    }

    /// A client for the token of a user, which is in the store of that user.
    pub(super) fn for_user(&self, user: &str) -> Self {
        self.of_user(user).unwrap_or_else(Self::failed)
    }

    /// The same, or the reason why there is none.
    pub(super) fn of_user(&self, user: &str) -> Result<Self> {
        let live = self.live()?;
        let shared = live.current_part();
        let (id, now) = (UserId::new(user), shared.now());
        let slot = match shared.slots.of_user(id, now) {
            Some(slot) => slot,
            None => {
                // No lock is held for the caller's code.
                let store = shared.settings.user_store(&UserKey::new(user)?)?;
                shared.slots.add_user(id, Some(keep(store)), now)
            }
        };
        Ok(Self::open_child(live.with(shared, slot), Some(id)))
    }

    pub(super) fn token(&self) -> Option<Token> {
        let live = self.with_own_slot(Self::serving).ok()?;
        let published = live.slot.published()?;
        Some(published.token.clone())
    }

    pub(super) fn set_token(&self, token: Token) -> Result<()> {
        let live = self.live_outside_hook("set_token")?;
        let grant = live.kind.grants.first();
        let slot = self.replace(Some(token), grant)?;
        let shared = self.live_or_closing()?.shared;
        spawn_and_forget(Delivery::new(shared, slot).store())
    }

    /// Points the handle, with its clones, to the slot of another token, or to one without. For a resource
    /// it is at the server that has issued the token.
    pub(super) fn replace(
        &self,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Result<Arc<Slot>> {
        // The clock may be the caller's code, which no lock is held for.
        let live = self.live_or_closing()?;
        let now = live.shared.now();
        if let Some(token) = &token {
            self.move_to(live.part_of(token), None)?;
        }
        let mut state = self.0.write();
        let live = state.live_mut().ok_or_else(Error::closed)?;
        let slots = &live.shared.slots;
        let slot = match live.kind.user() {
            Some(&user) => slots.assign(user, &live.slot, token, now),
            None => slots.replace(&live.slot, token, live.kind.has_store, now),
        };
        live.slot = slot.clone();
        live.kind.grants.set(grant);
        live.shared.tell_dropped();
        let Live { shared, kind, .. } = live.clone();
        drop(state);
        match kind.user() {
            // The other handles of the user have another login, too.
            Some(_) => shared.sources.end_dependents(&slot),
            None => kind.end_dependents(),
        }
        Ok(slot)
    }

    /// Points the handle to a slot without a token.
    pub(super) fn forget(&self) -> Result<Arc<Slot>> {
        let grant = self.live_or_closing()?.kind.grants.first();
        self.replace(None, grant)
    }

    /// Whether the handle, which may be closed by now, points to this slot.
    pub(super) fn points_to(&self, slot: &Arc<Slot>) -> bool {
        let state = self.0.read();
        state
            .live()
            .is_none_or(|live| Arc::ptr_eq(&live.slot, slot))
    }

    /// Points the handle to the slot with which its own was merged.
    pub(super) fn follow(&self, slot: Arc<Slot>) {
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
            other @ (HandleState::Closed | HandleState::Failed(_)) => {
                *state = other;
                return None;
            }
        };
        live.gate().close();
        *state = HandleState::Closing(live.clone());
        Some(live)
    }
}

#[maybe_async]
impl Session {
    pub(in super::super) async fn close(&self) -> Result<()> {
        if let Ok(live) = self.live_or_closing()
            && live.is_in_callback()
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

impl Live {
    /// The token if it need not be renewed, and whether another can be had if a server refuses it.
    #[inline]
    pub(super) fn fresh_or_renewable(&self) -> Option<(Arc<Published>, bool)> {
        let now = self.shared.settings.clock.now();
        let (token, is_renewable) = self.slot.fresh_or_renewable(now, self.can_ask())?;
        if self.shared.transport.has_certificate() && self.is_bound_elsewhere(&token) {
            return None;
        }
        Some((token, is_renewable || self.can_obtain_another()))
    }

    /// Whether another token can be had if a server refuses this one.
    pub(super) fn can_renew(&self) -> bool {
        self.slot.is_renewable(self.can_ask()) || self.can_obtain_another()
    }

    fn can_ask(&self) -> bool {
        self.shared.can_ask
    }

    /// Whether another token can be had without a refresh token.
    #[inline]
    fn can_obtain_another(&self) -> bool {
        let by_refusal = self.shared.settings.rules.policy.on_unauthorized();
        let by_grant = by_refusal && self.can_ask() && self.kind.grants.has_current();
        by_grant || self.kind.resource.is_some()
    }

    /// Returns from the grant of a login to the one that the client was created with.
    pub(super) fn log_out(&self, grant: Option<Arc<dyn Grant>>) -> Option<Arc<dyn Grant>> {
        let first = self.kind.grants.first();
        self.kind.grants.exchange(grant, first.clone());
        first
    }

    /// The gate that each call of an endpoint passes.
    pub(super) fn gate(&self) -> &Gate {
        &self.kind.gate
    }

    /// A call of an endpoint.
    pub(super) fn call(&self) -> EndpointCall<'_> {
        EndpointCall::new(&self.shared, &self.slot)
    }

    pub(super) fn delivery(&self) -> Delivery {
        Delivery::new(self.shared.clone(), self.slot.clone())
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
        // Before a registration anew that is under way takes the earlier ones along.
        let parts = match self.kind.is_child {
            true => Vec::new(),
            false => self.parts(),
        };
        if !self.gate().is_idle(deadline).await {
            return Err(Error::interrupted(
                "a request is still under way; close again to wait for it",
            ));
        }
        let pending = |part: &Arc<Shared>| {
            let (part, slots) = (part.clone(), part.slots.pending());
            slots.into_iter().map(move |slot| (part.clone(), slot))
        };
        let mut owing: Vec<_> = parts.iter().flat_map(pending).collect();
        // Another call may have pointed the user, or the refresh token, to another slot.
        for own in [self.slot.by_now(), self.slot] {
            if !owing.iter().any(|(_, slot)| Arc::ptr_eq(slot, &own)) {
                owing.push((self.shared.clone(), own));
            }
        }
        let settle = |(part, slot)| Delivery::new(part, slot).settle(deadline);
        side_by_side(owing, settle).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
    }
}
