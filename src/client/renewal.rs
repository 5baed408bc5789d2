//! Renewing a token: by one caller for all, to the end, published before it is delivered.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
};

use super::{
    delivery::Delivery,
    is_in_callback, maybe_async, run_detached_for,
    session::{Live, Session},
    store_sync::{CALL, Patience, StoreSync},
    waiting::{Deadline, Waiting, renewal_timed_out},
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        action::{Action, expired, no_token},
        published::Published,
        reconcile::HeldLease,
        single_flight::{Claim, Need, Outcome},
    },
    oauth2::{grant::refresh_token::RefreshToken, token::Token},
    trace,
};

/// A token that a caller got.
pub(super) struct Obtained {
    pub(super) published: Arc<Published>,
    /// Why the token, which is new and usable, is not stored, or not told to `update_token`.
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

    /// The token for a request, which is sent whatever became of the delivery.
    pub(super) fn for_request(self) -> Arc<Published> {
        if let Some(error) = &self.undelivered {
            trace::update_failed(error);
        }
        self.published
    }

    /// The token for whoever asked for it.
    pub(super) fn delivered(self) -> Result<Arc<Token>> {
        match self.undelivered {
            Some(error) => Err(error),
            None => Ok(self.published.token.clone()),
        }
    }
}

/// What a renewal came to.
struct Renewed {
    outcome: Outcome,
    delivered: Result<()>,
}

#[maybe_async]
impl Session {
    pub(super) async fn refresh_token(&self) -> Result<Arc<Token>> {
        let live = self.live_outside_hook("refresh_token")?;
        let deadline = live.deadline();
        self.obtain(Need::Renewed, deadline).await?.delivered()
    }

    pub(super) async fn ensure_active_token(&self) -> Result<Arc<Token>> {
        let deadline = self.live()?.deadline();
        self.usable(deadline).await?.delivered()
    }

    /// Reads the store, so that the slot holds what it does.
    pub(super) async fn reload(&self) -> Result<()> {
        loop {
            let live = self.live()?;
            // Within a callback, what is published counts, and nothing is waited for.
            if !live.slot.is_stored() || is_in_callback(live.slot.id()) {
                return Ok(());
            }
            let deadline = live.deadline();
            let outcome = match live.slot.reload(live.shared.now()) {
                Action::Load(claim) => {
                    return live.load(claim, deadline).await.map(|_| ());
                }
                Action::Wait(flight) => flight.until(deadline).await,
                Action::Follow(slot) => {
                    self.follow(slot);
                    continue;
                }
                _ => return Ok(()),
            };
            // What is just published is newer than what is stored.
            if let Ok(Outcome::Token(_)) = outcome {
                return Ok(());
            }
        }
    }

    /// A token that can be used, waited for until the deadline.
    pub(super) async fn usable(&self, deadline: Deadline) -> Result<Obtained> {
        let live = self.live()?;
        match live.slot.fresh(live.shared.settings.clock.unix()) {
            Some(published) => Ok(Obtained::in_use(published)),
            None => self.obtain(Need::Usable, deadline).await,
        }
    }

    /// The token that is needed, by leading a renewal, waiting for one, or not at all.
    pub(super) async fn obtain(&self, mut need: Need, deadline: Deadline) -> Result<Obtained> {
        let mut waited = false;
        loop {
            // A call that was under way when the client was closed renews nothing any more.
            let live = self.live()?;
            if is_in_callback(live.slot.id()) {
                return live.in_callback();
            }
            if waited && deadline.is_over() {
                return Err(renewal_timed_out());
            }
            let obtained = match live.slot.next(&need, &live.caller(), live.shared.now()) {
                Action::Use(published) => return Ok(Obtained::in_use(published)),
                Action::Fail(error) => return Err(error),
                Action::Follow(slot) => {
                    self.follow(slot);
                    continue;
                }
                Action::Wait(flight) => flight.until(deadline).await.map(Continue),
                Action::Load(claim) => live.load(claim, deadline).await.map(Continue),
                Action::Renew(claim, old) => live.renew(claim, old, deadline).await,
            };
            waited = true;
            if !self.points_to(&live.slot) {
                // Another token was set meanwhile: what came of this one is not for this caller.
                need = Need::Usable;
                continue;
            }
            match obtained? {
                Break(obtained) => return Ok(obtained),
                Continue(Outcome::Token(published)) => return Ok(Obtained::in_use(published)),
                Continue(Outcome::Superseded) => need = Need::Usable,
                Continue(Outcome::Unchanged) => {}
            }
        }
    }
}

