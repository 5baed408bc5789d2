//! What every client with a token is made of: a handle that can be closed, on a slot that may be
//! shared, on connections and settings that are.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    delivery::Delivery,
    gate::Gate,
    is_in_callback, maybe_async, run_to_completion,
    settings::{Identity, Settings},
    side_by_side, spawn_and_forget,
    transport::Transport,
    waiting::{Deadline, Waiting},
};
use crate::{
    error::{Error, Result},
    lifecycle::{action::Caller, now::Now, slot::Slot, slots::Slots},
    oauth2::{
        endpoint::introspection::{Introspection, TokenTypeHint},
        grant::Grant,
        token::Token,
    },
    secret::Secret,
};

/// A client's inside. Clones are the same client.
#[derive(Clone)]
pub(in super::super) struct Session(Arc<Handle>);

struct Handle(RwLock<HandleState>);

enum HandleState {
    Open(Live),
    /// Closed to callers; something was left to be done, which another `close` tries again.
    Closing(Live),
    Closed,
}

/// What an open client holds.
#[derive(Clone)]
pub(in super::super) struct Live {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot<Waiting>>,
    pub(super) gate: Arc<Gate>,
    kind: Arc<HandleKind>,
    /// What the token may be asked for with anew.
    grant: Arc<Mutex<Option<Arc<dyn Grant>>>>,
}

/// What a handle was made with.
struct HandleKind {
    /// The grant that it goes back to when it is given another token. Only ever the client's own: a
    /// child of it acts for somebody else.
    grant: Option<Arc<dyn Grant>>,
    is_child: bool,
    has_store: bool,
}

/// What a client shares with its children.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) transport: Transport,
    pub(super) slots: Slots<Waiting>,
}

impl Session {
    pub(super) fn new(
        settings: Settings,
        transport: Transport,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Self {
        let kind = HandleKind {
            grant: grant.clone(),
            is_child: false,
            has_store: settings.store.is_some(),
        };
        let slots = Slots::new(settings.rules);
        let slot = slots.first(token, kind.has_store, Now::by(&settings.clock));
        let shared = Arc::new(Shared {
            settings,
            transport,
            slots,
        });
        Self::open(shared, slot, kind)
    }

    fn open(shared: Arc<Shared>, slot: Arc<Slot<Waiting>>, kind: HandleKind) -> Self {
        let live = Live {
            shared,
            slot,
            gate: Arc::default(),
            grant: Arc::new(Mutex::new(kind.grant.clone())),
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
            grant: None,
            is_child: true,
            has_store: false,
        };
        Self::open(shared, slot, kind)
    }

    /// What is needed to do anything.
    pub(super) fn live(&self) -> Result<Live> {
        match &*self.0.read() {
            HandleState::Open(live) => Ok(live.clone()),
            HandleState::Closing(_) | HandleState::Closed => Err(Error::closed()),
        }
    }

    /// The same for what must not be done from within `update_token`.
    pub(super) fn live_outside_hook(&self, method: &'static str) -> Result<Live> {
        let live = self.live()?;
        if is_in_callback(live.slot.id()) {
            return Err(Error::reentrant(method));
        }
        Ok(live)
    }

    pub(super) fn token(&self) -> Option<Arc<Token>> {
        let published = self.live().ok()?.slot.published()?;
        Some(published.token.clone())
    }

    pub(super) fn set_token(&self, token: Token) -> Result<()> {
        let live = self.live_outside_hook("set_token")?;
        let grant = live.kind.grant.clone();
        let slot = self.replace(Some(token), grant)?;
        spawn_and_forget(Delivery::new(live.shared, slot).store())
    }

    /// Points the handle, with its clones, to the slot of another token, or to one without.
    pub(super) fn replace(
        &self,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Result<Arc<Slot<Waiting>>> {
        let mut state = self.0.write();
        let live = state.live_mut().ok_or_else(Error::closed)?;
        let shared = &live.shared;
        let has_store = live.kind.has_store;
        let slot = shared
            .slots
            .replace(&live.slot, token, has_store, shared.now());
        live.slot = slot.clone();
        live.set_grant(grant);
        shared.tell_dropped();
        Ok(slot)
    }

    /// Whether the handle, which may be closed by now, still has this slot.
    pub(super) fn points_to(&self, slot: &Arc<Slot<Waiting>>) -> bool {
        match &*self.0.read() {
            HandleState::Open(live) | HandleState::Closing(live) => Arc::ptr_eq(&live.slot, slot),
            HandleState::Closed => true,
        }
    }

    /// Points the handle to the slot with which its own has become one.
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

    /// Refuses callers from now on; what is left to be done comes back, unless it is done.
    pub(in super::super) fn begin_close(&self) -> Option<Live> {
        let mut state = self.0.write();
        let live = match std::mem::replace(&mut *state, HandleState::Closed) {
            HandleState::Open(live) | HandleState::Closing(live) => live,
            HandleState::Closed => return None,
        };
        live.gate.close();
        *state = HandleState::Closing(live.clone());
        Some(live)
    }
}

#[maybe_async]
impl Session {
    pub(super) async fn fetch_token(&self, grant: Arc<dyn Grant>) -> Result<Arc<Token>> {
        self.live_outside_hook("fetch_token")?;
        run_to_completion(self.clone().fetch(grant)).await
    }

    /// Obtains a token by the caller's grant and keeps it.
    async fn fetch(self, grant: Arc<dyn Grant>) -> Result<Arc<Token>> {
        let live = self.live()?;
        let _passage = live.gate.pass()?;
        let token = live.call().request_token(&*grant).await?;
        crate::trace::renewed();
        let issued = Arc::new(token.clone());
        let grant = grant.replayable().then_some(grant);
        let slot = self.replace(Some(token), grant)?;
        Delivery::new(live.shared.clone(), slot).store().await?;
        Ok(issued)
    }

    pub(super) async fn exchange(&self, grant: Arc<dyn Grant>) -> Result<Token> {
        let live = self.live()?;
        let _passage = live.gate.pass()?;
        live.call().request_token(&*grant).await
    }

    pub(super) async fn revoke_token(&self) -> Result<()> {
        self.live_outside_hook("revoke_token")?;
        run_to_completion(self.clone().revoke_own()).await
    }

    pub(super) async fn revoke(&self, token: Secret, hint: Option<TokenTypeHint>) -> Result<()> {
        let live = self.live()?;
        let _passage = live.gate.pass()?;
        live.call().revoke(&token, hint.as_ref()).await
    }

    pub(super) async fn introspect_token(&self) -> Result<Introspection> {
        self.reload().await?;
        let live = self.live()?;
        let _passage = live.gate.pass()?;
        let published = live.slot.published().ok_or_else(no_own_token)?;
        let access_token = published.token.access_token();
        let hint = TokenTypeHint::AccessToken;
        live.call().introspect(access_token, Some(&hint)).await
    }

    pub(super) async fn introspect(
        &self,
        token: Secret,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection> {
        let live = self.live()?;
        let _passage = live.gate.pass()?;
        live.call().introspect(&token, hint.as_ref()).await
    }

    /// Revokes the client's own token, that which lasts longest, and forgets both.
    async fn revoke_own(self) -> Result<()> {
        loop {
            let live = self.live()?;
            let _passage = live.gate.pass()?;
            let deadline = Deadline::after(live.shared.settings.rules.flight_limit);
            // What a renewal that is under way brings is to be revoked, too.
            if let Some(flight) = live.slot.in_flight() {
                flight.has_ended(deadline).await;
            }
            // So is what another process has stored, and none may renew it meanwhile.
            let sync = live.store_sync();
            let _lease = sync.lease(&live.gate).await?;
            sync.reload().await?;
            let published = live.slot.published().ok_or_else(no_own_token)?;
            let (token, hint) = match published.token.refresh_token() {
                Some(token) => (token, TokenTypeHint::RefreshToken),
                None => (published.token.access_token(), TokenTypeHint::AccessToken),
            };
            live.call().revoke(token, Some(&hint)).await?;
            if live.slot.holds(&published) {
                let slot = self.replace(None, live.kind.grant.clone())?;
                return Delivery::new(live.shared.clone(), slot).store().await;
            }
        }
    }

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
        state.let_go();
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
    fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Open(live) | Self::Closing(live) => Some(live),
            Self::Closed => None,
        }
    }

    /// The slot loses a handle.
    fn let_go(self) {
        if let Self::Open(live) | Self::Closing(live) = self {
            live.shared.slots.forget_handle(&live.slot);
        }
    }
}

/// The last clone has gone without `close`. A renewal goes on by itself; a token that is not
/// stored yet is told once more, as far as that is possible here.
impl Drop for Handle {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *self.write(), HandleState::Closed);
        if let HandleState::Open(live) = &state
            && live.slot.owes()
            && !is_in_callback(live.slot.id())
            && !std::thread::panicking()
        {
            let deadline = Deadline::after(live.shared.settings.close_timeout);
            let delivery = Delivery::new(live.shared.clone(), live.slot.clone());
            // Nobody is there to hear of it.
            let _ = spawn_and_forget(delivery.run(deadline));
        }
        state.let_go();
    }
}

