//! Responses of the resource that a client is for.

use reqwest::StatusCode;

use super::{
    super::super::{
        http, maybe_async,
        session::{Resource, ResourceRefusal},
        waiting::Deadline,
    },
    Kept, NextStep, RequestCopy,
};
use crate::{
    error::Result,
    oauth2::{
        authorization::step_up::login_challenge, protected_resource::challenge::ResourceChallenge,
    },
};

/// Limit of logins for more scope, or for another authentication, for one request.
const STEP_UPS: u8 = 2;

impl Kept {
    /// The step after a response of the resource that the client is for.
    pub(super) fn next_for(&self, resource: &dyn Resource, response: &http::Response) -> NextStep {
        let is_own =
            self.is_intended(response) && response.url().origin() == resource.url().origin();
        let refusal = ResourceRefusal {
            challenge: ResourceChallenge::of(response.headers()),
            login: login_challenge(response.status(), response.headers()),
            token: self.token.clone(),
        };
        let may_help = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if refusal.is_step_up() => {
                self.may_step_up(&refusal)
            }
            // What is wrong beside the token no other token mends.
            _ if refusal.token.is_some() && refusal.challenge.accepts_token => false,
            // A new token that is refused was not the reason.
            StatusCode::UNAUTHORIZED => refusal.challenge.is_for_tokens && !self.has_authorized,
            _ => false,
        };
        match is_own && may_help {
            true => NextStep::AuthorizeFirst(refusal),
            false => NextStep::Done,
        }
    }

    /// Whether a login for what a refusal demands is still to be tried. A grant has no user to log in.
    fn may_step_up(&self, refusal: &ResourceRefusal) -> bool {
        let is_new = refusal.login.is_none() || !self.has_authenticated;
        let has_user = || {
            let live = self.session.live();
            live.is_ok_and(|live| live.is_child() || live.caller().grant.is_none())
        };
        is_new && self.step_ups < STEP_UPS && (refusal.login.is_none() || has_user())
    }
}

#[maybe_async]
impl Kept {
    /// Obtains a token by the way that the resource names.
    pub(super) async fn authorize(&mut self, refusal: ResourceRefusal) -> Result<()> {
        match refusal.is_step_up() {
            true => self.step_ups += 1,
            false => self.has_authorized = true,
        }
        let is_login = refusal.login.is_some();
        let live = self.session.live()?;
        let timeout = self.request.as_ref().and_then(RequestCopy::timeout);
        let own = self.deadline.filter(|_| timeout.is_some());
        let may_log_in = live.may_log_in();
        let authorized = match live.resource().cloned() {
            Some(resource) => {
                let authorized = resource.authorize(&self.session, live, refusal, own);
                authorized.await?
            }
            None => false,
        };
        self.has_authenticated |= is_login && authorized;
        self.token = self.session.live()?.slot.published();
        self.deadline = match authorized && may_log_in {
            // The time of a login is not that of the request.
            true => timeout.map(Deadline::after),
            false => own,
        };
        Ok(())
    }
}

/// Whether the resource refuses the token of a request, and not something else in it.
pub(super) fn refuses_token(response: &http::Response) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        && !ResourceChallenge::of(response.headers()).accepts_token
}
