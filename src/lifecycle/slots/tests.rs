//! One refresh token, one slot.

use std::time::Duration;

use super::*;
use crate::lifecycle::{
    action::Action,
    outbox::{Due, SUPERSEDED},
    single_flight::Need,
    testing::{
        LIFE, TestSlot, TestSlots, access_token, asked, at, begin_telling, caller, held, lead,
        renew, slots, token, token_until, told,
    },
};
use crate::token_store::Lease;

/// A slot with a token that its store holds in version 3.
fn stored(slots: &TestSlots, token: Token, now: Now) -> TestSlot {
    let slot = slots.first(None, true, now);
    let learned = load(slots, &slot, Some(token), 3, now);
    assert_eq!(learned, Learned::Adopted);
    slot
}

fn load(
    slots: &TestSlots,
    slot: &TestSlot,
    token: Option<Token>,
    version: u64,
    now: Now,
) -> Learned {
    let stored = StoredToken::new(token, version);
    slots.learn(slot, &slot.asked(), Some(stored), now)
}

/// Begins to store what is not stored yet, and lets the store take it.
fn save(slot: &TestSlot) -> Option<StoredToken> {
    let Due::Mine(unsaved, progress) = slot.take_unsaved() else {
        return None;
    };
    let next = unsaved.next.clone()?;
    slot.saved(&unsaved, &next);
    progress.done();
    Some(next)
}

fn owes(slots: &TestSlots, slot: &TestSlot) -> bool {
    slots.owing().iter().any(|owing| Arc::ptr_eq(owing, slot))
}

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
        let parent = slots.first(Some(token("a", "r", 100)), false, at(100));
        let before = parent.published().expect("a token");
        let child = slots.find(row, at(200));
        assert!(Arc::ptr_eq(&parent, &child));
        assert_eq!(held(&parent).as_deref(), Some(expected));
        assert_eq!(parent.holds(&before), expected == "a");
    }
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
        .publish(&claim, token("b", "s", 10), None, None, true, at(10))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
}

#[test]
fn a_spent_refresh_token_leads_to_the_new_token_for_a_minute() {
    for in_use in [true, false] {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        renew(&slots, &slot, token("b", "s", 10), at(10));
        renew(&slots, &slot, token("c", "t", 20), at(20));
        told(&slot);
        let kept = in_use.then(|| slot.clone());
        drop(slot);
        for (refresh, now, expected) in [
            ("r", 11, "c"),
            ("r", 69, "c"),
            ("r", 70, "stale"),
            ("s", 70, "c"),
            ("s", 79, "c"),
            ("s", 80, "stale"),
            ("t", 1000, if in_use { "c" } else { "stale" }),
        ] {
            // However new the row claims to be.
            let issued = if refresh == "t" { 0 } else { 500 };
            let child = slots.find(token("stale", refresh, issued), at(now));
            let what = format!("{in_use} {refresh} {now}");
            assert_eq!(held(&child).as_deref(), Some(expected), "{what}");
            if let (Some(slot), "c") = (&kept, expected) {
                assert!(Arc::ptr_eq(slot, &child), "{what}");
            }
        }
    }
}

#[test]
fn the_minute_is_monotonic() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    let back = Now {
        unix: Duration::from_secs(5),
        ..at(69)
    };
    assert!(Arc::ptr_eq(&slots.find(token("a", "r", 0), back), &slot));
    let back = Now {
        unix: Duration::from_secs(5),
        ..at(70)
    };
    assert!(!Arc::ptr_eq(&slots.find(token("a", "r", 0), back), &slot));
}

#[test]
fn those_who_come_by_a_spent_refresh_token_share_one_slot() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    told(&slot);
    drop(slot);
    let [one, other] = [(); 2].map(|()| slots.find(token("a", "r", 0), at(11)));
    let third = slots.find(token("b", "s", 10), at(11));
    assert!(Arc::ptr_eq(&one, &other) && Arc::ptr_eq(&one, &third));
}

#[test]
fn a_refresh_token_that_comes_back_is_in_use_again() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    renew(&slots, &slot, token("c", "r", 20), at(20));
    renew(&slots, &slot, token("d", "r", 30), at(30));
    for refresh in ["r", "s"] {
        let child = slots.find(token("stale", refresh, 0), at(31));
        assert!(Arc::ptr_eq(&slot, &child), "{refresh}");
    }
    assert_eq!(held(&slot).as_deref(), Some("d"));
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

