//! One refresh token, one slot.

use super::*;
use crate::lifecycle::{
    outbox::SUPERSEDED,
    single_flight::Need,
    testing::{
        LIFE, access_token, at, begin_delivery, deliver_all, held, is_pending, lead, load,
        next_action, renew, save, slots, store, stored, token, token_until,
    },
};

mod midway;

#[test]
fn a_client_and_its_children_share_the_slot_of_a_refresh_token() {
    for (row, expected) in [
        // The same access token is never newer: what is in use knows its times better.
        (token("a", "r", 100), "a"),
        (token("a", "r", 200), "a"),
        (token("older", "r", 99), "a"),
        (token("as old", "r", 100), "a"),
        (token("newer", "r", 101), "newer"),
        (
            token_until("lives longer", Some("r"), 100, 100 + LIFE + 1),
            "lives longer",
        ),
    ] {
        let slots = slots();
        let parent = slots.first(Some(token("a", "r", 100)), None, at(100));
        let before = parent.published().expect("a token");
        let child = slots.find(row, at(200));
        assert!(Arc::ptr_eq(&parent, &child));
        assert_eq!(held(&parent).as_deref(), Some(expected));
        assert_eq!(parent.holds(&before), expected == "a");
    }
}

#[test]
fn a_newer_row_of_a_child_is_stored() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    slots.find(token("older", "r", 0), at(1));
    assert!(!is_pending(&slots, &slot));
    slots.find(token("newer", "r", 1), at(1));
    assert!(is_pending(&slots, &slot));
    let expected = StoredToken::new(Some(token("newer", "r", 1)), 4);
    assert_eq!(save(&slot), Some(expected));
}

#[test]
fn without_a_refresh_token_each_handle_has_a_slot() {
    let slots = slots();
    let row = || token_until("a", None, 0, LIFE);
    assert!(!Arc::ptr_eq(
        &slots.find(row(), at(0)),
        &slots.find(row(), at(0))
    ));
}

#[test]
fn a_row_does_not_disturb_a_renewal() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(10));
    slots.find(token("newer", "r", 5), at(10));
    assert_eq!(held(&slot).as_deref(), Some("a"));
    let outcome = slots
        .publish(&claim, token("b", "s", 10), None, &mut None, true, at(10))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
}

#[test]
fn replacing_a_token_points_one_handle_elsewhere() {
    for (has_store, owner) in [(false, 0), (true, 1)] {
        let slots = slots();
        let slot = stored(&slots, token("a", "r", 0), at(0));
        let child = slots.find(token("a", "r", 0), at(0));
        let next = slots.replace(&slot, Some(token("b", "s", 1)), has_store, at(1));
        assert_eq!(held(&child).as_deref(), Some("a"));
        assert_eq!(held(&next).as_deref(), Some("b"));
        // The store moves with the handle that has it.
        let stores = [&child, &next].map(|slot| slot.is_stored());
        assert_eq!(stores, [owner == 0, owner == 1]);
        assert_eq!(is_pending(&slots, &next), has_store);
        assert!(!is_pending(&slots, &child));
        let expected = has_store.then(|| StoredToken::new(Some(token("b", "s", 1)), 4));
        assert_eq!(save(&next), expected);
        assert!(slots.pending().is_empty());
    }
}

#[test]
fn forgetting_a_token_points_one_handle_elsewhere() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let child = slots.find(token("a", "r", 0), at(0));
    let next = slots.replace(&slot, None, true, at(1));
    assert_eq!((held(&child).as_deref(), held(&next)), (Some("a"), None));
    assert_eq!(save(&next), Some(StoredToken::new(None, 4)));
    // Another row for the same refresh token is the child's matter.
    slots.find(token("newer", "r", 1), at(1));
    assert_eq!(
        (held(&child).as_deref(), held(&next)),
        (Some("newer"), None)
    );
}

#[test]
fn a_token_that_is_set_joins_those_who_have_it() {
    for (row, expected) in [
        (token("a", "s", 100), "child's"),
        (token("newer", "s", 102), "newer"),
        (token("as old", "s", 101), "as old"),
    ] {
        let slots = slots();
        let child = slots.find(token("child's", "s", 101), at(101));
        let slot = stored(&slots, token("own", "r", 0), at(0));
        let next = slots.replace(&slot, Some(row), true, at(200));
        assert!(Arc::ptr_eq(&child, &next) && child.is_stored());
        assert_eq!(held(&child).as_deref(), Some(expected));
        let saved = save(&child).and_then(|saved| saved.token);
        assert_eq!(saved.as_ref().map(access_token).as_deref(), Some(expected));
    }
}

