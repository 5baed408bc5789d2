//! A token for a caller: the one in use or a renewed one, by leading the renewal or waiting for it.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
};

use super::{
    boxed, is_in_callback, maybe_async,
    renewal::{Renewal, Renewed},
    run_detached_for,
    session::{Live, Session},
    waiting::{Deadline, outcome_of, renewal_timed_out, store_timed_out},
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        action::Action,
        published::Published,
        single_flight::{Claim, Flight, Need, Outcome},
    },
    oauth2::token::Token,
    trace,
};

/// Token of a caller.
pub(super) struct Obtained {
    pub(super) published: Arc<Published>,
    /// The failed delivery of the token, which is new and usable.
    undelivered: Option<Error>,
}

impl Obtained {
    fn in_use(published: Arc<Published>) -> Self {
        let undelivered = None;
        Self {
            published,
            undelivered,
        }
    }

    /// The token for a request, which is sent even if the delivery failed.
    pub(super) fn for_request(self) -> Arc<Published> {
        if let Some(error) = &self.undelivered {
            trace::update_failed(error);
        }
        self.published
    }

    /// The token for the caller of a token method.
    pub(super) fn delivered(self) -> Result<Token> {
        match self.undelivered {
            Some(error) => Err(error),
            None => Ok(self.published.token.clone()),
        }
    }
}

#[maybe_async]
impl Session {
    pub(super) async fn refresh_token(&self) -> Result<Token> {
        let live = self.live_outside_hook("refresh_token")?;
        let deadline = live.deadline();
        if live.resource().is_some() {
            boxed(self.restored(live, deadline)).await?;
        }
        self.obtain(Need::Renewed, deadline).await?.delivered()
    }

    pub(super) async fn ensure_active_token(&self) -> Result<Token> {
        self.usable().await?.delivered()
    }

    /// Reads the store into the slot.
    pub(super) async fn reload(&self) -> Result<()> {
        self.reload_by(None).await
    }

    /// The same for a call that ends at its own deadline. What is read later is there for the next one.
    pub(super) async fn reload_by(&self, own: Option<Deadline>) -> Result<()> {
        loop {
            let live = self.live()?;
            // Within a callback, the published token counts, and there is no wait.
            if !live.slot.is_stored() || live.would_wait_for_itself() {
                return Ok(());
            }
            let deadline = own.unwrap_or_else(|| live.deadline());
            let outcome = match live.slot.reload(live.shared.now()) {
                Action::Load(claim) => {
                    return live.load(claim, deadline).await.map(|_| ());
                }
                Action::Wait(flight) => outcome_of(&flight, deadline).await,
                Action::Follow(slot) => {
                    self.follow(slot);
                    continue;
                }
                _ => return Ok(()),
            };
            match outcome {
                // A token that was just published is newer than the stored one.
                Ok(Outcome::Token(_)) => return Ok(()),
                Err(error) if own.is_some_and(Deadline::is_over) => return Err(error),
                _ => {}
            }
        }
    }

    /// A usable token, waited for no longer than the client's timeout.
    pub(super) async fn usable(&self) -> Result<Obtained> {
        let live = self.serving()?;
        match live.fresh() {
            Some(published) => Ok(Obtained::in_use(published)),
            None => {
                let deadline = live.deadline();
                let live = match live.resource() {
                    None => Some(live),
                    Some(_) => {
                        boxed(self.restored(live, deadline)).await?;
                        None
                    }
                };
                boxed(self.obtain_by(live, Need::Usable, deadline)).await
            }
        }
    }

    /// The needed token: the current one, or by leading a renewal or waiting for one.
    pub(super) async fn obtain(&self, need: Need, deadline: Deadline) -> Result<Obtained> {
        self.obtain_by(None, need, deadline).await
    }

