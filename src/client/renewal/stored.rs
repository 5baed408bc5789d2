//! Renewal of a token that is in a store: of all processes that share the store one renews, and the
//! others load its token.

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::Arc,
};

use super::{
    super::{
        Led, boxed,
        delivery::{Deliveries, Delivery, DeliveryCalls},
        maybe_async,
        store_sync::StoreSync,
    },
    LeasedRenewal, Renewal, Step,
};
use crate::{
    error::Result,
    lifecycle::{
        published::Published,
        reconcile::HeldLease,
        single_flight::{Claim, Need, Outcome},
    },
    oauth2::token::Token,
    trace,
};

/// What is done with stores. Each store leads to it, so that a program whose clients have none does not
/// contain it.
pub(in super::super::super) trait StoreCalls: Send + Sync {
    /// What is done with the tokens that are not stored yet.
    fn deliveries(&self) -> &'static dyn DeliveryCalls;

    /// Stores what is not stored yet.
    fn save<'a>(&self, sync: StoreSync) -> Led<'a, Result<()>>;

    /// Reads the store for all callers that wait for it.
    fn load<'a>(
        &self,
        sync: StoreSync,
        claim: Claim,
        delivery: Delivery,
    ) -> Led<'a, Result<Outcome>>;

    /// Renews under the lease of the store.
    fn obtain<'a>(
        &self,
        renewal: &'a mut Renewal,
        sync: &'a StoreSync,
    ) -> Led<'a, Result<LeasedRenewal>>;
}

/// What is done with every store.
pub(in super::super::super) struct StoredTokens;

impl StoreCalls for StoredTokens {
    fn deliveries(&self) -> &'static dyn DeliveryCalls {
        &Deliveries
    }

    fn save<'a>(&self, sync: StoreSync) -> Led<'a, Result<()>> {
        boxed(Delivery::save(sync))
    }

    fn load<'a>(
        &self,
        sync: StoreSync,
        claim: Claim,
        delivery: Delivery,
    ) -> Led<'a, Result<Outcome>> {
        boxed(load(sync, claim, delivery))
    }

    fn obtain<'a>(
        &self,
        renewal: &'a mut Renewal,
        sync: &'a StoreSync,
    ) -> Led<'a, Result<LeasedRenewal>> {
        boxed(renewal.obtain_stored(sync))
    }
}

#[maybe_async]
async fn load(sync: StoreSync, claim: Claim, delivery: Delivery) -> Result<Outcome> {
    let loaded = sync.reload().await.map(|()| Outcome::Unchanged);
    claim.finish(loaded.clone());
    delivery.store_if_stale();
    loaded
}

#[maybe_async]
impl Renewal {
    async fn obtain_stored(&mut self, sync: &StoreSync) -> Result<LeasedRenewal> {
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
        // There is nothing new to store, so others need not wait for that.
        sync.end_attempt(lease).await;
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
            if let (Some(refusal), None) = (&self.claim.refusal, &self.claim.grant) {
                // Nothing has changed since.
                return Err(refusal.clone());
            }
            if !self.can_request() {
                return Err(self.claim.slot.no_token());
            }
            let lease = sync.try_lease().await?;
            if lease.is_some() || sync.store().is_none() {
                // Once more, as another process may have renewed a moment ago, or the token may not be in
                // use any more.
                let reloaded = self.reload(sync).await;
                return match reloaded {
                    Ok(Continue(())) => Ok(Continue(lease)),
                    Ok(Break(outcome)) => {
                        sync.end_attempt(lease).await;
                        Ok(Break(outcome))
                    }
                    Err(error) => {
                        sync.end_attempt(lease).await;
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
        if !slot.update_claim(&mut self.claim) {
            return Ok(Break(match slot.forwarded() {
                Some(_) => Outcome::Unchanged,
                None => Outcome::Superseded,
            }));
        }
        if self.claim.old.is_none() {
            // The user was logged out, now or before, and a grant from the caller must not log in again.
            self.claim.grant = self.live.log_out(self.claim.grant.take());
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
}

impl Renewal {
    /// Whether there is a refresh token or a grant to send.
    fn can_request(&self) -> bool {
        let can_ask = self.live.shared.settings.has_token_endpoint();
        can_ask && (self.claim.grant.is_some() || self.refreshes())
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
