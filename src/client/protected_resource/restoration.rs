//! The part of a client that a call is for: at the server that its token belongs to, or else at the
//! one that the resource names.

use std::sync::Arc;

use super::{
    super::{
        maybe_async,
        session::{Live, ResourceRefusal, Session},
        settings::Bound,
        waiting::Deadline,
    },
    state::ResourceState,
};
use crate::{
    error::{Error, ErrorCode, Result},
    oauth2::{client::RegisteredClient, protected_resource::challenge::ResourceChallenge},
};

#[maybe_async]
impl Session {
    /// Finds the server and the client there once more, for a client whose registration was
    /// forgotten.
    pub(super) async fn rediscovered_for(&self, resource: Arc<ResourceState>) -> Result<()> {
        let discovered = resource.discover(&ResourceChallenge::default()).await?;
        resource.establish(discovered);
        match resource.current() {
            Some(part) => self.move_to(part, None),
            None => Ok(()),
        }
    }

    /// The state of the client, whose server is discovered if that is still to be done.
    pub(super) async fn discovered_for(
        &self,
        resource: Arc<ResourceState>,
        live: Live,
    ) -> Result<Live> {
        let deadline = live.deadline();
        let live = self.restored_for(resource.clone(), live, deadline).await?;
        if live.shared.settings.bound.is_none() && resource.established().is_none() {
            let deadline = Deadline::after(resource.limit());
            let nothing = ResourceRefusal::default();
            self.join(&resource, false, &nothing, deadline).await?;
        }
        let live = self.live()?;
        match resource.current() {
            Some(part) if live.slot.published().is_none() => {
                self.move_to(part, None)?;
                self.live()
            }
            // A token of which it is not known whose it is stays where it is.
            Some(part) if live.shared.settings.bound.is_none() => Ok(live.at(part)),
            _ => Ok(live),
        }
    }

    /// The state of the client after the token store was read for the first time, which says what
    /// the client's server is. At the deadline the wait ends; the next call reads what is missing.
    pub(super) async fn restored_for(
        &self,
        resource: Arc<ResourceState>,
        live: Live,
        deadline: Deadline,
    ) -> Result<Live> {
        let is_bound = live.shared.settings.bound.is_some();
        if is_bound && !self.leave_forgotten(&live, &resource)? {
            return Ok(live);
        }
        self.reload_by(Some(deadline)).await?;
        let live = self.live()?;
        let Some(published) = live.slot.published() else {
            return Ok(live);
        };
        let kept = match Bound::issuer_of(&published.token) {
            Some(issuer) => {
                let kept = resource.kept_registrations();
                kept.load_by(issuer, Some(deadline)).await?
            }
            None => None,
        };
        let Some(part) = resource.restore(&published.token, kept) else {
            return Ok(live);
        };
        self.move_to(part, Some(published.token.clone()))?;
        self.live()
    }

    /// The state of the client at the server that has issued its token, whatever server the resource
    /// names by now: for the end of that token, which was read from the store.
    pub(super) async fn at_owner_for(
        &self,
        resource: Arc<ResourceState>,
        live: Live,
    ) -> Result<Live> {
        let token = match live.slot.published() {
            Some(published) => Some(published.token.clone()),
            // That of another server is not loaded.
            None => live.store_sync().stored().await?,
        };
        let Some(token) = token else {
            return Ok(live);
        };
        let Some(issuer) = Bound::issuer_of(&token) else {
            return Ok(live);
        };
        let bound = live.shared.settings.bound.as_ref();
        if bound.is_some_and(|bound| bound.owns(&token)) {
            return Ok(live);
        }
        let kept = resource.kept_registrations().load(issuer).await?;
        let part = match resource.owner_of(&token, kept) {
            Some(owner) => resource.part_for(owner.into()),
            // It can be removed, at least.
            None => resource.provisional(),
        };
        self.move_to(part, Some(token))?;
        self.reload().await?;
        self.live_now()
    }

    /// Forgets the client's own registration at the server of the resource, and its tokens.
    pub(super) async fn forget_registration_for(
        &self,
        resource: Arc<ResourceState>,
        live: Live,
    ) -> Result<()> {
        let deadline = live.deadline();
        let live = self.restored_for(resource.clone(), live, deadline).await?;
        let settings = &live.shared.settings;
        let registered = match &settings.registered {
            Some(registered) => Some((**registered).clone()),
            None if settings.client.has_client_id() => None,
            None => resource.known_registration().await?,
        };
        let Some(registered) = registered else {
            return Ok(());
        };
        resource.forget_client(&registered);
        let kept = resource.kept_registrations();
        kept.forget(&registered).await?;
        kept.drop_token_of(&registered).await?;
        self.leave_forgotten(&live, &resource).map(drop)
    }
}

impl ResourceState {
    /// Forgets a client that its server does not know any longer: tokens that name it do not bring
    /// it back.
    pub(super) fn forget_client(&self, registered: &RegisteredClient) {
        let mut state = self.lock();
        state
            .registrations
            .retain(|_, known| !known.is_same(registered));
        let is_it = |own: &RegisteredClient| own.is_same(registered);
        state
            .established
            .take_if(|established| established.registered.as_ref().is_some_and(is_it));
        state.forgotten.add(registered.clone());
    }

    pub(super) fn has_forgotten(&self, registered: &RegisteredClient) -> bool {
        self.lock().forgotten.contains(registered)
    }
}

impl Live {
    /// Forgets the client's registration at the server of its resource, if this error of a renewal
    /// says that it is not known there any longer. Returns whether it does: a login is then the way
    /// on, by another registration.
    pub(in super::super) fn forgets_unknown(&self, error: &Error) -> bool {
        let registered = self.shared.settings.registered.as_deref();
        match (self.resource(), registered) {
            (Some(resource), Some(registered))
                if error.code() == Some(&ErrorCode::InvalidClient)
                    // With a grant, it may be the error of another client.
                    && self.caller().grant.is_none() =>
            {
                resource.forget_client(registered);
                true
            }
            _ => false,
        }
    }

    /// Whether the registration of this part of the client was forgotten.
    pub(super) fn is_forgotten(&self, resource: &ResourceState) -> bool {
        let registered = self.shared.settings.registered.as_deref();
        registered.is_some_and(|registered| resource.has_forgotten(registered))
    }
}

impl Session {
    /// Leaves the part of a client whose registration was forgotten, and with it its tokens. That
    /// of a child which has no store stays with it.
    pub(super) fn leave_forgotten(&self, live: &Live, resource: &ResourceState) -> Result<bool> {
        let may_leave = !live.is_child() || live.slot.is_stored();
        if !may_leave || !live.is_forgotten(resource) {
            return Ok(false);
        }
        self.move_to(resource.provisional(), None)?;
        Ok(true)
    }
}