    /// The same by the state, if that was read a moment ago.
    async fn obtain_by(
        &self,
        mut live: Option<Live>,
        mut need: Need,
        deadline: Deadline,
    ) -> Result<Obtained> {
        let (mut waited, mut has_registered) = (false, false);
        loop {
            // A call in progress when the client is closed renews nothing any more.
            let live = match live.take() {
                Some(live) => live,
                None => self.serving()?,
            };
            if live.would_wait_for_itself() {
                return live.in_callback();
            }
            if waited && deadline.is_over() {
                let fresh = live.fresh_for(&need);
                return fresh.map(Obtained::in_use).ok_or_else(renewal_timed_out);
            }
            need = live.actual(need);
            let obtained = match live.slot.next(&need, &live.caller(), live.shared.now()) {
                Action::Use(published)
                    if live.shared.transport.has_certificate()
                        && live.is_bound_elsewhere(&published) =>
                {
                    need = Need::Other(published);
                    continue;
                }
                Action::Use(published) => return Ok(Obtained::in_use(published)),
                Action::Fail(error) => Err(error),
                Action::Follow(slot) => {
                    self.follow(slot);
                    continue;
                }
                Action::Wait(flight) => outcome_of(&flight, deadline).await.map(Continue),
                Action::Load(claim) => boxed(live.load(claim, deadline)).await.map(Continue),
                Action::Renew(claim, old) => {
                    let claim = live.is_open(claim)?;
                    let (flight, (half, limit)) = (claim.flight.clone(), deadline.half());
                    let renewal = Renewal::new(live.clone(), claim, old.is_some());
                    let renewed = run_detached_for(limit, move || renewal.run(half)).await;
                    live.led(renewed, flight, old, deadline).await
                }
            };
            waited = true;
            if !self.points_to(&live.slot) {
                // Another token was set meanwhile: this outcome is not for this caller.
                need = Need::Usable;
                continue;
            }
            if obtained.is_err() && !has_registered && live.replaces_refused() {
                has_registered = true;
                boxed(self.register_anew(&live, Some(deadline))).await?;
                need = Need::Usable;
                continue;
            }
            let obtained = match obtained? {
                Break(obtained) => obtained,
                Continue(Outcome::Token(published)) => Obtained::in_use(published),
                Continue(outcome) => {
                    if let Outcome::Superseded = outcome {
                        need = Need::Usable;
                    }
                    continue;
                }
            };
            if live.is_usable(&obtained.published) {
                return Ok(obtained);
            }
            // It has ended while it was delivered.
            obtained.for_request();
            need = Need::Usable;
        }
    }
}

impl Live {
    /// The token if it need not be renewed: the fast path.
    pub(super) fn fresh(&self) -> Option<Arc<Published>> {
        let published = self.slot.fresh(self.shared.settings.clock.now())?;
        match self.shared.transport.has_certificate() && self.is_bound_elsewhere(&published) {
            true => None,
            false => Some(published),
        }
    }

    /// The same, if it is what a caller needs.
    fn fresh_for(&self, need: &Need) -> Option<Arc<Published>> {
        let fresh = self.fresh()?;
        match need {
            Need::Usable => Some(fresh),
            Need::Other(refused) => (!fresh.is_same(refused)).then_some(fresh),
            Need::Renewed => None,
        }
    }

    /// Whether a caller who waited for the token can use it.
    fn is_usable(&self, published: &Published) -> bool {
        let settings = &self.shared.settings;
        published.is_alive(settings.clock.unix()) || published.is_usable_once(&settings.rules)
    }

    /// Whether the token is bound to another certificate than the client has, so that it counts as
    /// expired.
    #[cold]
    pub(super) fn is_bound_elsewhere(&self, published: &Published) -> bool {
        let accepted = self.shared.transport.accepts(&published.token);
        !accepted && self.shared.settings.rules.policy.by_time()
    }

