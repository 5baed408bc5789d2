//! Lookup by refresh token, and merged slots.

mod rows;

use std::time::{Duration, UNIX_EPOCH};

use super::{received::SHORT, *};
use crate::lifecycle::{
    action::Action,
    decision::Lifetime,
    outbox::Due,
    reconcile::HeldLease,
    single_flight::{Need, Outcome},
    slots::{Learned, Slots},
    testing::{
        LIFE, TestSlot, at, begin_delivery, caller, deliver_all, held, is_pending, lead, load,
        next_action, refusal, renew, save, slots, stored, token, token_until, transient,
    },
};
use crate::{
    error::Error,
    token_store::{Lease, StoredToken},
};

#[test]
fn a_spent_refresh_token_leads_to_the_new_token_for_a_minute() {
    for in_use in [true, false] {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        renew(&slots, &slot, token("b", "s", 10), at(10));
        renew(&slots, &slot, token("c", "t", 20), at(20));
        deliver_all(&slots, &slot, at(20));
        let kept = in_use.then(|| slot.clone());
        drop(slot);
        for (refresh, now, expected) in [
            ("r", 11, "c"),
            ("r", 79, "c"),
            ("s", 79, "c"),
            ("r", 80, "stale"),
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
    deliver_all(&slots, &slot, at(10));
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
    deliver_all(&slots, &slot, at(20));
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

/// A client with a store comes to the refresh token of a child.
fn come_together(slots: &Slots, by_renewal: bool) -> [TestSlot; 2] {
    let child = slots.find(token("b", "s", 10), at(10));
    let slot = match by_renewal {
        true => {
            let slot = stored(slots, token("a", "r", 0), at(0));
            let claim = lead(&slot, &Need::Renewed, at(10));
            let lease = HeldLease::new(Lease::new(()), Duration::from_secs(100));
            let mut lease = Some(lease);
            slots
                .publish(&claim, token("b", "s", 10), None, &mut lease, true, at(10))
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
        assert!(slot.fresh(UNIX_EPOCH + at(10).unix).is_none());
        // What is owed for the store and to the hook is still owed.
        assert_eq!(is_pending(&slots, &child), by_renewal);
        assert_eq!(is_pending(&slots, &slot), by_renewal);
        assert_eq!(child.lease_left(at(60)).is_some(), by_renewal);
        assert_eq!(
            deliver_all(&slots, &slot, at(20)).len(),
            usize::from(by_renewal)
        );
        let saved = save(&child);
        assert_eq!(saved.is_some(), by_renewal);
        assert!(slots.pending().is_empty(), "{by_renewal}");
        // Both handles are counted: one that leaves supersedes nothing.
        renew(&slots, &child, token("c", "t", 11), at(11));
        slots.replace(&child, Some(token("x", "y", 11)), false, at(11));
        assert!(!deliver_all(&slots, &child, at(20))[0].2);
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
    assert!(is_pending(&slots, &child));
    let saved = save(&child).expect("something to store");
    assert_eq!(saved, StoredToken::new(Some(token("newer", "s", 20)), 4));
    assert_eq!(load(&slots, &child, saved.token, 4, at(20)), Learned::Known);

    let child = slots.find(token("older", "t", 20), at(20));
    let slot = stored(&slots, token("newer", "t", 30), at(30));
    assert!(slot.forwarded().is_some());
    assert_eq!(held(&child).as_deref(), Some("newer"));
    assert!(slots.pending().is_empty());
}

#[test]
fn what_a_child_brings_to_the_refresh_token_of_the_client_is_stored() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let child = slots.find(token("b", "s", 0), at(0));
    let claim = lead(&child, &Need::Renewed, at(1));
    slots
        .publish(&claim, token("c", "r", 1), None, &mut None, false, at(1))
        .expect("without a problem");
    assert_eq!(held(&slot).as_deref(), Some("c"));
    let expected = StoredToken::new(Some(token("c", "r", 1)), 4);
    assert_eq!(save(&slot), Some(expected));
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
        .publish(&claim, token("d", "t", 11), None, &mut None, false, at(11))
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
    deliver_all(&slots, &slot, at(20));
    // The store is slow, so another renewal comes first, and leads to the child's refresh token.
    let Due::Mine(late, progress) = slot.take_unsaved() else {
        panic!("there is something to store");
    };
    let child = slots.find(token("c", "t", 2), at(2));
    let claim = lead(&slot, &Need::Renewed, at(2));
    slots
        .publish(&claim, token("c", "t", 2), None, &mut None, false, at(2))
        .expect("without a problem");
    drop(claim);
    assert!(child.is_stored());
    let next = late.next.clone().expect("a version");
    assert!(slot.saved(&late, &next).is_none());
    progress.done();
    assert!(is_pending(&slots, &child));
    // It is refused, as it was written meanwhile.
    assert!(matches!(child.take_unsaved(), Due::Mine(..)));
    load(&slots, &child, next.token, next.version, at(2));
    assert!(!is_pending(&slots, &slot));
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
            deliver_all(&slots, &slot, at(20));
            assert!(slots.pending().is_empty(), "{by_renewal}");
            // The child still has its slot for itself.
            renew(
                &slots,
                &child,
                crate::lifecycle::testing::token("c", "t", 12),
                at(12),
            );
            assert!(!deliver_all(&slots, &child, at(20))[0].2);
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
    assert!(!deliver_all(&slots, &child, at(20))[0].2);
}

#[test]
fn a_row_that_comes_back_has_the_lifetime_of_what_was_received() {
    let slots = slots();
    let slot = slots.find(token_until("a", Some("r"), 0, 1), at(0));
    let received = Now {
        unix: at(10).unix + Duration::from_millis(900),
        ..at(10)
    };
    let row = token_until("b", Some("s"), 10, 11);
    renew(&slots, &slot, row.clone(), received);
    deliver_all(&slots, &slot, at(20));
    drop(slot);
    let is_alive = |row: &Token, millis: u64, monotonic: u64| {
        let now = Now {
            unix: at(0).unix + Duration::from_millis(millis),
            ..at(monotonic)
        };
        let slot = slots.find(row.clone(), now);
        slot.published().expect("a token").is_alive(now.unix)
    };
    for _ in 0..3 {
        assert!(is_alive(&row, 11_899, 11));
        assert!(!is_alive(&row, 11_900, 11));
    }
    // Not that of another access token, nor for ever.
    assert!(!is_alive(&token_until("x", Some("s"), 10, 11), 11_000, 11));
    for n in 0..8 {
        slots.find(token("other", &n.to_string(), 0), at(70 + n));
    }
    assert!(!is_alive(&row, 11_000, 80));
}

/// A renewal that is in flight, or a token that is undelivered, outlives the handles.
#[test]
fn a_slot_that_is_needed_stays_in_the_table() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(10));
    slots.forget_handle(slot);
    let found = slots.find(token("a", "r", 0), at(10));
    assert!(Arc::ptr_eq(&found, &claim.slot));
    assert_eq!(next_action(&found, &Need::Renewed, at(10)), "wait");
    slots.forget_handle(found);
    slots
        .publish(&claim, token("b", "s", 10), None, &mut None, true, at(10))
        .expect("without a problem");
    drop(claim);
    let found = slots.find(token("b", "s", 10), at(11));
    assert_eq!(
        deliver_all(&slots, &found, at(20)),
        [("b".into(), "a".into(), false)]
    );
}

/// Where a used refresh token leads after all handles have gone.
#[test]
fn a_token_that_nobody_uses_is_the_same_when_it_is_needed_again() {
    for (life, access) in [(LIFE, "b"), (SHORT, "short")] {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let now = Now {
            unix: at(10).unix + Duration::from_millis(700),
            ..at(10)
        };
        let new = token_until(access, Some("s"), 10, 10 + life).with_scope("read");
        renew(&slots, &slot, new.clone(), now);
        deliver_all(&slots, &slot, at(20));
        let lifetime = slot.published().expect("a token").lifetime;
        slots.forget_handle(slot);
        let is_packed = |used: Option<&Used>| matches!(used, Some(Used::Packed(..)));
        let key = key(&token("a", "r", 0)).expect("a refresh token");
        assert_eq!(is_packed(slots.lock().used.get(&key)), life > SHORT);
        let child = slots.find(token("a", "r", 0), at(11));
        let found = child.published().expect("a token");
        assert_eq!(found.token, new);
        // A short token keeps the fraction of a second that it was received at.
        let restored = Lifetime::new(&new, Duration::from_secs(60));
        assert_eq!(
            found.lifetime,
            if life > SHORT { restored } else { lifetime }
        );
        // By either refresh token there is one slot.
        let other = slots.find(token("a", "r", 0), at(79));
        assert!(Arc::ptr_eq(&child, &other));
        assert!(Arc::ptr_eq(&child, &slots.find(new.clone(), at(79))));
        assert_eq!(
            held(&slots.find(token("a", "r", 0), at(80))).as_deref(),
            Some("a")
        );
    }
}

/// Some servers issue a refresh token again that was used a short time ago.
#[test]
fn a_refresh_token_that_is_issued_again_is_in_use() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    for (access, refresh, now) in [("b", "s", 1), ("c", "r", 2)] {
        renew(&slots, &slot, token(access, refresh, now), at(now));
        deliver_all(&slots, &slot, at(20));
    }
    for row in [token("c", "r", 2), token("b", "s", 1)] {
        let found = slots.find(row, at(3));
        assert!(Arc::ptr_eq(&slot, &found));
        slots.forget_handle(found);
    }
    slots.forget_handle(slot);
    // It leads nowhere by now, whatever it led to before.
    let found = slots.find(token("d", "r", 4), at(4));
    assert_eq!(held(&found).as_deref(), Some("d"));
}

/// There is one entry for each token in use, and one for each that was used.
#[test]
fn an_entry_is_small() {
    assert_eq!(size_of::<SlotEntry>(), 16);
    assert_eq!(size_of::<Used>(), 16);
}
