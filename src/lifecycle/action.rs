//! Actions of a caller: use the token, wait, renew it, or fail.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::now::Now;
use super::{
    decision::{Decision, TokenState, decide},
    published::Published,
    single_flight::{Claim, Flight, Need, Outcome},
    slot::{Rules, Slot, State, expired},
};
use crate::{
    error::{Error, Result},
    oauth2::grant::Grant,
    signal::Signal,
};

/// Properties of a caller's handle, in which handles on the same slot may differ.
pub(crate) struct Caller {
    /// Sent again if there is no refresh token. Only of the client itself: a child acts for another
    /// user.
    pub(crate) grant: Option<Arc<dyn Grant>>,
    /// Whether there is a token endpoint at all.
    pub(crate) can_ask: bool,
}

/// Action of a caller.
pub(crate) enum Action {
    Use(Arc<Published>),
    Wait(Arc<Flight>),
    /// Read the token store, and decide again.
    Load(Claim),
    /// Renew; with the old token if it can be used when that fails.
    Renew(Claim, Option<Arc<Published>>),
    /// Decide again by this slot, with which the other was merged.
    Follow(Arc<Slot>),
    Fail(Error),
}

impl Slot {
    /// The token if it need not be renewed, and whether it could be renewed without a grant if a
    /// server refused it: the fast path of a request.
    #[inline]
    pub(crate) fn fresh_or_renewable(
        &self,
        now: SystemTime,
        can_ask: bool,
    ) -> Option<(Arc<Published>, bool)> {
        let state = self.read();
        let published = state.fresh(now)?;
        Some((published.clone(), self.may_retry(&state, can_ask)))
    }

    /// Whether the token could be renewed without a grant if a server refused it.
    pub(crate) fn is_renewable(&self, can_ask: bool) -> bool {
        self.may_retry(&self.read(), can_ask)
    }

    fn may_retry(&self, state: &State, can_ask: bool) -> bool {
        self.registry.rules.policy.on_unauthorized()
            && state.is_renewable(can_ask, &self.registry.rules)
    }

    /// Decides the action of the caller. If it leads, no other does until the [`Claim`] is dropped.
    pub(crate) fn next(self: &Arc<Self>, need: &Need, caller: &Caller, now: Now) -> Action {
        let mut state = self.write();
        let overdue = state.abandon_overdue(self.registry.rules.flight_limit, now);
        let action = self.choose(&mut state, need, caller, now);
        drop(state);
        release_waiters(overdue);
        action
    }

    fn choose(
        self: &Arc<Self>,
        state: &mut State,
        need: &Need,
        caller: &Caller,
        now: Now,
    ) -> Action {
        if let Some(slot) = &state.forwarded {
            return Action::Follow(slot.clone());
        }
        if let Some(store) = &state.store
            && !store.has_read()
            && state.published.is_none()
        {
            return self.load(state, now);
        }
        let decision = state.decide(need, caller, &self.registry.rules, now);
        match (decision, &state.published, &state.flight) {
            (Decision::Use, Some(published), _) => Action::Use(published.clone()),
            (Decision::Wait, _, Some(flight)) => Action::Wait(flight.clone()),
            (Decision::RenewEarly, Some(published), _) => {
                let fallback = Some(published.clone());
                Action::Renew(self.lead(state, need, caller, now), fallback)
            }
            (Decision::Renew, _, _) => Action::Renew(self.lead(state, need, caller, now), None),
            (Decision::Paced, _, _) => Action::Fail(state.paced(need, now)),
            (Decision::Expired, _, _) => {
                let refusal = state.refusal();
                Action::Fail(refusal.unwrap_or_else(|| state.no_token()))
            }
            _ => Action::Fail(state.no_token()),
        }
    }

    /// The action to read the token store, whatever is known of it.
    pub(crate) fn reload(self: &Arc<Self>, now: Now) -> Action {
        let mut state = self.write();
        if let Some(slot) = &state.forwarded {
            return Action::Follow(slot.clone());
        }
        let overdue = state.abandon_overdue(self.registry.rules.flight_limit, now);
        let action = self.load(&mut state, now);
        drop(state);
        release_waiters(overdue);
        action
    }

    fn load(self: &Arc<Self>, state: &mut State, now: Now) -> Action {
        match &state.flight {
            Some(flight) => Action::Wait(flight.clone()),
            None => Action::Load(self.claim(state, Need::Usable, now)),
        }
    }

    fn lead(self: &Arc<Self>, state: &mut State, need: &Need, caller: &Caller, now: Now) -> Claim {
        let mut claim = self.claim(state, need.clone(), now);
        claim.grant = caller.grant.clone();
        claim.refusal = state.refusal();
        claim
    }

    fn claim(self: &Arc<Self>, state: &mut State, need: Need, now: Now) -> Claim {
        let flight = Arc::new(Flight {
            started: now.monotonic,
            outcome: Signal::default(),
        });
        state.flight = Some(flight.clone());
        self.registry.add(self);
        let (generation, old) = (state.generation, state.published.clone());
        Claim::new(self.clone(), flight, need, generation, old)
    }

