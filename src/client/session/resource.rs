//! Handles of clients for a protected resource, which move to another server when the resource
//! does.

use std::sync::Arc;

use super::{
    super::{
        delivery::Delivery,
        maybe_async,
        protected_resource::state::ResourceState,
        shared::Shared,
        store_sync::{keep, store_of},
        waiting::Deadline,
    },
    Session,
    grants::Grants,
    handle::{HandleKind, Live},
    led_resource::{Resource, ThinResource},
};
use crate::{
    error::{Error, Result},
    lifecycle::slot::Slot,
    oauth2::{grant::Grant, token::Token},
};

impl Session {
    /// A client whose server is not known yet.
    pub(in super::super) fn for_resource(
        resource: Arc<ResourceState>,
        token: Option<Token>,
        grant: Option<Arc<dyn Grant>>,
    ) -> Self {
        let shared = resource.provisional();
        let store = shared.settings.store.clone().map(keep);
        let kind = HandleKind {
            has_store: store.is_some(),
            grants: Grants::new(grant),
            resource: Some(Arc::new(ThinResource(resource))),
            ..HandleKind::default()
        };
        let slot = shared.slots.first(token, store, shared.now());
        Self::open(shared, slot, kind)
    }

    /// Points the handle, with its clones, to another part: that of another server, or of another
    /// registration. Its token stays with the old one, unless it comes along; that of a store is
    /// loaded again.
    pub(in super::super) fn move_to(&self, part: Arc<Shared>, token: Option<Token>) -> Result<()> {
        let now = part.now();
        let mut state = self.0.write();
        let live = state.live_mut().ok_or_else(Error::closed)?;
        if Arc::ptr_eq(&live.shared, &part) {
            return Ok(());
        }
        let store = store_of(&live.slot).map(keep);
        let slot = match (live.kind.user().copied(), store) {
            (Some(user), Some(store)) => {
                let known = part.slots.of_user(user, now);
                known.unwrap_or_else(|| part.slots.add_user(user, Some(store), now))
            }
            (_, Some(store)) => part.slots.first(None, Some(store), now),
            (_, None) => part.slots.first(token, None, now),
        };
        let moved = live.with(part, slot);
        let Live { shared, slot, kind } = std::mem::replace(live, moved);
        let part = live.shared.clone();
        drop(state);
        if kind.grants.has_dependents() {
            self.tell_of_logins(&part);
        }
        if slot.has_undelivered() {
            let deadline = Deadline::after(shared.settings.close_timeout);
            let delivery = Delivery::new(shared.clone(), slot.clone());
            delivery.run_alone(deadline);
        }
        shared.slots.forget_handle(slot);
        Ok(())
    }
}

#[maybe_async]
impl Session {
    /// The state of the client for a login, whose server is discovered if that is still to be done.
    pub(in super::super) async fn established(&self) -> Result<Live> {
        let live = self.discovered().await?;
        self.registered(live).await
    }

    /// The state of the client, whose server is discovered if that is still to be done.
    pub(in super::super) async fn discovered(&self) -> Result<Live> {
        let live = self.live()?;
        match live.resource().cloned() {
            Some(resource) => resource.discovered(self, live).await,
            None => Ok(live),
        }
    }

    /// The state of the client after the token store was read for the first time, which says what
    /// the client's server is. What is read after the deadline is there for the next call.
    pub(in super::super) async fn restored(&self, live: Live, deadline: Deadline) -> Result<Live> {
        match live.resource().cloned() {
            Some(resource) => resource.restored(self, live, deadline).await,
            None => Ok(live),
        }
    }

    /// The state of the client at the server that has issued its token, whatever server the resource
    /// names by now: for the end of that token. The token is read from the store.
    pub(in super::super) async fn at_owner(&self) -> Result<Live> {
        self.reload().await?;
        let live = self.live_now()?;
        match live.resource().cloned() {
            Some(resource) => resource.at_owner(self, live).await,
            None => Ok(live),
        }
    }
}

impl Live {
    /// The resource that the client is for, if it is for one.
    pub(in super::super) fn resource(&self) -> Option<&Arc<dyn Resource>> {
        let ThinResource(resource) = self.kind.resource.as_deref()?;
        Some(resource)
    }

    /// The part of the client, with those of its earlier registrations, or all of them if it is for a
    /// resource: its children may be at other servers than the client itself.
    pub(super) fn parts(&self) -> Vec<Arc<Shared>> {
        match self.resource() {
            Some(resource) => resource.parts(),
            None => self.shared.with_earlier(),
        }
    }

    /// Whether the client logs its own user in when the resource demands it, which takes the time that
    /// the user takes.
    pub(in super::super) fn may_log_in(&self) -> bool {
        let has_login = self.resource().is_some_and(|resource| resource.has_login());
        has_login && !self.is_child() && self.caller().grant.is_none()
    }

    pub(in super::super) fn is_child(&self) -> bool {
        self.kind.is_child
    }

    /// The same state with the settings of another part.
    pub(in super::super) fn at(&self, part: Arc<Shared>) -> Self {
        self.with(part, self.slot.clone())
    }

    /// The same handle on another slot.
    pub(super) fn with(&self, shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        Self {
            shared,
            slot,
            kind: self.kind.clone(),
        }
    }

    /// The part for a child with this token, which belongs to the server that has issued it.
    pub(super) fn part_of(&self, token: &Token) -> Arc<Shared> {
        match self.resource() {
            Some(resource) => resource.part_of(token, self.shared.clone()),
            None => self.shared.clone(),
        }
    }

    /// The part for new children: that of the current server of the resource.
    pub(super) fn current_part(&self) -> Arc<Shared> {
        let current = self.resource().and_then(|resource| resource.current());
        current.unwrap_or_else(|| self.shared.clone())
    }
}
