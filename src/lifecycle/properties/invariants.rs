//! Invariants.

use std::{sync::Arc, time::Duration};

use super::world::{Stage, World, refresh_token};
use crate::{
    error::Error,
    lifecycle::{
        published::Published,
        single_flight::{Flight, Need},
        table::to_the_end,
        testing::{FLIGHT_LIMIT, TestSlot, access_token},
    },
};

/// Time for which a used refresh token leads to its successor.
const SPENT: Duration = Duration::from_secs(60);
/// The longest wait after a failure, which is the bound of `Retry-After` and a quarter.
const LONGEST_WAIT: Duration = Duration::from_secs(375);

/// Checks of single events.
impl World {
    /// No caller gets an expired token. One that was issued expired is used as long as there is no
    /// refresh token to renew it with, whether or not it is stored.
    pub(super) fn check_usable(&self, published: &Published) {
        let token = &published.token;
        let is_zero = token.issued_at() == token.expires_at();
        let refresh_token = refresh_token(token);
        let is_renewable =
            refresh_token.is_some_and(|refresh_token| !self.refused.contains(&refresh_token));
        assert!(
            published.is_alive(self.now.unix) || (is_zero && !is_renewable),
            "an expired token is used"
        );
    }

    /// An error says that no renewal is possible, or when to try again.
    pub(super) fn check_error(&self, slot: &TestSlot, error: &Error) {
        let left = error.retry_after();
        assert!(
            error.needs_login() || left.is_some_and(|left| left <= LONGEST_WAIT),
            "{error:?}"
        );
        let own = slot.published();
        let refresh_token = own.and_then(|own| refresh_token(&own.token));
        let has_way = refresh_token.is_some_and(|token| !self.refused.contains(&token));
        assert!(!has_way || left.is_some(), "there is a way to a new token");
    }

    /// No caller waits for an overdue flight.
    pub(super) fn check_young(&self, slot: &TestSlot, waiter: &Arc<Flight>) {
        let mut flights = self.flights.iter();
        let flight = flights
            .find(|flight| Arc::ptr_eq(&flight.claim.flight, waiter))
            .expect("a flight with a leader");
        let limit = flight.started + Duration::from_secs(FLIGHT_LIMIT);
        assert!(self.now.monotonic < limit, "it is overdue");
        assert!(Arc::ptr_eq(&flight.claim.slot, slot) && flight.claim.is_leading());
    }

    /// After a failure, the next attempt waits, unless the token has changed.
    pub(super) fn check_pace(&self, slot: &TestSlot, need: &Need) {
        let Some(failed) = self.failed.get(&slot.id()) else {
            return;
        };
        let is_same = match (&failed.token, slot.published()) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, &other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let wait = match need {
            Need::Renewed => failed.retry_after,
            _ => failed.retry_after.max(Duration::from_secs(1)),
        };
        // After a refusal the store is read, and nothing is sent.
        if slot.is_stored() && self.is_refused(slot) {
            return;
        }
        let next = failed.at + wait;
        assert!(!is_same || self.now.monotonic >= next, "it is too early");
    }

    /// While the token is good, no renewal begins shortly after one that ended without a request.
    pub(super) fn check_unsent(&self, slot: &TestSlot) {
        let own = slot.published().filter(|own| own.is_alive(self.now.unix));
        if let (Some((at, token)), Some(own)) = (self.unsent.get(&slot.id()), own) {
            let is_early = self.now.monotonic < *at + Duration::from_secs(1);
            assert!(!is_early || !Arc::ptr_eq(token, &own), "it is too early");
        }
    }

    fn is_refused(&self, slot: &TestSlot) -> bool {
        let own = slot.published();
        let refresh_token = own.and_then(|own| refresh_token(&own.token));
        refresh_token.is_some_and(|refresh_token| self.refused.contains(&refresh_token))
    }

    /// A refresh token is in one request at a time, and in none once its successor is known.
    pub(super) fn check_request(&self, refresh_token: &str) {
        self.check_unspent(refresh_token);
        let is_sent = self.flights.iter().any(|flight| match &flight.stage {
            Stage::Requesting(sent, _) => sent == refresh_token && flight.claim.is_leading(),
            Stage::Loading(..) | Stage::Reading => false,
        });
        let is_revoked = self.revoked.contains(refresh_token);
        assert!(!is_sent || is_revoked, "{refresh_token} is sent twice");
    }

