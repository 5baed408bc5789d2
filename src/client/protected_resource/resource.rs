//! What the rest of the client asks of the resource.

use std::sync::Arc;

use reqwest::{StatusCode, Url};

use super::{
    super::{
        Led, boxed,
        session::{Live, Resource, ResourceRefusal, Session},
        shared::Shared,
        waiting::Deadline,
    },
    state::ResourceState,
};
use crate::{
    error::Result,
    lifecycle::now::Now,
    oauth2::{client::RegisteredClient, token::Token},
};

impl Resource for ResourceState {
    fn url(&self) -> &Url {
        &self.url
    }

    fn parts(&self) -> Vec<Arc<Shared>> {
        self.parts()
    }

    fn current(&self) -> Option<Arc<Shared>> {
        self.current()
    }

    fn part_of(&self, token: &Token, shared: Arc<Shared>) -> Arc<Shared> {
        self.part_of(token, shared)
    }

    fn forget_client(&self, registered: &RegisteredClient) {
        self.forget_client(registered);
    }

    fn note_response(&self, is_refused: bool, now: Now) {
        self.note_response(is_refused, now);
    }

    fn note_step_up(&self, status: StatusCode) {
        self.note_step_up(status);
    }

    fn discovered<'a>(self: Arc<Self>, session: &'a Session, live: Live) -> Led<'a, Result<Live>> {
        boxed(session.discovered_for(self, live))
    }

    fn restored<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
        deadline: Deadline,
    ) -> Led<'a, Result<Live>> {
        boxed(session.restored_for(self, live, deadline))
    }

    fn at_owner<'a>(self: Arc<Self>, session: &'a Session, live: Live) -> Led<'a, Result<Live>> {
        boxed(session.at_owner_for(self, live))
    }

    fn rediscovered<'a>(self: Arc<Self>, session: &'a Session) -> Led<'a, Result<()>> {
        boxed(session.rediscovered_for(self))
    }

    fn authorize<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
        refusal: ResourceRefusal,
        own: Option<Deadline>,
    ) -> Led<'a, Result<bool>> {
        boxed(session.authorize_for(self, live, refusal, own))
    }

    fn has_login(&self) -> bool {
        self.settings.login.is_some()
    }

    fn forget_registration<'a>(
        self: Arc<Self>,
        session: &'a Session,
        live: Live,
    ) -> Led<'a, Result<()>> {
        boxed(session.forget_registration_for(self, live))
    }
}