impl Live {
    /// When a call of the client's own goes on, whatever it waits for: later than a renewal may
    /// last.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.shared.settings.rules.flight_limit)
    }

    /// A callback runs within a renewal or after it: it gets what is published, and waits for
    /// nothing.
    fn in_callback(&self) -> Result<Obtained> {
        let completing = is_in_callback(self.slot.completing());
        let now = self.shared.settings.clock.unix();
        let published = self.slot.published();
        let published = published.filter(|published| !completing || published.is_alive(now));
        let published = published.ok_or_else(|| Error::reentrant("a renewal"))?;
        Ok(Obtained::in_use(published))
    }

    /// Whether the client still was open when the claim was made. If it was, `close` waits for it.
    fn is_open(&self, claim: Claim<Waiting>) -> Result<Claim<Waiting>> {
        match self.gate.is_closed() {
            true => Err(Error::closed()),
            false => Ok(claim),
        }
    }
}

#[maybe_async]
impl Live {
    /// Reads the store, for all who wait for it.
    async fn load(&self, claim: Claim<Waiting>, deadline: Deadline) -> Result<Outcome> {
        let claim = self.is_open(claim)?;
        let sync = self.store_sync();
        let loaded = run_detached_for(deadline.left(), move || load(sync, claim)).await;
        loaded.unwrap_or_else(|| Err(Error::timed_out("timed out waiting for token_store")))
    }

    /// Renews for all who wait, until the deadline, or with an old token to go on with until half
    /// way to it. What is begun goes on after that.
    async fn renew(
        &self,
        claim: Claim<Waiting>,
        old: Option<Arc<Published>>,
        deadline: Deadline,
    ) -> Result<ControlFlow<Obtained, Outcome>> {
        let claim = self.is_open(claim)?;
        let flight = claim.waiter();
        let deadline = match old {
            Some(_) => deadline.half(),
            None => deadline,
        };
        let live = self.clone();
        let renewal = Renewal {
            live,
            has_asked: false,
            claim,
        };
        let renewed = run_detached_for(deadline.left(), move || renewal.run(deadline)).await;
        let now = self.shared.settings.clock.unix();
        let old = old.filter(|old| old.is_alive(now));
        let outcome = match (renewed, flight.outcome()) {
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
            (None, None) => match &old {
                Some(old) => return Ok(Break(Obtained::in_use(old.clone()))),
                None => Err(renewal_timed_out()),
            },
        };
        match (outcome, old) {
            (Err(error), Some(old)) => {
                trace::renewal_failed(&error);
                Ok(Break(Obtained::in_use(old)))
            }
            (outcome, _) => Ok(Continue(outcome?)),
        }
    }
}

#[maybe_async]
async fn load(sync: StoreSync, claim: Claim<Waiting>) -> Result<Outcome> {
    let loaded = sync.reload().await.map(|()| Outcome::Unchanged);
    claim.finish(loaded.clone());
    loaded
}

/// A renewal that is in flight.
struct Renewal {
    live: Live,
    /// Whether the server was asked.
    has_asked: bool,
    claim: Claim<Waiting>,
}

/// Something that ends a renewal without a new token, or what it goes on with.
type Step<T> = ControlFlow<Outcome, T>;

#[maybe_async]
impl Renewal {
    /// Answer, publish, end of the flight, delivery.
    async fn run(mut self, deadline: Deadline) -> Result<Renewed> {
        let obtained = self.obtain().await;
        let (slot, now) = (self.claim.slot.clone(), self.live.shared.now());
        let (token, lease) = match obtained {
            Ok(Continue(obtained)) => obtained,
            Ok(Break(outcome)) => {
                self.claim.finish(Ok(outcome.clone()));
                let delivered = Ok(());
                return Ok(Renewed { outcome, delivered });
            }
            Err(error) => {
                let outcome = slot.fail(&self.claim, error, self.has_asked, now)?;
                let delivered = Ok(());
                return Ok(Renewed { outcome, delivered });
            }
        };
        trace::renewed();
        let told = self.live.shared.settings.hook.is_some();
        let slots = &self.live.shared.slots;
        let outcome = slots.publish(&self.claim, token, lease, told, now);
        self.live.shared.tell_dropped();
        let delivery = Delivery::new(self.live.shared.clone(), slot);
        let delivered = delivery.run(deadline).await;
        // Somebody else's token may have turned out to count.
        let outcome = match outcome {
            Outcome::Token(published) if !self.claim.slot.holds(&published) => Outcome::Superseded,
            outcome => outcome,
        };
        Ok(Renewed { outcome, delivered })
    }

