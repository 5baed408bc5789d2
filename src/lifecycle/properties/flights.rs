//! Callers, their renewals, and the responses of the server.

use std::{sync::Arc, time::Duration};

use super::{
    events::{Demand, Failure, Index, Life, Rotation},
    world::{Attempt, Failed, Issued, Stage, World, refresh_token, take},
};
use crate::{
    error::Error,
    lifecycle::{
        action::Action,
        reconcile::{HeldLease, SlotSnapshot},
        single_flight::{Claim, Need, Outcome},
        slots::Learned,
        testing::{TestSlot, access_token, caller, refusal, store_of, transient},
    },
    oauth2::token::Token,
    token_store::{Lease, StoredToken},
};

impl World {
    pub(super) fn ask(&mut self, handle: Index, demand: Demand) {
        let need = match (demand, self.handle(handle).published()) {
            (Demand::Renewed, _) => Need::Renewed,
            (Demand::Other, Some(published)) => Need::Other(published),
            _ => Need::Usable,
        };
        let action = self.handle(handle).next(&need, &caller(), self.now);
        self.carry_out(handle, &need, action);
    }

    pub(super) fn carry_out(&mut self, handle: Index, need: &Need, action: Action) {
        let slot = self.handle(handle).clone();
        match action {
            Action::Use(published) => self.check_usable(&published),
            Action::Fail(error) => self.check_error(&slot, &error),
            Action::Wait(waiter) => {
                self.check_young(&slot, &waiter);
                self.waiters.push(waiter);
            }
            Action::Follow(to) => {
                let at = usize::from(handle) % self.handles.len();
                self.handles[at] = to.clone();
                let action = to.next(need, &caller(), self.now);
                self.carry_out(handle, need, action);
            }
            Action::Load(claim) => {
                let stage = Stage::Loading(slot.snapshot(), self.row_of(&slot));
                self.begin(claim, stage);
            }
            Action::Renew(claim, fallback) => {
                if let Some(old) = fallback {
                    assert!(old.is_alive(self.now.unix), "the old token has expired");
                }
                self.check_pace(&slot, need);
                if let Need::Usable = need {
                    self.check_unsent(&slot);
                }
                if slot.is_stored() {
                    self.begin(claim, Stage::Reading);
                } else {
                    let stage = self.request(&claim, None);
                    self.begin(claim, stage);
                }
            }
        }
    }

    fn begin(&mut self, claim: Claim, stage: Stage) {
        let started = self.now.monotonic;
        self.flights.push(Attempt {
            claim,
            started,
            stage,
        });
    }

    /// Sends a request with the refresh token.
    fn request(&self, claim: &Claim, lease: Option<HeldLease>) -> Stage {
        let old = claim.old.as_ref().expect("a token that can be renewed");
        let refresh_token = refresh_token(&old.token).expect("a refresh token");
        self.check_request(&refresh_token);
        Stage::Requesting(refresh_token, lease)
    }

    pub(super) fn proceed(&mut self, flight: Index) {
        let at = self.flights.iter().enumerate();
        let mut waiting: Vec<_> = at
            .filter(|(_, flight)| !matches!(flight.stage, Stage::Requesting(..)))
            .map(|(at, _)| at)
            .collect();
        let Some(at) = take(&mut waiting, flight) else {
            return;
        };
        let mut flight = self.flights.remove(at);
        if self.is_out_of_reach(&flight.claim.slot) {
            let error = Error::store("token_store could not be read", None);
            return self.fail_unsent(&flight.claim, error);
        }
        if let Stage::Loading(snapshot, row) = &flight.stage {
            self.learn(&flight.claim.slot, snapshot, row.clone());
            flight.claim.finish(Ok(Outcome::Unchanged));
            return;
        }
        // An abandoned flight continues, as its leader does not notice.
        let slot = flight.claim.slot.clone();
        self.read(&slot);
        if !slot.update_claim(&mut flight.claim) {
            flight.claim.finish(Ok(Outcome::Superseded));
            return;
        }
        let old = flight.claim.old.clone();
        let now = self.now;
        match (&old, &flight.claim.need) {
            (Some(stored), Need::Usable) if stored.is_fresh(now.unix) => {
                return flight.claim.finish(Ok(Outcome::Token(stored.clone())));
            }
            (Some(stored), Need::Other(refused))
                if !refused.is_same(stored) && stored.is_alive(now.unix) =>
            {
                return flight.claim.finish(Ok(Outcome::Token(stored.clone())));
            }
            _ => {}
        }
        let can_refresh = old.is_some_and(|old| old.token.refresh_token().is_some());
        if let Some(refusal) = flight.claim.refusal.clone() {
            self.fail_unsent(&flight.claim, refusal);
        } else if !can_refresh {
            let error = Error::token("there is no refresh token");
            self.fail_unsent(&flight.claim, error);
        } else if let Some(lease) = self.take_lease(&slot) {
            flight.stage = self.request(&flight.claim, Some(lease));
            self.flights.push(flight);
        } else {
            slot.defer(now);
            self.note_unsent(&slot);
            flight.claim.finish(Ok(Outcome::Unchanged));
        }
    }

    /// Ends a renewal whose request was not sent.
    fn fail_unsent(&mut self, claim: &Claim, error: Error) {
        if claim.slot.fail(claim, error, false, self.now).is_err() {
            self.note_unsent(&claim.slot);
        }
    }

