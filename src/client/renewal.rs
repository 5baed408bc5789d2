//! Renewal of a token: by one caller for all, to its end, published before it is delivered.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::{Arc, atomic::Ordering},
};

use super::{
    delivery::Delivery,
    endpoint_call::EndpointCall,
    maybe_async,
    session::Live,
    store_sync::StoreSync,
    waiting::{Deadline, Waiting},
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        published::Published,
        reconcile::HeldLease,
        single_flight::{Claim, Need, Outcome},
    },
    oauth2::{grant::refresh_token::RefreshToken, token::Token},
    trace,
};

/// Result of a renewal.
pub(super) struct Renewed {
    pub(super) outcome: Outcome,
    pub(super) delivered: Result<()>,
}

impl Renewed {
    /// A result without a new token.
    fn without_delivery(outcome: Outcome) -> Self {
        let delivered = Ok(());
        Self { outcome, delivered }
    }
}

/// A renewal that is in flight.
pub(super) struct Renewal {
    live: Live,
    /// Whether a token request was sent.
    has_requested: bool,
    /// The reason of the renewal, for logs.
    reason: &'static str,
    claim: Claim<Waiting>,
}

impl Renewal {
    /// Makes a renewal; an early one leaves the old token in use.
    pub(super) fn new(live: Live, claim: Claim<Waiting>, is_early: bool) -> Self {
        let reason = match (&claim.need, &claim.old) {
            (Need::Renewed, _) => "forced",
            (Need::Other(old), _) if live.is_bound_elsewhere(old) => "certificate",
            (Need::Other(_), _) => "401",
            (Need::Usable, _) if is_early => "early",
            (Need::Usable, Some(_)) => "expired",
            (Need::Usable, None) => "first",
        };
        Self {
            live,
            has_requested: false,
            reason,
            claim,
        }
    }
}

/// Outcome that ends a renewal without a new token, or the value for its next step.
type Step<T> = ControlFlow<Outcome, T>;

/// A token to be published, and what is wrong with the one that was received.
type Usable = (Token, Option<Error>);

