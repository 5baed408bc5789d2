mod issued_unusable;
mod unsent;

use std::{sync::Arc, time::UNIX_EPOCH};

use super::*;
use crate::{
    lifecycle::{
        slots::Slots,
        testing::{
            FLIGHT_LIMIT, LIFE, TestSlot, at, begin_delivery, brought, caller, deliver_all, held,
            lead, name, next, next_action, refusal, renew, slots, token, token_until, transient,
        },
    },
    oauth2::grant::client_credentials::ClientCredentials,
};

fn with_grant() -> Caller {
    let grant: Arc<dyn Grant> = Arc::new(ClientCredentials::new());
    let grant = Some(grant);
    Caller { grant, ..caller() }
}

fn refused(slot: &Slot) -> Need {
    Need::Other(slot.published().expect("a token"))
}

#[test]
fn a_fresh_token_is_used_and_an_old_one_is_renewed_by_one_caller() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE - 61)), "use");
    assert!(slot.fresh(UNIX_EPOCH + at(LIFE - 61).unix).is_some());
    let now = at(LIFE - 60);
    assert!(slot.fresh(UNIX_EPOCH + now.unix).is_none());
    let claim = match next(&slot, &Need::Usable, now) {
        Action::Renew(claim, Some(old)) => {
            assert!(slot.holds(&old));
            claim
        }
        other => panic!("{}", name(&other)),
    };
    // All others go on with the old one at once.
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE - 40)), "use");
    // A failure before the end of the old token changes nothing for those that have it.
    let failed = slot.fail(&claim, transient(None), true, now);
    assert!(failed.is_err());
    assert_eq!(next_action(&slot, &Need::Usable, now), "use");
    assert_eq!(
        next_action(&slot, &Need::Usable, at(LIFE - 58)),
        "renew early"
    );
}

#[test]
fn after_the_end_of_a_token_everybody_waits_for_one_attempt() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let now = at(LIFE);
    let claim = lead(&slot, &Need::Usable, now);
    assert!(claim.is_leading());
    let others =
        [Need::Usable, Need::Renewed, refused(&slot)].map(|need| match next(&slot, &need, now) {
            Action::Wait(flight) => flight,
            other => panic!("{}", name(&other)),
        });
    assert!(others.iter().all(|other| !other.outcome.is_set()));
    slots
        .publish(&claim, token("b", "s", LIFE), None, &mut None, true, now)
        .expect("without a problem");
    for other in others {
        assert_eq!(brought(&other).as_deref(), Some("b"));
    }
    // The flight has ended, though nothing is saved or delivered.
    assert!(slot.in_flight().is_none() && slot.has_undelivered());
    assert_eq!(held(&slot).as_deref(), Some("b"));
}

#[test]
fn an_overdue_flight_is_abandoned_and_its_late_result_is_told_as_superseded() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let first = lead(&slot, &Need::Usable, at(LIFE));
    let just_before = at(LIFE + FLIGHT_LIMIT - 1);
    assert_eq!(next_action(&slot, &Need::Usable, just_before), "wait");
    let now = at(LIFE + FLIGHT_LIMIT);
    let second = lead(&slot, &Need::Usable, now);
    assert!(!first.is_leading() && second.is_leading());
    // Whoever waits for it decides again, and waits for the other one.
    assert!(matches!(
        first.flight.outcome.get(),
        Some(Ok(Outcome::Unchanged))
    ));

    let late = slots
        .publish(&first, token("late", "l", LIFE), None, &mut None, true, now)
        .expect("without a problem");
    assert!(matches!(late, Outcome::Superseded));
    // It ends neither the other flight nor takes the place of what that brings.
    assert!(second.is_leading() && held(&slot).as_deref() == Some("a"));
    slots
        .publish(
            &second,
            token("b", "s", LIFE + 21),
            None,
            &mut None,
            true,
            now,
        )
        .expect("without a problem");
    assert_eq!(held(&slot).as_deref(), Some("b"));
    let updates = [("late", "a", true), ("b", "a", false)];
    let updates = updates.map(|(new, old, late)| (new.to_owned(), old.to_owned(), late));
    assert_eq!(deliver_all(&slots, &slot, at(20)), updates);
}