    /// A new token and the lease that it was renewed under; or what somebody else has stored.
    async fn obtain(&mut self) -> Result<Step<(Token, Option<HeldLease>)>> {
        let sync = StoreSync::new(self.live.shared.clone(), self.claim.slot.clone());
        if sync.store().is_none() {
            return Ok(Continue((self.request().await?, None)));
        }
        let lease = match self.lease(&sync).await? {
            Continue(lease) => lease,
            Break(outcome) => return Ok(Break(outcome)),
        };
        let spent = self.claim.old.clone();
        let error = match self.request().await {
            Ok(token) => return Ok(Continue((token, Some(lease)))),
            Err(error) => error,
        };
        // As long as the lease lasts for as much again.
        let timeout = self.live.shared.settings.timeout;
        if !error.needs_login() || lease.left(self.live.shared.now()) < timeout + 2 * CALL {
            return Err(error);
        }
        // Somebody who heeds no lease may have spent the refresh token and stored another.
        if let Break(outcome) = self.look(&sync).await? {
            return Ok(Break(outcome));
        }
        if same(&spent, &self.claim.old) {
            return Err(error);
        }
        Ok(Continue((self.request().await?, Some(lease))))
    }

    /// The lease, unless there is what is as good as a renewed token.
    async fn lease(&mut self, sync: &StoreSync) -> Result<Step<HeldLease>> {
        let mut patience = Patience::new();
        loop {
            if let Break(outcome) = self.look(sync).await? {
                return Ok(Break(outcome));
            }
            if self.live.gate.is_closed() {
                // Others decide anew.
                return Ok(Break(Outcome::Unchanged));
            }
            if let Some(refusal) = &self.claim.refusal {
                // Nothing has changed since.
                return Err(refusal.clone());
            }
            if !self.can_request() {
                return Err(self.claim.old.as_ref().map_or_else(no_token, |_| expired()));
            }
            let lease = sync.try_lease().await?;
            if let Some(lease) = lease {
                // Once more, as somebody else may have had it a moment ago.
                let looked = self.look(sync).await?;
                return Ok(looked.map_continue(|()| lease));
            }
            let now = self.live.shared.now();
            if let (Need::Usable, Some(old)) = (&self.claim.need, &self.claim.old)
                && old.is_alive(now.unix)
            {
                self.claim.slot.defer(now);
                return Ok(Break(Outcome::Unchanged));
            }
            sync.wait_for_others(&mut patience).await?;
        }
    }

    /// Reads the store: what it holds is what is renewed, unless it is what is needed.
    async fn look(&mut self, sync: &StoreSync) -> Result<Step<()>> {
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
            // Nobody is logged in, and nothing that the caller gave us may log in again.
            self.claim.grant = self.live.log_out();
        }
        match self.claim.old.clone() {
            Some(stored) if self.is_needed(&stored) => {
                return Ok(Break(Outcome::Token(stored)));
            }
            // From now on, what somebody else stores is as good as a renewed one.
            stored => {
                if let Need::Renewed = self.claim.need {
                    self.claim.need = stored.map_or(Need::Usable, Need::Other);
                }
            }
        }
        Ok(Continue(()))
    }

    /// A new token by the refresh token, or by the grant that may be sent again.
    async fn request(&mut self) -> Result<Token> {
        self.has_asked = true;
        if let Some(refresh) = self.refresh() {
            let renewed = self
                .live
                .call_for(&self.claim)
                .request_token(&refresh)
                .await;
            match (renewed, &self.claim.old) {
                (Err(error), _) if self.claim.grant.is_some() && error.needs_login() => {}
                (Ok(token), Some(old)) => return Ok(token.inheriting(&old.token)),
                (renewed, _) => return renewed,
            }
        }
        match &self.claim.grant {
            Some(grant) => {
                self.live
                    .call_for(&self.claim)
                    .request_token(&**grant)
                    .await
            }
            None => Err(Error::token("there is no refresh token")),
        }
    }
}

impl Renewal {
    /// Whether there is something to ask for a token with.
    fn can_request(&self) -> bool {
        let can_ask = self.live.shared.settings.has_token_endpoint();
        can_ask && (self.claim.grant.is_some() || self.refresh().is_some())
    }

    fn refresh(&self) -> Option<RefreshToken> {
        if !self.live.shared.settings.rules.use_refresh_tokens || self.claim.refusal.is_some() {
            return None;
        }
        let old = self.claim.old.as_ref()?;
        RefreshToken::of(&old.token, self.claim.grant.as_deref())
    }

    /// Whether a token of the store is what the caller needs.
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