#[maybe_async]
impl Renewal {
    /// Request, publication, end of the flight, delivery.
    pub(super) async fn run(mut self, deadline: Deadline) -> Result<Renewed> {
        let sync = StoreSync::new(self.live.shared.clone(), self.claim.slot.clone());
        let obtained = self.obtain(&sync).await;
        let (slot, now) = (self.claim.slot.clone(), self.live.shared.now());
        let answer = match obtained {
            Ok(Continue(answer)) => Ok(answer),
            Ok(Break(outcome)) => {
                self.claim.finish(Ok(outcome.clone()));
                Delivery::new(self.live.shared.clone(), slot).store_if_stale();
                return Ok(Renewed::without_delivery(outcome));
            }
            Err(error) => Err(error),
        };
        let ((token, problem), mut lease) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let outcome = slot.fail(&self.claim, error, self.has_requested, now)?;
                return Ok(Renewed::without_delivery(outcome));
            }
        };
        let has_hook = self.live.has_hook();
        let slots = &self.live.shared.slots;
        let outcome = slots.publish(&self.claim, token, problem, &mut lease, has_hook, now);
        self.live.shared.tell_dropped();
        sync.release(lease).await;
        let delivery = Delivery::new(self.live.shared.clone(), slot);
        let delivered = delivery.run(deadline).await;
        // The stored token of another process may be in use by now.
        let outcome = match outcome? {
            Outcome::Token(published) if !self.claim.slot.holds(&published) => Outcome::Superseded,
            outcome => outcome,
        };
        Ok(Renewed { outcome, delivered })
    }

    /// A new token and the lease that it was renewed under; or the stored token of another process.
    async fn obtain(&mut self, sync: &StoreSync) -> Result<Step<(Usable, Option<HeldLease>)>> {
        if sync.store().is_none() {
            let token = self.request().await?;
            return Ok(Continue((self.usable(token)?, None)));
        }
        let lease = match self.lease(sync).await? {
            Continue(lease) => lease,
            Break(outcome) => return Ok(Break(outcome)),
        };
        let requested = self.request_under(sync, lease.as_ref()).await;
        let answer = match requested {
            Ok(Continue(token)) => self.usable(token).map(Continue),
            Ok(Break(outcome)) => Ok(Break(outcome)),
            Err(error) => Err(error),
        };
        if let Ok(Continue(usable)) = answer {
            return Ok(Continue((usable, lease)));
        }
        // There is nothing to store, so others need not wait.
        sync.release(lease).await;
        answer.map(|step| step.map_continue(|usable| (usable, None)))
    }

    /// A new token; or that of a process without the lease, if the refresh token was used.
    async fn request_under(
        &mut self,
        sync: &StoreSync,
        lease: Option<&HeldLease>,
    ) -> Result<Step<Token>> {
        let spent = self.claim.old.clone();
        let error = match self.request().await {
            Ok(token) => return Ok(Continue(token)),
            Err(error) => error,
        };
        if !error.needs_login() {
            return Err(error);
        }
        // A process without the lease may have used the refresh token and stored another.
        if let Break(outcome) = self.reload(sync).await? {
            return Ok(Break(outcome));
        }
        if same(&spent, &self.claim.old) {
            return Err(error);
        }
        if lease.is_some_and(|lease| !sync.lasts(lease)) {
            // The other one is renewed under a lease of its own.
            return Ok(Break(Outcome::Unchanged));
        }
        Ok(Continue(self.request().await?))
    }

    /// The lease, unless there is a token as good as a renewed one. None if the store has moved to
    /// another slot, with the handle that has it.
    async fn lease(&mut self, sync: &StoreSync) -> Result<Step<Option<HeldLease>>> {
        let mut lease_wait = sync.lease_wait();
        loop {
            if let Break(outcome) = self.reload(sync).await? {
                return Ok(Break(outcome));
            }
            if self.live.gate().is_closed() {
                // Waiting callers decide again.
                return Ok(Break(Outcome::Unchanged));
            }
            if let Some(refusal) = &self.claim.refusal {
                // Nothing has changed since.
                return Err(refusal.clone());
            }
            if !self.can_request() {
                return Err(self.claim.slot.no_token());
            }
            let lease = sync.try_lease().await?;
            if sync.store().is_none() {
                return Ok(Continue(lease));
            }
            if lease.is_some() {
                // Once more, as another process may have renewed a moment ago.
                let reloaded = self.reload(sync).await;
                return match reloaded {
                    Ok(Continue(())) => Ok(Continue(lease)),
                    Ok(Break(outcome)) => {
                        sync.release(lease).await;
                        Ok(Break(outcome))
                    }
                    Err(error) => {
                        sync.release(lease).await;
                        Err(error)
                    }
                };
            }
            let now = self.live.shared.now();
            if let (Need::Usable, Some(old)) = (&self.claim.need, &self.claim.old)
                && old.is_alive(now.unix)
            {
                self.claim.slot.defer(now);
                trace::renewal_deferred(self.live.shared.settings.name());
                return Ok(Break(Outcome::Unchanged));
            }
            sync.wait_for_others(&mut lease_wait).await?;
        }
    }

    /// Reads the store: its token is renewed, unless it is the needed one already.
    async fn reload(&mut self, sync: &StoreSync) -> Result<Step<()>> {
        sync.reload().await?;
        let slot = self.claim.slot.clone();
        let was_logged_in = self.claim.old.is_some();
        if !slot.update_claim(&mut self.claim) {
            return Ok(Break(match slot.forwarded() {
                Some(_) => Outcome::Unchanged,
                None => Outcome::Superseded,
            }));
        }
        if was_logged_in && self.claim.old.is_none() {
            // The user was logged out, and a grant from the caller must not log in again.
            self.claim.grant = self.live.log_out();
        }
        match self.claim.old.clone() {
            Some(stored) if self.is_needed(&stored) => {
                return Ok(Break(Outcome::Token(stored)));
            }
            // From now on, a token that another process stores is as good as a renewed one.
            stored => {
                if let Need::Renewed = self.claim.need {
                    self.claim.need = stored.map_or(Need::Usable, Need::Other);
                }
            }
        }
        Ok(Continue(()))
    }

    /// Requests a token with the refresh token, or with the grant that can be sent again.
    async fn request(&mut self) -> Result<Token> {
        self.has_requested = true;
        if let Some(refresh) = self.refresh() {
            if let Some(old) = &self.claim.old {
                self.live.prepare_renewal(&old.token).await;
            }
            let renewed = match (self.refreshed(refresh).await, &self.claim.old) {
                (Ok(token), Some(old)) => {
                    let renewed = self.live.renewed(token, Some(&old.token)).await;
                    renewed.map(|token| token.inheriting(&old.token))
                }
                (renewed, _) => renewed,
            };
            match renewed {
                // It was refused, or has brought another end-user's tokens.
                Err(error) if self.claim.grant.is_some() && error.needs_login() => {}
                renewed => return renewed,
            }
        }
        match &self.claim.grant {
            Some(grant) => {
                EndpointCall::for_claim(&self.live.shared, &self.claim)
                    .request_token(&**grant, self.reason)
                    .await
            }
            None => Err(Error::token("there is no refresh token")),
        }
    }
}