#[test]
fn replacing_a_token_points_one_handle_elsewhere() {
    for (has_store, owner) in [(false, 0), (true, 1)] {
        let slots = slots();
        let slot = stored(&slots, token("a", "r", 0), at(0));
        let child = slots.find(token("a", "r", 0), at(0));
        let next = slots.replace(&slot, Some(token("b", "s", 1)), has_store, at(1));
        assert_eq!(held(&child).as_deref(), Some("a"));
        assert_eq!(held(&next).as_deref(), Some("b"));
        // The store goes along with the handle that has it.
        let stores = [&child, &next].map(|slot| slot.is_stored());
        assert_eq!(stores, [owner == 0, owner == 1]);
        assert_eq!(owes(&slots, &next), has_store);
        assert!(!owes(&slots, &child));
        let expected = has_store.then(|| StoredToken::new(Some(token("b", "s", 1)), 4));
        assert_eq!(save(&next), expected);
        assert!(slots.owing().is_empty());
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
    assert!(!told(&slot)[0].2);
}

#[test]
fn updates_of_a_login_that_was_replaced_are_told_as_superseded() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 1), at(1));
    let (being_told, progress) = begin_telling(&slot).expect("an update");
    let claim = lead(&slot, &Need::Renewed, at(2));
    slots.replace(&slot, Some(token("x", "y", 2)), false, at(2));
    assert!(!being_told.superseded && owes(&slots, &slot));
    // The hook fails, and the renewal in flight goes on to its end.
    drop(progress);
    let outcome = slots
        .publish(&claim, token("c", "t", 2), None, None, true, at(2))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Superseded));
    assert_eq!(
        told(&slot),
        [("b", "a", true), ("c", "b", true)].map(|(a, b, c)| (a.into(), b.into(), c))
    );
    drop(claim);
    assert!(slots.owing().is_empty());
    // As long as others have it, it is not replaced.
    let slot = slots.find(token("a", "r2", 0), at(0));
    slots.find(token("a", "r2", 0), at(0));
    renew(&slots, &slot, token("b", "s2", 1), at(1));
    slots.replace(&slot, Some(token("x", "y", 2)), false, at(2));
    assert_eq!(told(&slot), [("b".into(), "a".into(), false)]);
}

#[test]
fn a_handle_that_is_closed_supersedes_nothing() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(1));
    slots.forget_handle(&slot);
    let outcome = slots
        .publish(&claim, token("b", "s", 1), None, None, true, at(1))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
    assert_eq!(told(&slot), [("b".into(), "a".into(), false)]);
}

/// A client with a store comes to the refresh token of a child.
fn come_together(slots: &TestSlots, by_renewal: bool) -> [TestSlot; 2] {
    let child = slots.find(token("b", "s", 10), at(10));
    let slot = match by_renewal {
        true => {
            let slot = stored(slots, token("a", "r", 0), at(0));
            let claim = lead(&slot, &Need::Renewed, at(10));
            let lease = HeldLease::new(Lease::new(()), Duration::from_secs(100));
            slots
                .publish(&claim, token("b", "s", 10), None, Some(lease), true, at(10))
                .expect("without a problem");
            slot
        }
        false => stored(slots, token("b", "s", 10), at(10)),
    };
    [child, slot]
}

#[test]
fn where_a_refresh_token_has_a_slot_already_the_two_become_one() {
    for by_renewal in [true, false] {
        let slots = slots();
        let [child, slot] = come_together(&slots, by_renewal);
        assert!(child.is_stored() && !slot.is_stored());
        for action in [
            slot.next(&Need::Usable, &caller(), at(10)),
            slot.reload(at(10)),
        ] {
            let Action::Follow(to) = action else {
                panic!("it leads elsewhere");
            };
            assert!(Arc::ptr_eq(&to, &child));
        }
        assert!(slot.fresh(at(10).unix).is_none());
        // What is owed for the store and to the hook is still owed.
        assert_eq!(owes(&slots, &child), by_renewal);
        assert_eq!(owes(&slots, &slot), by_renewal);
        assert_eq!(child.lease_left(at(60)).is_some(), by_renewal);
        assert_eq!(told(&slot).len(), usize::from(by_renewal));
        let saved = save(&child);
        assert_eq!(saved.is_some(), by_renewal);
        assert!(slots.owing().is_empty(), "{by_renewal}");
        // Both handles are counted: one that leaves supersedes nothing.
        renew(&slots, &child, token("c", "t", 11), at(11));
        slots.replace(&child, Some(token("x", "y", 11)), false, at(11));
        assert!(!told(&child)[0].2);
        for refresh in ["s", "t"] {
            assert!(Arc::ptr_eq(
                &child,
                &slots.find(token("b", refresh, 10), at(12))
            ));
        }
    }
}

#[test]
fn those_that_become_one_keep_the_newer_token_and_store_it() {
    let slots = slots();
    let child = slots.find(token("newer", "s", 20), at(20));
    let slot = stored(&slots, token("older", "s", 10), at(20));
    assert!(slot.forwarded().is_some());
    assert_eq!(held(&child).as_deref(), Some("newer"));
    assert!(owes(&slots, &child));
    let saved = save(&child).expect("something to store");
    assert_eq!(saved, StoredToken::new(Some(token("newer", "s", 20)), 4));
    assert_eq!(load(&slots, &child, saved.token, 4, at(20)), Learned::Known);

    let child = slots.find(token("older", "t", 20), at(20));
    let slot = stored(&slots, token("newer", "t", 30), at(30));
    assert!(slot.forwarded().is_some());
    assert_eq!(held(&child).as_deref(), Some("newer"));
    assert!(slots.owing().is_empty());
}