    /// The need of a caller, to whom a token that is bound to another certificate is of no use.
    fn actual(&self, need: Need) -> Need {
        if !self.shared.transport.has_certificate() {
            return need;
        }
        match (&need, self.slot.published()) {
            (Need::Usable, Some(published)) if self.is_bound_elsewhere(&published) => {
                Need::Other(published)
            }
            _ => need,
        }
    }

    /// The end of a call's wait if it has no limit of its own: later than a renewal may last.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.shared.settings.rules.flight_limit)
    }

    /// The token within a callback, which runs in a renewal or after it: the published one, without
    /// waiting.
    fn in_callback(&self) -> Result<Obtained> {
        let completing = is_in_callback(self.slot.completing());
        let now = self.shared.settings.clock.unix();
        let published = self.slot.published();
        let published = published.filter(|published| match completing {
            true => published.is_alive(now),
            false => self.is_usable(published),
        });
        let published = published.ok_or_else(|| Error::reentrant("a renewal"))?;
        Ok(Obtained::in_use(published))
    }

    /// The claim, if the client was open when it was made. In that case `close` waits for it.
    fn is_open(&self, claim: Claim) -> Result<Claim> {
        match self.gate().is_closed() {
            true => Err(Error::closed()),
            false => Ok(claim),
        }
    }
}

#[maybe_async]
impl Live {
    /// Reads the store, for all callers that wait for it.
    async fn load(&self, claim: Claim, deadline: Deadline) -> Result<Outcome> {
        let claim = self.is_open(claim)?;
        let (sync, delivery) = (self.store_sync(), self.delivery());
        let Some(store) = sync.store() else {
            // The handle that has it was pointed to another token meanwhile.
            claim.finish(Ok(Outcome::Unchanged));
            return Ok(Outcome::Unchanged);
        };
        let load = move || store.calls().load(sync, claim, delivery);
        let loaded = run_detached_for(deadline.left(), load).await;
        loaded.unwrap_or_else(|| Err(store_timed_out()))
    }

    /// The token or error of a caller that led a renewal for all callers, by the result of it, or by
    /// none if it lasts for longer than half of the caller's time. Then the caller uses a usable old
    /// token, or stops waiting for a store or hook of the new one: the rest of a request's own limit
    /// is for the request. The renewal continues.
    async fn led(
        &self,
        renewed: Option<Result<Renewed>>,
        flight: Arc<Flight>,
        old: Option<Arc<Published>>,
        deadline: Deadline,
    ) -> Result<ControlFlow<Obtained, Outcome>> {
        let is_alive = |old: &Arc<Published>| old.is_alive(self.shared.settings.clock.unix());
        let old = old.filter(is_alive);
        let ended = match (&renewed, &old) {
            (Some(_), _) => None,
            (None, None) => Some(outcome_of(&flight, deadline).await),
            (None, Some(_)) => flight.outcome.get(),
        };
        let outcome = match (renewed, ended) {
            (Some(Ok(renewed)), _) => match (renewed.outcome, renewed.delivered) {
                (Outcome::Token(published), delivered) => {
                    return Ok(Break(Obtained {
                        published,
                        undelivered: delivered.err(),
                    }));
                }
                (outcome, delivered) => {
                    if let Err(error) = delivered {
                        trace::update_failed(&error);
                    }
                    Ok(outcome)
                }
            },
            (Some(Err(error)), _) => Err(error),
            (None, Some(Ok(Outcome::Token(published)))) => {
                let undelivered = Some(Error::update("it is still running".into()));
                return Ok(Break(Obtained {
                    published,
                    undelivered,
                }));
            }
            (None, Some(outcome)) => outcome,
            (None, None) => {
                let old = old.map(Obtained::in_use).map(Break);
                return old.ok_or_else(renewal_timed_out);
            }
        };
        match (outcome, old) {
            (Err(error), Some(old)) => {
                trace::renewal_failed(self.shared.settings.name(), &error);
                Ok(Break(Obtained::in_use(old)))
            }
            (outcome, _) => Ok(Continue(outcome?)),
        }
    }
}