#[maybe_async]
impl Renewal {
    /// A new token by the refresh token: without a scope, or with the granted one, and a second
    /// attempt the other way round if the server refuses the scope.
    async fn refreshed(&self, refresh: RefreshToken) -> Result<Token> {
        let granted = self.claim.old.as_ref().and_then(|old| old.token.scope());
        let with_scope = |refresh: RefreshToken, sends_scope: bool| match granted {
            Some(scope) if sends_scope => refresh.scope(scope),
            _ => refresh,
        };
        let sends_scope = &self.live.shared.sends_scope;
        let first = sends_scope.load(Ordering::Relaxed);
        let call = EndpointCall::for_claim(&self.live.shared, &self.claim);
        let renewed = call
            .request_token(&with_scope(refresh, first), self.reason)
            .await;
        let error = match renewed {
            Err(error) if granted.is_some() && error.is_about_scope() => error,
            renewed => return renewed,
        };
        let Some(refresh) = self.refresh() else {
            return Err(error);
        };
        let refresh = with_scope(refresh, !first);
        let renewed = call.request_token(&refresh, self.reason).await?;
        sends_scope.store(!first, Ordering::Relaxed);
        Ok(renewed)
    }
}

impl Renewal {
    /// The token of a response. If it cannot be sent, the old one with the refresh token of the
    /// response, so that this is not lost, and the error.
    fn usable(&self, token: Token) -> Result<Usable> {
        let Err(problem) = self.live.shared.settings.rules.check(&token) else {
            return Ok((token, None));
        };
        let error = Error::useless_answer(&problem);
        match (&self.claim.old, token.refresh_token()) {
            (Some(old), Some(refresh_token)) => {
                let kept = old.token.clone();
                Ok((kept.with_refresh_token(refresh_token.clone()), Some(error)))
            }
            _ => Err(error),
        }
    }

    /// Whether there is a refresh token or a grant to send.
    fn can_request(&self) -> bool {
        let can_ask = self.live.shared.settings.has_token_endpoint();
        can_ask && (self.claim.grant.is_some() || self.refresh().is_some())
    }

    fn refresh(&self) -> Option<RefreshToken> {
        if !self.live.refreshes() || self.claim.refusal.is_some() {
            return None;
        }
        let old = self.claim.old.as_ref()?;
        RefreshToken::of(&old.token, self.claim.grant.as_deref())
    }

    /// Whether the stored token is the one that the caller needs.
    fn is_needed(&self, stored: &Published) -> bool {
        let now = self.live.shared.settings.clock.unix();
        match &self.claim.need {
            Need::Usable => {
                stored.is_fresh(now) || !self.live.shared.settings.rules.policy.by_time()
            }
            Need::Renewed => false,
            Need::Other(refused) => !refused.is_same(stored) && stored.is_alive(now),
        }
    }
}

/// Whether the same refresh token would be sent.
fn same(one: &Option<Arc<Published>>, other: &Option<Arc<Published>>) -> bool {
    let [one, other] = [one, other].map(|current| Some(current.as_ref()?.token.refresh_token()));
    one == other
}
