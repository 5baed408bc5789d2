//! Authorization for the resource when it refuses a request: one for all callers that are refused
//! together, to its end whatever they do.
//!
//! [RFC 9728 section 5](https://www.rfc-editor.org/rfc/rfc9728#section-5)

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        is_in_callback, maybe_async, run_detached_for,
        session::{Live, ResourceRefusal, Session},
        settings::ResourceLogin,
        wait_for,
        waiting::Deadline,
    },
    established::Established,
    refusal::request,
    state::{AuthorizationClaim, AuthorizationStep, ResourceState},
};
use crate::{
    error::{Error, ErrorCode, Result},
    lifecycle::single_flight::Need,
    oauth2::{client::RegisteredClient, token::Token},
};

#[maybe_async]
impl Session {
    /// Obtains another token than the refused one, for all callers that are refused together.
    /// Returns whether that took more than a look for one. The deadline is that of the caller's own
    /// request, which does not count the time of a login.
    pub(super) async fn authorize_for(
        &self,
        resource: Arc<ResourceState>,
        live: Live,
        refusal: ResourceRefusal,
        own: Option<Deadline>,
    ) -> Result<bool> {
        let bounded = own.filter(|_| !live.may_log_in());
        let deadline = bounded.unwrap_or_else(|| live.deadline());
        let live = self.restored_for(resource.clone(), live, deadline).await?;
        if live.would_wait_for_itself() || is_in_callback(live.shared.id()) {
            return Err(Error::reentrant("a request that the resource refuses"));
        }
        if live.has_other(&refusal) {
            return Ok(false);
        }
        let is_attended = live.is_attended(&resource);
        if refusal.challenge.is_insufficient_scope {
            live.check_step_up(&resource, &refusal)?;
        }
        if refusal.is_step_up() && !is_attended && resource.established().is_some() {
            return Err(live.login_required(&resource, &refusal));
        }
        let deadline = match own {
            Some(own) if !live.may_log_in() => own,
            _ => Deadline::after(resource.limit()),
        };
        self.join(&resource, is_attended, &refusal, deadline)
            .await?;
        let live = self.live()?;
        match is_attended || live.has_other(&refusal) {
            true => Ok(true),
            false => Err(live.login_required(&resource, &refusal)),
        }
    }

    /// Leads the authorization, or waits for the one in progress.
    pub(super) async fn join(
        &self,
        resource: &Arc<ResourceState>,
        is_attended: bool,
        refusal: &ResourceRefusal,
        deadline: Deadline,
    ) -> Result<()> {
        loop {
            let live = self.live()?;
            // Any server will do for a child, and any token for the client itself.
            let is_known = is_attended || resource.established().is_some();
            let has_other = || is_known && live.has_other(refusal);
            let now = live.shared.now();
            let outcome = match resource.next(is_attended, has_other, now) {
                AuthorizationStep::Done => return Ok(()),
                AuthorizationStep::Fail(error) => return Err(error),
                AuthorizationStep::Wait(ended) => wait_for(&ended, deadline.left()).await,
                AuthorizationStep::Lead(claim) => {
                    let authorization = Authorization {
                        session: self.clone(),
                        resource: resource.clone(),
                        refusal: refusal.clone(),
                        is_attended,
                    };
                    let run = move || authorization.run(claim);
                    let led = run_detached_for(deadline.left(), run).await;
                    return led.unwrap_or_else(|| Err(too_late()));
                }
            };
            outcome.unwrap_or_else(|| Err(too_late()))?;
            if !is_attended {
                return Ok(());
            }
        }
    }
}

/// Authorization for all callers that were refused together.
struct Authorization {
    session: Session,
    resource: Arc<ResourceState>,
    refusal: ResourceRefusal,
    is_attended: bool,
}

#[maybe_async]
impl Authorization {
    async fn run(self, claim: AuthorizationClaim) -> Result<()> {
        let outcome = self.authorize().await;
        claim.finish(outcome)
    }

    async fn authorize(&self) -> Result<()> {
        let established = self.establish().await?;
        if !self.is_attended {
            return Ok(());
        }
        let live = self.session.live()?;
        if live.caller().grant.is_some() {
            return self.by_grant(&live).await;
        }
        let Some(login) = &self.resource.settings.login else {
            return Ok(());
        };
        // Its server could not be found before, and can be now.
        let is_untried = self.refusal.token.is_none() && live.slot.published().is_some();
        if is_untried {
            let renewed = self.session.obtain(Need::Renewed, live.deadline()).await;
            if renewed.is_ok() {
                return Ok(());
            }
        }
        let outcome = self.by_login(login, &established).await;
        match outcome {
            // A registration may have been dropped by the server. It is replaced once.
            Err(error) => match self.refused_registration(&error) {
                Some(registered) => {
                    self.resource.forget_client(&registered);
                    let kept = self.resource.kept_registrations();
                    kept.forget(&registered).await?;
                    let established = self.rediscover().await?;
                    self.by_login(login, &established).await
                }
                None => Err(error),
            },
            Ok(()) => Ok(()),
        }
    }

