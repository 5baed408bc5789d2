//! Handle of a client: open with a slot, being closed, or closed.

use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    super::{
        delivery::Delivery, gate::Gate, is_in_callback, settings::Identity, shared::Shared,
        waiting::Deadline,
    },
    grants::Grants,
    led_resource::ThinResource,
};
use crate::{
    error::{Error, Result},
    lifecycle::{slot::Slot, table::UserId},
};

pub(super) struct Handle(RwLock<HandleState>);

pub(super) enum HandleState {
    Open(Live),
    /// Closed to callers, with undelivered tokens, which another `close` delivers.
    Closing(Live),
    Closed,
    /// A client of a user whose store cannot be had.
    Failed(Error),
}

/// State of an open client.
#[derive(Clone)]
pub(in super::super::super) struct Live {
    pub(in super::super) shared: Arc<Shared>,
    pub(in super::super) slot: Arc<Slot>,
    pub(super) kind: Arc<HandleKind>,
}

/// Properties of a handle from its creation.
#[derive(Default)]
pub(super) struct HandleKind {
    pub(super) is_child: bool,
    /// Whether the token is made by an exchange, and made anew by another one.
    pub(super) is_exchanged: bool,
    /// Whether the builder's store goes along with the handle.
    pub(super) has_store: bool,
    /// The user whose slot it is, whatever token that has: since its creation, or since the login of
    /// the handle was kept for the user.
    pub(super) user: OnceLock<Box<UserId>>,
    pub(super) gate: Gate,
    pub(super) grants: Grants,
    /// The resource that the client is for, if it is for one.
    pub(super) resource: Option<Arc<ThinResource>>,
}

impl Handle {
    pub(super) fn new(state: HandleState) -> Self {
        Self(RwLock::new(state))
    }

    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, HandleState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, HandleState> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandleState {
    pub(super) fn live(&self) -> Option<&Live> {
        match self {
            Self::Open(live) | Self::Closing(live) => Some(live),
            Self::Closed | Self::Failed(_) => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Open(live) | Self::Closing(live) => Some(live),
            Self::Closed | Self::Failed(_) => None,
        }
    }

    /// Why there is no open client.
    pub(super) fn error(&self) -> Error {
        match self {
            Self::Failed(error) => error.clone(),
            _ => Error::closed(),
        }
    }

    /// The state of an open client.
    #[inline]
    pub(super) fn open(&self) -> Result<&Live> {
        match self {
            Self::Open(live) => Ok(live),
            other => Err(other.error()),
        }
    }

    /// Removes the handle from its slot.
    pub(super) fn release(self) {
        if let Self::Open(live) | Self::Closing(live) = self {
            let Live { shared, slot, .. } = live;
            shared.slots.forget_handle(slot);
        }
    }
}

impl Live {
    /// Whether the caller is a callback of the client, or of another one that shares its settings.
    pub(super) fn is_in_callback(&self) -> bool {
        let is_of_part =
            |part: &Arc<Shared>| is_in_callback(part.id()) || is_in_callback(part.registering());
        is_in_callback(self.slot.id()) || self.parts().iter().any(is_of_part)
    }

    /// Whether the caller is a callback that the renewal of its own token waits for.
    pub(in super::super) fn would_wait_for_itself(&self) -> bool {
        is_in_callback(self.slot.id()) || is_in_callback(self.shared.registering())
    }
}

/// The last clone is dropped without `close`. A renewal continues by itself; an undelivered token is
/// delivered once more, as far as possible.
impl Drop for Handle {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let state = std::mem::replace(state, HandleState::Closed);
        if let HandleState::Open(live) = &state
            && !std::thread::panicking()
        {
            let now = live.slot.forwarded().map(|next| next.by_now());
            for slot in [Some(&live.slot), now.as_ref()].into_iter().flatten() {
                if slot.has_undelivered() && !is_in_callback(slot.id()) {
                    let deadline = Deadline::after(live.shared.settings.close_timeout);
                    let delivery = Delivery::new(live.shared.clone(), slot.clone());
                    delivery.run_alone(deadline);
                }
            }
        }
        state.release();
    }
}

impl fmt::Debug for HandleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(Live { shared, slot, .. }) => {
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
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Closing(_) | Self::Closed => f.write_str("Closed"),
        }
    }
}