#[test]
fn an_overdue_flight_that_fails_late_says_nothing_of_the_token() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let first = lead(&slot, &Need::Usable, at(LIFE));
    let now = at(LIFE + FLIGHT_LIMIT);
    let second = lead(&slot, &Need::Usable, now);
    let late = slot.fail(&first, refusal(), true, now);
    assert!(matches!(late, Ok(Outcome::Superseded)));
    assert!(second.is_leading());
    let _ = slot.fail(&second, transient(None), false, now);
    assert_eq!(next_action(&slot, &Need::Usable, now), "renew");
}

#[test]
fn a_flight_that_was_abandoned_for_nobody_is_not_kept() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(0));
    // The token is fresh: no other flight begins.
    let now = at(FLIGHT_LIMIT);
    assert_eq!(next_action(&slot, &Need::Usable, now), "use");
    assert!(slot.in_flight().is_none() && slot.is_settled());
    assert!(claim.flight.outcome.is_set());
    drop(claim);
    assert!(slots.pending().is_empty());
}

#[test]
fn after_a_failure_the_next_attempt_waits_and_callers_get_the_last_error() {
    for (need, retry_after, wait, last) in [
        (Need::Usable, None, 1, "fail"),
        (Need::Usable, Some("60"), 60, "fail"),
        (Need::Usable, Some("31536000"), 300, "fail"),
        // Demanded: only the server's wish counts.
        (Need::Renewed, None, 0, "renew"),
        (Need::Renewed, Some("60"), 60, "fail"),
        (Need::Renewed, Some("31536000"), 300, "fail"),
    ] {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let _ = slot.fail(&claim, transient(retry_after), true, at(LIFE));
        let what = format!("{need:?} {retry_after:?}");
        assert_eq!(next_action(&slot, &need, at(LIFE)), last, "{what}");
        if wait > 1 {
            let action = next(&slot, &need, at(LIFE + wait - 1));
            assert_eq!(name(&action), "fail", "{what}");
            let Action::Fail(error) = action else { return };
            let left = error.retry_after().expect("when to try again");
            assert!(left >= Duration::from_secs(1), "{what} {left:?}");
        }
        assert_eq!(
            next_action(&slot, &need, at(LIFE + wait + wait / 4 + 1)),
            "renew",
            "{what}"
        );
    }
}

#[test]
fn a_failure_without_a_request_delays_nobody() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    for has_asked in [false, true] {
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let _ = slot.fail(&claim, refusal(), has_asked, at(LIFE));
        let expected = if has_asked { "log in" } else { "renew" };
        assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), expected);
    }
}

#[test]
fn after_a_refusal_there_is_no_attempt_until_the_token_changes() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Usable, at(LIFE));
    let _ = slot.fail(&claim, refusal(), true, at(LIFE));
    for now in [LIFE, LIFE + 100, LIFE + 1_000_000] {
        for need in [Need::Usable, Need::Renewed, refused(&slot)] {
            assert_eq!(
                next_action(&slot, &need, at(now)),
                "log in",
                "{need:?} {now}"
            );
        }
    }
    // The client's own grant is another way.
    let now = at(LIFE + 100);
    let action = slot.next(&Need::Usable, &with_grant(), now);
    let Action::Renew(claim, None) = action else {
        panic!("{}", name(&action));
    };
    assert!(claim.refusal.is_some() && claim.grant.is_some());
    // That is refused, which is nothing that the refresh token were to blame for.
    let _ = slot.fail(&claim, refusal(), true, now);
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE + 1000)), "log in");
    drop(claim);

    // Another token for the same refresh token ends it.
    let next = slots.find(token("b", "r", LIFE), at(LIFE));
    assert!(Arc::ptr_eq(&next, &slot));
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "use");
    assert_eq!(next_action(&slot, &Need::Renewed, at(LIFE)), "renew");
}

#[test]
fn a_refused_grant_is_asked_again_after_a_wait() {
    let slots = slots();
    let slot = slots.first(None, None, at(0));
    let lead = |now| slot.next(&Need::Usable, &with_grant(), now);
    let action = lead(at(0));
    let Action::Renew(claim, None) = action else {
        panic!("{}", name(&action));
    };
    let _ = slot.fail(&claim, refusal(), true, at(0));
    assert_eq!(name(&lead(at(0))), "log in");
    assert_eq!(name(&lead(at(2))), "renew");
    // It says nothing of a refresh token, which others on the slot may have nothing else than.
    let slot = slots.find(token("a", "r", 0), at(0));
    let action = slot.next(&Need::Renewed, &with_grant(), at(0));
    let Action::Renew(claim, None) = action else {
        panic!("{}", name(&action));
    };
    let _ = slot.fail(&claim, refusal(), true, at(0));
    assert_eq!(next_action(&slot, &Need::Renewed, at(0)), "renew");
}