    /// Updates a claim after the store was read under it. False if its flight has been abandoned, if
    /// the slot was merged with another, or if its token is not in use any more.
    pub(crate) fn update_claim(&self, claim: &mut Claim) -> bool {
        let state = self.read();
        claim.old = state.published.clone();
        claim.generation = state.generation;
        claim.refusal = state.refusal();
        state.is_current(claim) && state.forwarded.is_none() && !state.superseded
    }

    /// Whether the flight of a claim is the current one.
    pub(super) fn is_led_by(&self, claim: &Claim) -> bool {
        self.read().is_in_flight(&claim.flight)
    }

    /// Ends the flight of a claim whose attempt has failed. The next attempt waits if a request was
    /// sent, or if the token is good without one, unless the error is about a token that is not in use
    /// any more.
    pub(crate) fn fail(
        &self,
        claim: &Claim,
        error: Error,
        has_requested: bool,
        now: Now,
    ) -> Result<Outcome> {
        let mut state = self.write();
        let result = match state.is_current(claim) {
            true => {
                if has_requested {
                    if error.needs_login() && claim.grant.is_none() {
                        state.refusal = Some(Box::new(error.clone()));
                    }
                    state.pacing.fail(now.monotonic, error.clone());
                } else {
                    state.defer(now);
                }
                Err(error)
            }
            false => Ok(Outcome::Superseded),
        };
        drop(state);
        claim.finish(result.clone());
        result
    }

    /// Ends the flight, if it is the current one.
    pub(super) fn end(&self, flight: &Arc<Flight>) {
        let mut state = self.write();
        if state.is_in_flight(flight) {
            state.flight = None;
        }
        self.check_settled(&state);
    }
}

impl State {
    fn decide(&self, need: &Need, caller: &Caller, rules: &Rules, now: Now) -> Decision {
        let is_published = |refused: &Published| {
            let published = self.published.as_ref();
            published.is_some_and(|published| published.is_same(refused))
        };
        let can_request = self.can_request(caller.can_ask, caller.grant.is_some(), rules);
        let renewable = can_request || self.store.is_some();
        let in_flight = self.flight.is_some();
        // Without a grant, nothing is sent after a refusal, and the store may have a new login at any
        // time.
        let is_refused = self.refusal.is_some() && caller.grant.is_none();
        let reads_store = is_refused && self.store.is_some();
        let paced = self.pacing.is_active(now.monotonic) && !reads_store;
        match need {
            Need::Other(refused) if is_published(refused) => match renewable {
                _ if in_flight => Decision::Wait,
                _ if paced => Decision::Paced,
                true => Decision::Renew,
                false => Decision::Expired,
            },
            Need::Usable | Need::Other(_) => {
                let deferred = self
                    .store
                    .as_ref()
                    .and_then(|store| store.deferred.as_ref());
                let state = TokenState {
                    lifetime: self.published.as_ref().map(|published| published.lifetime),
                    policy: rules.policy,
                    renewable: can_request,
                    stored: self.store.is_some(),
                    in_flight,
                    paced,
                    deferred: deferred.is_some_and(|pacing| pacing.is_active(now.monotonic)),
                };
                decide(state, now.unix)
            }
            Need::Renewed => match renewable {
                _ if in_flight => Decision::Wait,
                _ if self.pacing.server_wish(now.monotonic).is_some() => Decision::Paced,
                true => Decision::Renew,
                false if self.published.is_some() => Decision::Expired,
                false => Decision::NoToken,
            },
        }
    }

    /// Whether there may be a way to obtain another token without a grant: a refresh token, or the
    /// store, where another process may have put one.
    fn is_renewable(&self, can_ask: bool, rules: &Rules) -> bool {
        self.can_request(can_ask, false, rules) || self.store.is_some()
    }

    /// Whether there is a refresh token or a grant to send.
    fn can_request(&self, can_ask: bool, has_grant: bool, rules: &Rules) -> bool {
        let published = self.published.as_ref();
        let refresh_token = published.and_then(|published| published.token.refresh_token());
        let can_refresh =
            rules.use_refresh_tokens && self.refusal.is_none() && refresh_token.is_some();
        can_ask && (can_refresh || has_grant)
    }

    fn paced(&self, need: &Need, now: Now) -> Error {
        let error = match need {
            Need::Renewed => self.pacing.server_wish(now.monotonic),
            _ => self.pacing.error(now.monotonic),
        };
        // It is paced, so there is one.
        error.unwrap_or_else(expired)
    }

    /// Abandons a flight that has exceeded its limit: its leader has vanished.
    fn abandon_overdue(&mut self, limit: Duration, now: Now) -> Option<Arc<Flight>> {
        let is_overdue =
            |flight: &mut Arc<Flight>| flight.started.saturating_add(limit) <= now.monotonic;
        self.flight.take_if(is_overdue)
    }
}

/// Lets those decide again who wait for a flight that was abandoned. No lock is held for them.
fn release_waiters(abandoned: Option<Arc<Flight>>) {
    if let Some(flight) = abandoned {
        flight.outcome.set(Ok(Outcome::Unchanged));
    }
}

#[cfg(test)]
mod tests;