#[test]
fn an_older_token_that_is_set_counts_where_nobody_else_has_another() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 100), at(100));
    let next = slots.replace(&slot, Some(token("older", "r", 50)), false, at(100));
    assert!(Arc::ptr_eq(&slot, &next));
    assert_eq!(held(&slot).as_deref(), Some("older"));
    // One whose refresh token is spent does not.
    renew(&slots, &slot, token("b", "s", 101), at(101));
    let next = slots.replace(&slot, Some(token("older", "r", 500)), false, at(102));
    assert!(Arc::ptr_eq(&slot, &next));
    assert_eq!(held(&slot).as_deref(), Some("b"));
    assert!(!deliver_all(&slots, &slot, at(20))[0].2);
}

#[test]
fn updates_of_a_login_that_was_replaced_are_told_as_superseded() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 1), at(1));
    let (update, progress) = begin_delivery(&slot).expect("an update");
    let claim = lead(&slot, &Need::Renewed, at(2));
    slots.replace(&slot, Some(token("x", "y", 2)), false, at(2));
    assert!(!update.superseded && is_pending(&slots, &slot));
    // The hook fails, and the renewal in flight goes on to its end.
    drop(progress);
    let outcome = slots
        .publish(&claim, token("c", "t", 2), None, &mut None, true, at(2))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Superseded));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("b", "a", true), ("c", "b", true)].map(|(a, b, c)| (a.into(), b.into(), c))
    );
    drop(claim);
    assert!(slots.pending().is_empty());
    // As long as others have it, it is not replaced.
    let slot = slots.find(token("a", "r2", 0), at(0));
    slots.find(token("a", "r2", 0), at(0));
    renew(&slots, &slot, token("b", "s2", 1), at(1));
    slots.replace(&slot, Some(token("x", "y", 2)), false, at(2));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("b".into(), "a".into(), false)]
    );
}

#[test]
fn a_handle_that_is_closed_supersedes_nothing() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(1));
    slots.forget_handle(slot.clone());
    let outcome = slots
        .publish(&claim, token("b", "s", 1), None, &mut None, true, at(1))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("b".into(), "a".into(), false)]
    );
}

#[test]
fn a_stale_row_of_the_store_gets_the_new_token() {
    for in_use in [true, false] {
        let slots = slots();
        let child = slots.find(token("a", "r", 0), at(0));
        renew(&slots, &child, token("b", "s", 10), at(10));
        deliver_all(&slots, &child, at(20));
        let child = in_use.then_some(child);
        let slot = stored(&slots, token("a", "r", 0), at(11));
        let slot = match &child {
            Some(child) => {
                assert!(slot.forwarded().is_some_and(|to| Arc::ptr_eq(&to, child)));
                child.clone()
            }
            None => slot,
        };
        assert_eq!(held(&slot).as_deref(), Some("b"), "{in_use}");
        assert!(is_pending(&slots, &slot));
        assert_eq!(
            save(&slot),
            Some(StoredToken::new(Some(token("b", "s", 10)), 4))
        );
    }
}

#[test]
fn a_store_that_goes_back_to_a_spent_refresh_token_gets_the_new_one() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    deliver_all(&slots, &slot, at(20));
    assert!(save(&slot).is_some());
    // A renewal in flight goes on.
    let claim = lead(&slot, &Need::Renewed, at(11));
    let learned = load(&slots, &slot, Some(token("a", "r", 0)), 5, at(11));
    assert!(learned == Learned::Known && claim.is_leading());
    drop(claim);
    assert!(is_pending(&slots, &slot));
    assert_eq!(held(&slot).as_deref(), Some("b"));
    assert_eq!(
        save(&slot),
        Some(StoredToken::new(Some(token("b", "s", 10)), 6))
    );
    // Later on, nothing is known of it.
    load(&slots, &slot, Some(token("a", "r", 0)), 7, at(80));
    assert_eq!(held(&slot).as_deref(), Some("a"));
}

#[test]
fn what_another_process_renewed_is_adopted_and_its_refresh_token_spent() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    assert_eq!(
        load(&slots, &slot, Some(token("b", "s", 10)), 4, at(10)),
        Learned::Adopted
    );
    let child = slots.find(token("a", "r", 0), at(11));
    assert!(Arc::ptr_eq(&slot, &child));
    assert_eq!(held(&child).as_deref(), Some("b"));
    assert_eq!(next_action(&slot, &Need::Usable, at(11)), "use");
}

#[test]
fn a_revocation_by_another_process_is_not_undone_by_a_row() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    assert_eq!(load(&slots, &slot, None, 4, at(10)), Learned::Adopted);
    assert_eq!(held(&slot), None);
    let child = slots.find(token("a", "r", 0), at(11));
    assert!(!Arc::ptr_eq(&slot, &child));
    assert_eq!((held(&slot), held(&child).as_deref()), (None, Some("a")));
}

