//! Renewal of a token: by one caller for all, to its end, published before it is delivered.

mod stored;

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::atomic::Ordering,
};

use super::{
    boxed, delivery::Delivery, endpoint_call::EndpointCall, maybe_async, session::Live,
    store_sync::StoreSync, waiting::Deadline,
};
use crate::{
    error::{Error, Result},
    lifecycle::{
        reconcile::HeldLease,
        single_flight::{Claim, Need, Outcome},
    },
    oauth2::{grant::refresh_token::RefreshToken, token::Token},
};
pub(in super::super) use stored::{StoreCalls, StoredTokens};

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
pub(in super::super) struct Renewal {
    live: Live,
    /// Whether a token request was sent.
    has_requested: bool,
    /// The reason of the renewal, for logs.
    reason: &'static str,
    claim: Claim,
}

impl Renewal {
    /// Makes a renewal; an early one leaves the old token in use.
    pub(super) fn new(live: Live, claim: Claim, is_early: bool) -> Self {
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

/// The same with the lease that it was renewed under; or the stored token of another process.
type LeasedRenewal = Step<(Usable, Option<HeldLease>)>;

#[maybe_async]
impl Renewal {
    /// Request, publication, end of the flight, delivery.
    pub(super) async fn run(mut self, deadline: Deadline) -> Result<Renewed> {
        let (shared, slot) = (&self.live.shared, &self.claim.slot);
        let sync = slot
            .is_stored()
            .then(|| StoreSync::new(shared.clone(), slot.clone()));
        let obtained = self.obtain(sync.as_ref()).await;
        let (outcome, lease) = match self.publish(obtained)? {
            Continue(published) => published,
            Break(outcome) => return Ok(Renewed::without_delivery(outcome)),
        };
        if let (Some(sync), true) = (&sync, lease.is_some()) {
            sync.release(lease).await;
        }
        let (shared, slot) = (&self.live.shared, &self.claim.slot);
        let delivered = match Delivery::is_due(shared, slot) {
            true => {
                Delivery::new(shared.clone(), slot.clone())
                    .run(deadline)
                    .await
            }
            false => Ok(()),
        };
        // The stored token of another process may be in use by now.
        let outcome = match outcome? {
            Outcome::Token(published) if !self.claim.slot.holds(&published) => Outcome::Superseded,
            outcome => outcome,
        };
        Ok(Renewed { outcome, delivered })
    }

    /// A new token and the lease that it was renewed under; or the stored token of another process.
    async fn obtain(&mut self, sync: Option<&StoreSync>) -> Result<LeasedRenewal> {
        match sync.and_then(|sync| Some((sync, sync.store()?))) {
            Some((sync, store)) => store.calls().obtain(self, sync).await,
            // It was merged with one that has a store, to which its callers go on.
            None if self.claim.slot.forwarded().is_some() => Ok(Break(Outcome::Unchanged)),
            None => {
                let token = self.request().await?;
                Ok(Continue((self.usable(token)?, None)))
            }
        }
    }

    /// Requests a token with the refresh token, or with the grant that can be sent again.
    async fn request(&mut self) -> Result<Token> {
        self.has_requested = true;
        if self.refreshes() {
            if let Some(old) = &self.claim.old {
                self.live.prepare_renewal(&old.token).await;
            }
            let renewed = match (self.refreshed().await, &self.claim.old) {
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
                let call = EndpointCall::for_claim(&self.live.shared, &self.claim);
                let token = call.request_token(&**grant, self.reason).await?;
                Ok(self.live.granted(token).await)
            }
            None => Err(no_refresh_token()),
        }
    }
}

#[maybe_async]
impl Renewal {
    /// A new token by the refresh token: without a scope, or with the granted one, and a second
    /// attempt the other way round if the server refuses the scope.
    async fn refreshed(&self) -> Result<Token> {
        let granted = self.claim.old.as_ref().and_then(|old| old.token.scope());
        let refresh = |sends_scope: bool| {
            let refresh = self.refresh().ok_or_else(no_refresh_token)?;
            Ok::<_, Error>(match granted {
                Some(scope) if sends_scope => refresh.scope(scope),
                _ => refresh,
            })
        };
        let sends_scope = &self.live.shared.sends_scope;
        let first = sends_scope.load(Ordering::Relaxed);
        let call = EndpointCall::for_claim(&self.live.shared, &self.claim);
        let grant = refresh(first)?;
        let renewed = call.request_token(&grant, self.reason).await;
        let error = match renewed {
            Err(error) if granted.is_some() && error.is_about_scope() => error,
            renewed => return renewed,
        };
        let Ok(again) = refresh(!first) else {
            return Err(error);
        };
        let renewed = boxed(call.request_token(&again, self.reason)).await?;
        sends_scope.store(!first, Ordering::Relaxed);
        Ok(renewed)
    }
}

impl Renewal {
    /// Publishes the token that was obtained, or ends the renewal without one. What it ends with, and a
    /// lease under which nothing is saved.
    fn publish(
        &self,
        obtained: Result<LeasedRenewal>,
    ) -> Result<Step<(Result<Outcome>, Option<HeldLease>)>> {
        let (shared, now) = (&self.live.shared, self.live.shared.now());
        let ((token, problem), mut lease) = match obtained {
            Ok(Continue(answer)) => answer,
            Ok(Break(outcome)) => {
                self.claim.finish(Ok(outcome.clone()));
                Delivery::new(shared.clone(), self.claim.slot.clone()).store_if_stale();
                return Ok(Break(outcome));
            }
            Err(error) => {
                let requested = self.has_requested;
                let failed = shared.slots.fail(&self.claim, error, requested, now);
                return failed.map(Break);
            }
        };
        let has_hook = self.live.has_hook();
        let slots = &shared.slots;
        let outcome = slots.publish(&self.claim, token, problem, &mut lease, has_hook, now);
        shared.tell_dropped();
        Ok(Continue((outcome, lease)))
    }

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

    /// Whether there is a refresh token to send: to this server, and no other.
    fn refreshes(&self) -> bool {
        let old = self.claim.old.as_ref();
        let has_refresh_token = old.is_some_and(|old| {
            old.token.refresh_token().is_some() && self.live.shared.settings.may_refresh(&old.token)
        });
        has_refresh_token && self.live.refreshes() && self.claim.refusal.is_none()
    }

    fn refresh(&self) -> Option<RefreshToken> {
        let old = self.claim.old.as_ref().filter(|_| self.refreshes())?;
        RefreshToken::of(&old.token, self.claim.grant.as_deref())
    }
}

fn no_refresh_token() -> Error {
    Error::token("there is no refresh token")
}