impl Live {
    /// Goes back to the grant that the client was made with, which comes back.
    pub(super) fn log_out(&self) -> Option<Arc<dyn Grant>> {
        self.set_grant(self.kind.grant.clone());
        self.kind.grant.clone()
    }

    fn set_grant(&self, grant: Option<Arc<dyn Grant>>) {
        *self.grant() = grant;
    }

    fn grant(&self) -> MutexGuard<'_, Option<Arc<dyn Grant>>> {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the handle has beside the slot.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            grant: self.grant().clone(),
            can_ask: self.shared.settings.has_token_endpoint(),
        }
    }
}

#[maybe_async]
impl Live {
    /// Waits for what is under way, and sees that nothing is left to be done: for this client, and
    /// for its children if it is none itself.
    pub(in super::super) async fn settle(self) -> Result<()> {
        let deadline = Deadline::after(self.shared.settings.close_timeout);
        if !self.gate.is_idle(deadline).await {
            return Err(Error::interrupted(
                "a request is still under way; close again to wait for it",
            ));
        }
        let mut slots = match self.kind.is_child {
            true => Vec::new(),
            false => self.shared.slots.owing(),
        };
        if !slots.iter().any(|slot| Arc::ptr_eq(slot, &self.slot)) {
            slots.push(self.slot.clone());
        }
        let shared = self.shared.clone();
        let settle = move |slot| Delivery::new(shared.clone(), slot).settle(deadline);
        side_by_side(slots, settle).await
    }
}

impl Shared {
    pub(super) fn now(&self) -> Now {
        Now::by(&self.settings.clock)
    }

    /// Marks the callbacks that run for any of the slots.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Says that updates of superseded logins were given up, if any were.
    pub(super) fn tell_dropped(&self) {
        match self.slots.take_dropped() {
            0 => {}
            count => crate::trace::updates_dropped(count),
        }
    }
}

fn no_own_token() -> Error {
    Error::token("the client has no token")
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
                debug
                    .field("server", &shared.settings.server)
                    .field("token", &token)
                    .finish()
            }
            HandleState::Closing(_) | HandleState::Closed => f.write_str("Closed"),
        }
    }
}