    /// Finds the server and the client there, unless they are known. A refused token may mean that
    /// the resource has moved to another server.
    async fn establish(&self) -> Result<Arc<Established>> {
        let known = self.resource.established();
        let now = self.resource.template.clock.now();
        let known = known.filter(|known| {
            let server = known.server.as_ref();
            // That of an earlier process may be another one by now.
            let is_current = server.is_some_and(|server| server.is_current(now));
            let has_expired = known.has_expired_at(self.resource.template.clock.unix());
            !has_expired
                && (self.refusal.is_step_up() || (self.refusal.token.is_none() && is_current))
        });
        match known {
            Some(known) => {
                self.follow()?;
                Ok(known)
            }
            None => self.rediscover().await,
        }
    }

    async fn rediscover(&self) -> Result<Arc<Established>> {
        let live = self.session.live()?;
        let _passage = live.gate().pass()?;
        let discovered = self.resource.discover(&self.refusal.challenge).await?;
        let established = self.resource.establish(discovered);
        self.follow()?;
        Ok(established)
    }

    async fn by_grant(&self, live: &Live) -> Result<()> {
        let need = match &self.refusal.token {
            Some(refused) if live.slot.holds(refused) => Need::Other(refused.clone()),
            _ => Need::Usable,
        };
        let deadline = live.deadline();
        self.session.obtain(need, deadline).await?.for_request();
        Ok(())
    }

    async fn by_login(&self, login: &ResourceLogin, established: &Established) -> Result<()> {
        let live = self.session.live()?;
        let server = live
            .shared
            .fetch_server(live.shared.settings.timeout)
            .await?;
        live.check_pkce(&server)?;
        let scope = live.scope_of_login(&self.resource, established, &server, &self.refusal);
        if self.refusal.is_step_up() {
            self.resource.count_step_up(&scope)?;
        }
        let asked = request(established, &scope, &self.refusal);
        (login.log_in)(self.session.clone(), asked).await?;
        self.resource.note_login(&scope);
        Ok(())
    }
}

impl Authorization {
    /// The registration without which a login that has failed with this error is to be repeated.
    fn refused_registration(&self, error: &Error) -> Option<RegisteredClient> {
        let anew = self.resource.template.reregistration.as_ref()?;
        let registered = self.resource.established()?.registered.clone()?;
        // The token of too weak a login belongs to the registration, and is of use.
        let lacks_callback =
            anew.without_callback && error.is_without_callback() && !self.refusal.is_step_up();
        let is_unknown = error.code() == Some(&ErrorCode::InvalidClient);
        let may_help = is_unknown || lacks_callback;
        (may_help && anew.may_replace(registered.client_id())).then_some(registered)
    }

    /// Points the handle of the client to its current server. A child's token belongs to the server
    /// that has issued it.
    fn follow(&self) -> Result<()> {
        let live = self.session.live()?;
        match self.resource.current() {
            Some(part) if self.is_attended || live.slot.published().is_none() => {
                self.session.move_to(part, self.accepted(&live))
            }
            _ => Ok(()),
        }
    }

    /// The token of the client, if the resource accepts it, and it is not known what server it is
    /// of: the resource names that.
    fn accepted(&self, live: &Live) -> Option<Token> {
        let is_accepted = self.refusal.is_step_up() && live.shared.settings.bound.is_none();
        let token = self.refusal.token.as_ref();
        token.filter(|_| is_accepted).map(|it| it.token.clone())
    }
}

impl ResourceState {
    /// The longest time that an authorization takes: the requests for metadata, a registration, a
    /// login or a token.
    pub(super) fn limit(&self) -> Duration {
        let login = self.settings.login.as_ref().map(|login| login.limit);
        let anew = self.template.reregistration.as_ref();
        let logins = 1 + u32::from(anew.is_some_and(|anew| anew.without_callback));
        let requests = self.template.timeout.saturating_mul(4);
        requests
            .saturating_add(self.template.rules.flight_limit)
            .saturating_add(login.unwrap_or_default().saturating_mul(logins))
    }
}

fn too_late() -> Error {
    Error::timed_out("timed out waiting for the authorization for the resource")
}