#[test]
fn a_success_a_login_and_another_token_end_the_wait() {
    let changes: [fn(&Slots, &TestSlot) -> TestSlot; 3] = [
        |slots, slot| {
            renew(slots, slot, token("b", "s", LIFE), at(LIFE));
            slot.clone()
        },
        |slots, slot| slots.replace(slot, Some(token("b", "s", LIFE)), false, at(LIFE)),
        |slots, slot| slots.replace(slot, Some(token("b", "r", LIFE)), false, at(LIFE)),
    ];
    for change in changes {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        for failure in [None, None, None] {
            let claim = lead(&slot, &Need::Renewed, at(LIFE));
            let _ = slot.fail(&claim, transient(failure), true, at(LIFE));
        }
        let slot = change(&slots, &slot);
        assert_eq!(held(&slot).as_deref(), Some("b"));
        assert_eq!(next_action(&slot, &refused(&slot), at(LIFE)), "renew");
        // The next wait begins anew.
        let claim = lead(&slot, &Need::Renewed, at(LIFE));
        let _ = slot.fail(&claim, transient(None), true, at(LIFE));
        assert_eq!(next_action(&slot, &refused(&slot), at(LIFE)), "fail");
        assert_eq!(next_action(&slot, &refused(&slot), at(LIFE + 2)), "renew");
    }
}

#[test]
fn a_token_that_was_of_use_does_not_end_the_wait_after_a_failure() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(0));
    let _ = slot.fail(&claim, transient(Some("60")), true, at(0));
    slot.note_refusal(false, &slot.published().expect("a token"), at(0));
    assert_eq!(next_action(&slot, &refused(&slot), at(59)), "fail");
}

#[test]
fn what_was_refused_is_only_renewed_while_it_is_in_use() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let old = refused(&slot);
    renew(&slots, &slot, token("b", "s", 1), at(1));
    assert_eq!(next_action(&slot, &old, at(1)), "use");
    let Need::Other(published) = &old else { return };
    slot.note_refusal(true, published, at(1));
    assert_eq!(next_action(&slot, &refused(&slot), at(1)), "renew");
    assert!(slot.is_renewable(true));
}

#[test]
fn nothing_renews_a_token_that_is_not_renewable() {
    let slots = slots();
    let unable = || Caller {
        grant: None,
        can_ask: false,
    };
    let slot = slots.find(token("a", "r", 0), at(0));
    assert!(!slot.is_renewable(false));
    let (_, is_renewable) = slot.fresh_or_renewable(UNIX_EPOCH, false).expect("a token");
    assert!(!is_renewable);
    for need in [Need::Usable, Need::Renewed, refused(&slot)] {
        let action = slot.next(&need, &unable(), at(LIFE));
        assert_eq!(name(&action), "log in", "{need:?}");
    }
    let empty = slots.first(None, None, at(0));
    for need in [Need::Usable, Need::Renewed] {
        assert_eq!(next_action(&empty, &need, at(0)), "log in", "{need:?}");
    }
    assert!(slots.pending().is_empty());
}

#[test]
fn the_result_of_a_renewal_counts_for_the_token_that_it_began_from() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(1));
    let other = claim.flight.clone();
    // The caller sets another access token for the same refresh token.
    let same = slots.replace(&slot, Some(token("b", "r", 1)), false, at(1));
    assert!(Arc::ptr_eq(&same, &slot));
    slots
        .publish(&claim, token("c", "r", 1), None, &mut None, true, at(1))
        .expect("without a problem");
    assert!(matches!(other.outcome.get(), Some(Ok(Outcome::Superseded))));
    assert_eq!(held(&slot).as_deref(), Some("b"));
    let (update, progress) = begin_delivery(&slot).expect("an update");
    assert!(update.superseded);
    progress.done();
    // So does its failure.
    let claim = lead(&slot, &Need::Renewed, at(2));
    slots.replace(&slot, Some(token("d", "r", 2)), false, at(2));
    let failed = slot.fail(&claim, refusal(), true, at(2));
    assert!(matches!(failed, Ok(Outcome::Superseded)));
    assert_eq!(next_action(&slot, &Need::Renewed, at(2)), "renew");
}