    fn note_unsent(&mut self, slot: &TestSlot) {
        if let Some(own) = slot.published()
            && slot.is_stored()
            && own.is_alive(self.now.unix)
        {
            self.unsent.insert(slot.id(), (self.now.monotonic, own));
        }
    }

    /// The lease, unless it is held. That of an earlier renewal serves as well.
    fn take_lease(&self, slot: &TestSlot) -> Option<HeldLease> {
        let lease = slot.take_lease();
        lease.or_else(|| {
            let until = self.now.monotonic + Duration::from_secs(60);
            let lease = self.stores.lease(store_of(slot)?)?;
            Some(HeldLease::new(Lease::new(lease), until))
        })
    }

    pub(super) fn read(&mut self, slot: &TestSlot) {
        self.learn(slot, &slot.snapshot(), self.row_of(slot));
    }

    fn learn(&mut self, slot: &TestSlot, snapshot: &SlotSnapshot, row: Option<StoredToken>) {
        let old = slot.published();
        if self.slots.learn(slot, snapshot, row, self.now) == Learned::Adopted {
            let new = slot.published();
            if let Some(new) = new.as_ref().and_then(|new| refresh_token(&new.token)) {
                self.check_unspent(&new);
                self.spent.remove(&new);
            }
            match (old, new) {
                (Some(old), Some(new)) => self.rotate(&old.token, &new.token),
                (Some(old), None) => self.revoked.extend(refresh_token(&old.token)),
                (None, _) => {}
            }
        }
    }

    /// Notes that the refresh token of `old` is used up.
    fn rotate(&mut self, old: &Token, new: &Token) {
        let [old, new] = [old, new].map(refresh_token);
        if let Some(old) = old.filter(|old| Some(old) != new.as_ref()) {
            self.spent.insert(old, self.now.monotonic);
        }
    }

    /// Takes a flight that has sent its request.
    fn take_request(&mut self, flight: Index) -> Option<(Claim, Option<HeldLease>)> {
        let at = self.flights.iter().enumerate();
        let mut sent: Vec<_> = at
            .filter(|(_, flight)| matches!(flight.stage, Stage::Requesting(..)))
            .map(|(at, _)| at)
            .collect();
        let flight = self.flights.remove(take(&mut sent, flight)?);
        match flight.stage {
            Stage::Requesting(_, lease) => Some((flight.claim, lease)),
            Stage::Loading(..) | Stage::Reading => None,
        }
    }

    pub(super) fn answer(&mut self, flight: Index, rotation: Rotation, life: Life) {
        let Some((claim, mut lease)) = self.take_request(flight) else {
            return;
        };
        let old = claim.old.clone().expect("a token that was renewed");
        let refresh_token = match rotation {
            Rotation::Rotated => None,
            Rotation::Kept => refresh_token(&old.token),
            // One that is in two stores has two slots.
            Rotation::Known(_) if self.has_users => None,
            Rotation::Known(index) => refresh_token(self.known(index)),
        };
        let token = self.make(refresh_token, life);
        if let Rotation::Rotated | Rotation::Known(_) = rotation
            && self.has_users
        {
            self.inherit(&old.token, &token);
        }
        let slot = claim.slot.clone();
        let outcome = (self.slots).publish(
            &claim,
            token.clone(),
            None,
            &mut lease,
            self.has_hook,
            self.now,
        );
        let is_published = slot
            .published()
            .is_some_and(|published| published.token == token);
        match &outcome {
            Ok(Outcome::Token(published)) => assert!(published.token == token && is_published),
            Ok(Outcome::Superseded) => {}
            Ok(Outcome::Unchanged) => panic!("there is a token"),
            Err(error) => assert!(matches!(life, Life::Negative) && is_published, "{error}"),
        }
        assert!(claim.flight.outcome.is_set() && !claim.is_leading());
        if is_published {
            self.rotate(&old.token, &token);
            // The server may issue a refresh token again.
            if let Some(issued) = self::refresh_token(&token) {
                self.spent.remove(&issued);
            }
            self.failed.remove(&slot.id());
        }
        if self.has_hook {
            let issued = Issued {
                slot: Arc::downgrade(&slot),
                superseded: matches!(outcome, Ok(Outcome::Superseded)),
            };
            self.issued.insert(access_token(&token), issued);
        }
    }

    pub(super) fn fail(&mut self, flight: Index, failure: Failure) {
        let Some((claim, _lease)) = self.take_request(flight) else {
            return;
        };
        let (error, retry_after) = match failure {
            Failure::Transient => (transient(None), 0),
            Failure::RetryAfter => (transient(Some("60")), 60),
            Failure::Refusal => (refusal(), 0),
            Failure::Unsent => return self.fail_unsent(&claim, transient(None)),
        };
        let slot = claim.slot.clone();
        let result = self.slots.fail(&claim, error, true, self.now);
        assert!(claim.flight.outcome.is_set() && !claim.is_leading());
        if result.is_err() {
            let token = slot.published();
            if let Failure::Refusal = failure {
                let refused = token.as_ref().and_then(|old| refresh_token(&old.token));
                self.refused.extend(refused);
            }
            let failed = Failed {
                at: self.now.monotonic,
                retry_after: Duration::from_secs(retry_after),
                token,
            };
            self.failed.insert(slot.id(), failed);
        }
    }
}
