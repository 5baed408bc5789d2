//! What every client with a token is made of: a handle that can be closed, on a slot that may be
//! shared, on connections and settings that are.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    detached, is_marked, linger, maybe_async,
    settings::{Identity, Settings},
    slot::{Current, Origin, Slot, Wanted},
    slots::Children,
    transport::Transport,
};
use crate::{
    error::{Error, Result},
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
    pub(super) slot: Arc<Slot>,
    /// Set when the client is closed, for the calls that are under way.
    pub(super) closed: Arc<AtomicBool>,
}

/// What a client shares with its children.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) transport: Transport,
    pub(super) children: Children,
}

impl Session {
    pub(super) fn new(
        settings: Settings,
        transport: Transport,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Self {
        let origin = Origin {
            grant,
            child: false,
            stored: settings.store.is_some(),
        };
        let slot = Arc::new(Slot::new(token, settings.rules, origin));
        let shared = Arc::new(Shared {
            settings,
            transport,
            children: Children::default(),
        });
        Self::open(shared, slot)
    }

    fn open(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        let live = Live {
            shared,
            slot,
            closed: Arc::default(),
        };
        Self(Arc::new(Handle(RwLock::new(HandleState::Open(live)))))
    }

    /// A client for somebody else's token, on the same connections.
    pub(super) fn child(&self, token: Token) -> Self {
        let Ok(Live { shared, .. }) = self.live() else {
            return Self(Arc::new(Handle(RwLock::new(HandleState::Closed))));
        };
        let now = shared.settings.clock.unix();
        let rules = shared.settings.rules;
        let slot = shared.children.slot(token, rules, now);
        Self::open(shared, slot)
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
        if is_marked(live.slot.id()) {
            return Err(Error::reentrant(method));
        }
        Ok(live)
    }

    pub(super) fn token(&self) -> Option<Arc<Token>> {
        let current = self.live().ok()?.slot.current()?;
        Some(current.token.clone())
    }

    pub(super) fn set_token(&self, token: Token) -> Result<()> {
        let live = self.live_outside_hook("set_token")?;
        let old = live.slot.current();
        let current = live.slot.reset(token);
        live.moved(old.as_deref(), Some(&current));
        linger(live.save())
    }

    /// Refuses callers from now on; what is left to be done comes back, unless it is done.
    pub(in super::super) fn begin_close(&self) -> Option<Live> {
        let mut state = self.0.write();
        let live = match std::mem::replace(&mut *state, HandleState::Closed) {
            HandleState::Open(live) | HandleState::Closing(live) => live,
            HandleState::Closed => return None,
        };
        live.closed.store(true, Ordering::SeqCst);
        *state = HandleState::Closing(live.clone());
        Some(live)
    }
}

#[maybe_async]
impl Session {
    pub(super) async fn fetch_token(&self, grant: Arc<dyn Grant>) -> Result<Arc<Token>> {
        let live = self.live_outside_hook("fetch_token")?;
        let current = detached(live.fetch(grant)).await?;
        Ok(current.token.clone())
    }

    pub(super) async fn exchange(&self, grant: Arc<dyn Grant>) -> Result<Token> {
        self.live()?.request_token(&*grant).await
    }

    pub(super) async fn refresh_token(&self) -> Result<Arc<Token>> {
        let live = self.live_outside_hook("refresh_token")?;
        let limit = live.shared.settings.timeout;
        let current = live.obtain(Wanted::Renewed, limit).await?;
        Ok(current.token.clone())
    }

    pub(super) async fn ensure_active_token(&self) -> Result<Arc<Token>> {
        let live = self.live()?;
        let limit = live.shared.settings.timeout;
        let current = live.usable(limit).await?;
        Ok(current.token.clone())
    }

    pub(super) async fn revoke_token(&self) -> Result<()> {
        let live = self.live_outside_hook("revoke_token")?;
        detached(live.revoke_own()).await
    }

    pub(super) async fn revoke(&self, token: Secret, hint: Option<TokenTypeHint>) -> Result<()> {
        self.live()?.revoke(&token, hint.as_ref()).await
    }

    pub(super) async fn introspect_token(&self) -> Result<Introspection> {
        self.live()?.introspect_own().await
    }

    pub(super) async fn introspect(
        &self,
        token: Secret,
        hint: Option<TokenTypeHint>,
    ) -> Result<Introspection> {
        self.live()?.introspect(&token, hint.as_ref()).await
    }

    pub(in super::super) async fn close(&self) -> Result<()> {
        if let Ok(live) = self.live()
            && is_marked(live.slot.id())
        {
            return Err(Error::reentrant("close"));
        }
        let Some(live) = self.begin_close() else {
            return Ok(());
        };
        live.settle().await?;
        *self.0.write() = HandleState::Closed;
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

/// The last clone has gone without `close`. A renewal goes on by itself; a token that is not
/// stored yet is told once more, as far as that is possible here.
impl Drop for Handle {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *self.write(), HandleState::Closed);
        if let HandleState::Open(live) = state
            && live.slot.has_backlog()
            && !is_marked(live.slot.id())
            && !std::thread::panicking()
        {
            // Nobody is there to hear of it.
            let _ = linger(live.tell());
        }
    }
}

impl Live {
    /// Another token of the caller's stands in the slot of a child, or none.
    pub(super) fn moved(&self, old: Option<&Current>, new: Option<&Current>) {
        self.slot.change_owner();
        if self.slot.is_child() {
            let now = self.shared.settings.clock.unix();
            let [old, new] = [old, new].map(|current| current.map(|current| &*current.token));
            self.shared.children.moved(&self.slot, old, new, now);
        }
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
                let token = slot.current().map(|current| current.token.clone());
                debug
                    .field("server", &shared.settings.server)
                    .field("token", &token)
                    .finish()
            }
            HandleState::Closing(_) | HandleState::Closed => f.write_str("Closed"),
        }
    }
}
