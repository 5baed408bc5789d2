//! Renewals of a stored token that end without a request: the store is down, or has nothing newer.

use super::*;
use crate::{
    lifecycle::{
        slots::Learned,
        testing::{load, stored},
    },
    oauth2::token::Token,
};

/// The renewal of a caller that ends without a request.
fn fail_unsent(slot: &TestSlot, need: &Need, error: Error, now: Now) {
    let claim = lead(slot, need, now);
    let failed = slot.fail(&claim, error, false, now);
    assert!(failed.is_err() && claim.flight.outcome.is_set());
}

#[test]
fn as_long_as_the_token_is_good_the_store_is_read_ever_more_rarely() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let mut now = LIFE - 60;
    for wait in [1, 2, 4, 8, 16] {
        fail_unsent(&slot, &Need::Usable, transient(None), at(now));
        for passed in [0, wait - 1] {
            let action = next_action(&slot, &Need::Usable, at(now + passed));
            assert_eq!(action, "use", "{wait} {passed}");
        }
        now += wait + wait / 4 + 1;
        let action = next_action(&slot, &Need::Usable, at(now));
        assert_eq!(action, "renew early", "{wait}");
    }
}

#[test]
fn who_needs_another_token_does_not_wait() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let now = at(LIFE - 1);
    fail_unsent(&slot, &Need::Usable, transient(Some("60")), now);
    assert_eq!(next_action(&slot, &Need::Usable, now), "use");
    for need in [Need::Renewed, refused(&slot)] {
        // Nor after its own failure.
        for _ in 0..2 {
            fail_unsent(&slot, &need, transient(None), now);
            assert_eq!(next_action(&slot, &need, now), "renew", "{need:?}");
        }
    }
    // With the end of the token, there is nothing to go on with.
    let now = at(LIFE);
    for _ in 0..2 {
        fail_unsent(&slot, &Need::Usable, transient(None), now);
        assert_eq!(next_action(&slot, &Need::Usable, now), "renew");
    }
}

/// The store may have a new login, which is no reason to look for it at each request either.
#[test]
fn a_refused_refresh_token_has_the_store_read_now_and_then() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let now = at(LIFE - 60);
    let claim = lead(&slot, &Need::Usable, now);
    let _ = slot.fail(&claim, refusal(), true, now);
    fail_unsent(&slot, &Need::Usable, refusal(), now);
    assert_eq!(next_action(&slot, &Need::Usable, now), "use");
    let now = at(LIFE - 58);
    assert_eq!(next_action(&slot, &Need::Usable, now), "renew early");
}

/// Puts another token into a slot.
type Change = fn(&Slots, &TestSlot, Token, Now) -> TestSlot;

#[test]
fn another_token_ends_the_wait() {
    let now = at(LIFE - 30);
    let due = |name, refresh| token_until(name, Some(refresh), 0, LIFE);
    let changes: [Change; 2] = [
        |slots, slot, token, now| slots.replace(slot, Some(token), true, now),
        |slots, slot, token, now| {
            assert_eq!(load(slots, slot, Some(token), 4, now), Learned::Adopted);
            slot.clone()
        },
    ];
    for (change, refresh) in [
        (changes[0], "s"),
        (changes[0], "r"),
        (changes[1], "s"),
        (changes[1], "r"),
    ] {
        let slots = slots();
        let slot = stored(&slots, due("a", "r"), at(0));
        fail_unsent(&slot, &Need::Usable, transient(None), now);
        let slot = change(&slots, &slot, due("b", refresh), now);
        assert_eq!(held(&slot).as_deref(), Some("b"));
        assert_eq!(next_action(&slot, &Need::Usable, now), "renew early");
        // The next wait begins anew.
        fail_unsent(&slot, &Need::Usable, transient(None), now);
        assert_eq!(next_action(&slot, &Need::Usable, now), "use");
        let later = at(LIFE - 28);
        assert_eq!(next_action(&slot, &Need::Usable, later), "renew early");
    }
}

/// A renewal that began from another token says nothing about this one.
#[test]
fn a_late_failure_is_no_reason_to_wait() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let now = at(LIFE - 30);
    let claim = lead(&slot, &Need::Usable, now);
    let same = slots.replace(&slot, Some(token_until("b", Some("r"), 0, LIFE)), true, now);
    assert!(Arc::ptr_eq(&same, &slot));
    let late = slot.fail(&claim, transient(None), false, now);
    assert!(matches!(late, Ok(Outcome::Superseded)));
    assert_eq!(next_action(&slot, &Need::Usable, now), "renew early");
}