    pub(super) fn check_unspent(&self, refresh_token: &str) {
        let until = self.spent.get(refresh_token).map(|since| *since + SPENT);
        assert!(
            until.is_none_or(|until| until <= self.now.monotonic),
            "{refresh_token} is spent"
        );
    }
}

/// Checks after each event.
impl World {
    pub(super) fn check(&self) {
        self.check_waiters();
        self.check_handles();
        self.check_flights();
        self.check_registry();
    }

    /// All waiters of an ended flight are released.
    fn check_waiters(&self) {
        for waiter in &self.waiters {
            let is_led = || {
                let mut flights = self.flights.iter();
                flights.any(|flight| Arc::ptr_eq(&flight.claim.flight, waiter))
            };
            assert!(
                waiter.outcome.is_set() || is_led(),
                "a waiter is not released"
            );
        }
    }

    /// Each refresh token has one slot, which counts its handles.
    fn check_handles(&self) {
        let ends: Vec<_> = self.handles.iter().cloned().map(to_the_end).collect();
        for (at, slot) in ends.iter().enumerate() {
            let state = slot.read();
            let handles = ends.iter().filter(|end| Arc::ptr_eq(end, slot)).count();
            assert_eq!(
                usize::try_from(state.handles),
                Ok(handles),
                "handles of a slot"
            );
            assert!(!state.superseded, "a token in use is superseded");
            let Some(own) = state.own().and_then(refresh_token) else {
                continue;
            };
            for other in &ends[..at] {
                if !Arc::ptr_eq(slot, other) {
                    let other = other.published();
                    let other = other.and_then(|other| refresh_token(&other.token));
                    assert_ne!(other, Some(own.clone()), "a refresh token has two slots");
                }
            }
        }
        self.check_stores(&ends);
    }

    /// A slot has at most one flight.
    fn check_flights(&self) {
        let leading = self
            .flights
            .iter()
            .filter(|flight| flight.claim.is_leading());
        let mut slots: Vec<_> = leading.map(|flight| flight.claim.slot.id()).collect();
        let count = slots.len();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), count, "two flights for one slot");
    }

    /// The registry has exactly the slots with a flight or with undelivered tokens.
    fn check_registry(&self) {
        let pending = self.slots.pending();
        for slot in self.seen.iter().filter_map(std::sync::Weak::upgrade) {
            let is_kept = pending.iter().any(|pending| Arc::ptr_eq(pending, &slot));
            let mut flights = self.flights.iter();
            // An abandoned flight may still bring a token.
            let is_led = flights.any(|flight| Arc::ptr_eq(&flight.claim.slot, &slot));
            assert!(
                is_kept || slot.is_settled(),
                "an undelivered token is forgotten"
            );
            assert!(
                !is_kept || !slot.is_settled() || is_led,
                "a settled slot is kept: {slot:?}"
            );
        }
    }
}

/// Checks at the end.
impl World {
    /// Each issued token was delivered, or a later one of the same slot that includes it; and the
    /// store has the token of the client.
    pub(super) fn check_delivered(&self) {
        assert!(
            self.slots.pending().is_empty(),
            "undelivered tokens are left"
        );
        assert_eq!(self.slots.take_dropped(), 0);
        let number = |name: &String| name.parse::<u32>().expect("a number");
        for (name, issued) in &self.issued {
            let stands_for_both = |other: &String| {
                let after = self.issued.get(other);
                after.is_some_and(|after| after.slot.ptr_eq(&issued.slot))
                    && number(other) > number(name)
                    && !issued.superseded
            };
            assert!(
                self.delivered.contains(name) || self.delivered.iter().any(stands_for_both),
                "{name} is lost"
            );
        }
        let client = self.homes[0].map(|_| to_the_end(self.handles[0].clone()));
        for slot in client.into_iter().chain(self.slots_of_users()) {
            // A store that lost its content is not written for that reason.
            if let Some(row) = self.row_of(&slot) {
                let own = slot.published().map(|own| access_token(&own.token));
                let stored = row.token.as_ref().map(access_token);
                assert_eq!(stored, own, "the store has another token");
            }
        }
    }
}