#[test]
fn those_that_become_one_do_not_disturb_a_renewal() {
    let slots = slots();
    let child = slots.find(token("b", "s", 10), at(10));
    let claim = lead(&child, &Need::Renewed, at(11));
    // The same refresh token, in a row of its own.
    let slot = stored(&slots, token("c", "s", 10), at(11));
    assert!(slot.forwarded().is_some());
    let outcome = slots
        .publish(&claim, token("d", "t", 11), None, None, false, at(11))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
    assert_eq!(held(&child).as_deref(), Some("d"));
    assert!(save(&child).is_some());
}

#[test]
fn a_store_that_is_being_written_goes_along_and_is_written_again() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 1), at(1));
    told(&slot);
    // The store is slow, so another renewal comes first, and leads to the child's refresh token.
    let Due::Mine(late, progress) = slot.take_unsaved() else {
        panic!("there is something to store");
    };
    let child = slots.find(token("c", "t", 2), at(2));
    let claim = lead(&slot, &Need::Renewed, at(2));
    slots
        .publish(&claim, token("c", "t", 2), None, None, false, at(2))
        .expect("without a problem");
    drop(claim);
    assert!(child.is_stored());
    let next = late.next.clone().expect("a version");
    assert!(slot.saved(&late, &next).is_none());
    progress.done();
    assert!(owes(&slots, &child));
    // It is refused, as it was written meanwhile.
    assert!(matches!(child.take_unsaved(), Due::Mine(..)));
    load(&slots, &child, next.token, next.version, at(2));
    assert!(!owes(&slots, &slot));
}

#[test]
fn the_store_goes_along_with_a_handle_that_has_not_followed_yet() {
    for by_renewal in [true, false] {
        for token in [Some(token("x", "y", 11)), None] {
            let slots = slots();
            let [child, slot] = come_together(&slots, by_renewal);
            let next = slots.replace(&slot, token.clone(), true, at(11));
            assert!(next.is_stored() && !child.is_stored(), "{by_renewal}");
            assert_eq!(save(&next), Some(StoredToken::new(token, 4)));
            assert_eq!(held(&child).as_deref(), Some("b"));
            told(&slot);
            assert!(slots.owing().is_empty(), "{by_renewal}");
            // The child still has its slot for itself.
            renew(
                &slots,
                &child,
                crate::lifecycle::testing::token("c", "t", 12),
                at(12),
            );
            assert!(!told(&child)[0].2);
        }
    }
}

#[test]
fn who_follows_takes_the_token_in_use() {
    let slots = slots();
    let [child, slot] = come_together(&slots, false);
    // The child is given another token before the client has followed.
    let next = slots.replace(&child, Some(token("x", "y", 11)), false, at(11));
    assert_eq!(held(&next).as_deref(), Some("x"));
    // The client is not where it was, though it has not looked.
    drop(slot);
    let outcome = renew(&slots, &child, token("c", "t", 11), at(11));
    assert!(matches!(outcome, Outcome::Token(_)));
    assert!(!told(&child)[0].2);
}

#[test]
fn a_stale_row_of_the_store_gets_the_new_token() {
    for in_use in [true, false] {
        let slots = slots();
        let child = slots.find(token("a", "r", 0), at(0));
        renew(&slots, &child, token("b", "s", 10), at(10));
        told(&child);
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
        assert!(owes(&slots, &slot));
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
    told(&slot);
    assert!(save(&slot).is_some());
    // A renewal in flight goes on.
    let claim = lead(&slot, &Need::Renewed, at(11));
    let learned = load(&slots, &slot, Some(token("a", "r", 0)), 5, at(11));
    assert!(learned == Learned::Known && claim.is_leading());
    drop(claim);
    assert!(owes(&slots, &slot));
    assert_eq!(held(&slot).as_deref(), Some("b"));
    assert_eq!(
        save(&slot),
        Some(StoredToken::new(Some(token("b", "s", 10)), 6))
    );
    // Later on, nothing is known of it.
    load(&slots, &slot, Some(token("a", "r", 0)), 7, at(70));
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
    assert_eq!(asked(&slot, &Need::Usable, at(11)), "use");
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
        assert_eq!(slots.owing().len(), kept);
    }
    assert_eq!((slots.take_dropped(), slots.take_dropped()), (1, 0));
    // The oldest was dropped.
    assert!(!owes(&slots, &first) && first.owes());
    for slot in slots.owing() {
        assert!(told(&slot)[0].2);
    }
    assert!(slots.owing().is_empty());
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
    assert!(owes(&slots, &first));
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
    let kept: usize = slots.owing().iter().map(|slot| told(slot).len()).sum();
    // And the last of each.
    assert!(kept <= 2 * (SUPERSEDED + 1), "{kept}");
    assert!(slots.take_dropped() >= 1000 - 2 * (SUPERSEDED + 1));
}
