//! Flight of a slot, a renewal or the first load of its store: one caller leads it, any number wait
//! for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{published::Published, slot::Slot};
use crate::{
    error::{Error, Result},
    oauth2::grant::Grant,
    signal::Signal,
};

/// Outcome of a flight that did not fail.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A token, renewed here or by another process that shares the store.
    Token(Arc<Published>),
    /// Another token is in use by now, which is as good as a renewed one.
    Superseded,
    /// Nothing was renewed: waiting callers decide again.
    Unchanged,
}

/// Need of a caller.
#[derive(Clone, Debug)]
pub(crate) enum Need {
    /// A usable token.
    Usable,
    /// A renewed token, whatever the time.
    Renewed,
    /// A token other than this one, which a server refused.
    Other(Arc<Published>),
}

/// Flight of a slot.
#[derive(Debug)]
pub(crate) struct Flight {
    /// By monotonic time.
    pub(super) started: Duration,
    /// Set at the end, which releases all waiting callers. The first outcome counts.
    pub(crate) outcome: Signal<Result<Outcome>>,
}

/// Right to renew, with the state that the renewal starts from. When it is dropped, in whatever way,
/// the slot is free for the next one and no caller waits any longer.
pub(crate) struct Claim {
    pub(crate) slot: Arc<Slot>,
    pub(crate) flight: Arc<Flight>,
    pub(crate) need: Need,
    pub(super) generation: u32,
    /// The token that is renewed.
    pub(crate) old: Option<Arc<Published>>,
    /// Sent if there is no refresh token, or if it is refused.
    pub(crate) grant: Option<Arc<dyn Grant>>,
    /// Why the refresh token must not be sent again.
    pub(crate) refusal: Option<Error>,
    /// Whether the claim has ended its flight.
    has_finished: AtomicBool,
}

impl Claim {
    pub(super) fn new(
        slot: Arc<Slot>,
        flight: Arc<Flight>,
        need: Need,
        generation: u32,
        old: Option<Arc<Published>>,
    ) -> Self {
        Self {
            slot,
            flight,
            need,
            generation,
            old,
            grant: None,
            refusal: None,
            has_finished: AtomicBool::new(false),
        }
    }

    /// The time until another caller may lead, with the same refresh token: no request may last longer.
    pub(crate) fn left(&self, monotonic: Duration) -> Duration {
        let end = self
            .flight
            .started
            .saturating_add(self.slot.registry.rules.flight_limit);
        end.saturating_sub(monotonic)
    }

    /// Whether the flight has not been abandoned.
    pub(crate) fn is_leading(&self) -> bool {
        self.slot.is_led_by(self)
    }

    /// Ends the flight. The slot is free before the waiting callers are released, so that none joins
    /// a flight that has ended.
    pub(crate) fn finish(&self, outcome: Result<Outcome>) {
        self.slot.end(&self.flight);
        self.flight.outcome.set(outcome);
        self.has_finished.store(true, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if *self.has_finished.get_mut() {
            return;
        }
        match self.flight.outcome.is_set() {
            true => self.slot.end(&self.flight),
            // This is for a panic and for a runtime that shuts down.
            false => self.finish(Err(Error::interrupted(
                "the renewal was cut off before its end",
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::ErrorKind,
        lifecycle::testing::{LIFE, at, brought, lead, next_action, slots, token, transient},
    };

    #[test]
    fn those_who_wait_share_the_error() {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let other = claim.flight.clone();
        let _ = slot.fail(&claim, transient(None), true, at(LIFE));
        let outcome = other.outcome.get().expect("an outcome");
        assert_eq!(outcome.expect_err("an error").kind(), ErrorKind::Server);
        assert!(slot.in_flight().is_none() && slot.is_settled());
    }

    #[test]
    fn a_claim_that_is_dropped_leaves_nobody_behind() {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let other = claim.flight.clone();
        drop(claim);
        let outcome = other.outcome.get().expect("an outcome");
        assert_eq!(
            outcome.expect_err("an error").kind(),
            ErrorKind::Interrupted
        );
        // Whether the server was asked is not known: the next caller tries at once.
        assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "renew");
        // What was settled before stays.
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let other = claim.flight.clone();
        slots
            .publish(
                &claim,
                token("b", "s", LIFE),
                None,
                &mut None,
                true,
                at(LIFE),
            )
            .expect("without a problem");
        drop(claim);
        assert_eq!(brought(&other).as_deref(), Some("b"));
    }
}