#[test]
fn of_superseded_logins_64_are_kept() {
    let slots = slots();
    let login = |n: usize| token("a", &format!("r{n}"), 0);
    let mut slot = slots.find(login(0), at(0));
    let first = slot.clone();
    for n in 1..=SUPERSEDED + 1 {
        renew(&slots, &slot, token("b", &format!("s{n}"), 0), at(0));
        slot = slots.replace(&slot, Some(login(n)), false, at(0));
        let kept = n.min(SUPERSEDED);
        assert_eq!(slots.pending().len(), kept);
    }
    assert_eq!((slots.take_dropped(), slots.take_dropped()), (1, 0));
    // The oldest was dropped.
    assert!(!is_pending(&slots, &first) && first.has_undelivered());
    for slot in slots.pending() {
        assert!(deliver_all(&slots, &slot, at(20))[0].2);
    }
    assert!(slots.pending().is_empty());
}

#[test]
fn a_login_that_comes_back_is_not_dropped_as_superseded() {
    let slots = slots();
    let first = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &first, token("b", "s", 0), at(0));
    let other = slots.replace(&first, Some(token("x", "y", 0)), false, at(0));
    let again = slots.replace(&other, Some(token("b", "s", 0)), false, at(0));
    assert!(Arc::ptr_eq(&first, &again));
    let mut slot = slots.find(token("a", "0", 0), at(0));
    for n in 0..2 * SUPERSEDED {
        renew(&slots, &slot, token("b", &format!("s{n}"), 0), at(0));
        slot = slots.replace(&slot, Some(token("a", &format!("r{n}"), 0)), false, at(0));
    }
    assert!(is_pending(&slots, &first));
    assert_eq!(slots.take_dropped(), SUPERSEDED);
}

#[test]
fn logins_that_alternate_keep_as_much_as_there_are_of_them() {
    let slots = slots();
    let [a, b] = [("a", "r"), ("b", "s")].map(|(access, refresh)| token(access, refresh, 0));
    let mut slot = slots.find(a.clone(), at(0));
    for n in 0..500 {
        for (other, refresh) in [(&b, "r"), (&a, "s")] {
            renew(
                &slots,
                &slot,
                token(&format!("{refresh}{n}"), refresh, n),
                at(n),
            );
            slot = slots.replace(&slot, Some(other.clone()), false, at(n));
        }
    }
    let kept: usize = slots
        .pending()
        .iter()
        .map(|slot| deliver_all(&slots, slot, at(20)).len())
        .sum();
    // And the last of each.
    assert!(kept <= 2 * (SUPERSEDED + 1), "{kept}");
    assert!(slots.take_dropped() >= 1000 - 2 * (SUPERSEDED + 1));
}

#[test]
fn what_is_not_in_use_any_more_is_swept() {
    let slots = slots();
    for n in 0..1000 {
        slots.find(token("a", &format!("r{n}"), 0), at(0));
    }
    assert!(slots.lock().len() < 10, "{}", slots.lock().len());
    let slot = slots.find(token("a", "r", 0), at(0));
    for n in 0..1000 {
        renew(&slots, &slot, token("b", &format!("s{n}"), n), at(n));
    }
    assert!(slots.lock().len() < 200, "{}", slots.lock().len());
    assert!(Arc::ptr_eq(
        &slot,
        &slots.find(token("b", "s990", 0), at(1000))
    ));
}

/// Nothing is inserted meanwhile, so nothing is swept.
#[test]
fn the_memory_of_a_slot_goes_with_its_last_handle() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let memory = Arc::downgrade(&slot);
    let other = slots.find(token("a", "r", 0), at(0));
    slots.forget_handle(other);
    // Whoever comes by the table while the slot is held finds it.
    assert!(Arc::ptr_eq(&slot, &slots.find(token("a", "r", 0), at(0))));
    slots.forget_handle(slot);
    assert_eq!((memory.strong_count(), slots.lock().len()), (0, 0));

    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    deliver_all(&slots, &slot, at(20));
    let held_by_another = slot.clone();
    slots.forget_handle(slot);
    let found = slots.find(token("b", "s", 10), at(10));
    assert!(Arc::ptr_eq(&found, &held_by_another));
    drop(held_by_another);
    slots.forget_handle(found);
    // The spent refresh token still leads to the token, without the slot. The new one is forgotten, as
    // a row has the lifetime of a long token, but for a fraction of a second.
    assert_eq!(slots.lock().len(), 1);
    let child = slots.find(token("a", "r", 0), at(11));
    assert_eq!(held(&child).as_deref(), Some("b"));
}

#[test]
fn while_another_process_renews_early_nobody_else_does() {
    let slots = slots();
    let slot = slots.first(None, Some(store(0)), at(0));
    let stored = StoredToken::new(Some(token("a", "r", 0)), 7);
    slots.learn(&slot, &slot.snapshot(), Some(stored), at(0));
    let now = at(LIFE - 30);
    let claim = lead(&slot, &Need::Usable, now);
    slot.defer(now);
    claim.finish(Ok(Outcome::Unchanged));
    assert_eq!(next_action(&slot, &Need::Usable, now), "use");
    assert_eq!(
        next_action(&slot, &Need::Usable, at(LIFE - 28)),
        "renew early"
    );
    slot.defer(at(LIFE - 1));
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "renew");
}
