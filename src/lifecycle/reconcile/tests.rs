use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::lifecycle::{
    action::Action,
    outbox::{Due, InProgress},
    single_flight::{Need, Outcome},
    slots::{Learned, Slots},
    testing::{
        LIFE, TestSlot, at, deliver_all, held, lead, name, next, next_action, renew, slots, store,
        token,
    },
};

mod late_saves;

/// A slot with the token `a` that its store holds in version 3.
fn stored(slots: &Slots) -> TestSlot {
    let slot = slots.first(None, Some(store(0)), at(0));
    assert_eq!(learn(slots, &slot, Some("a"), 3), Learned::Adopted);
    slot
}

fn row(name: Option<&str>, version: u64) -> StoredToken {
    StoredToken::new(name.map(|name| token(name, name, 0)), version)
}

/// Reads the store, which holds a token of that name in that version.
fn learn(slots: &Slots, slot: &TestSlot, name: Option<&str>, version: u64) -> Learned {
    slots.learn(slot, &slot.snapshot(), Some(row(name, version)), at(1000))
}

fn begin_saving(slot: &TestSlot) -> Option<(Unsaved, InProgress)> {
    match slot.take_unsaved() {
        Due::Mine(unsaved, progress) => Some((unsaved, progress)),
        Due::Nothing | Due::Busy(_) => None,
    }
}

/// The value that would be saved next.
fn unsaved(slot: &TestSlot) -> Option<StoredToken> {
    begin_saving(slot)?.0.next
}

/// A lease that counts when it is given back.
fn lease(returned: &Arc<AtomicUsize>, until: u64) -> HeldLease {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    HeldLease::new(
        Lease::new(Count(returned.clone())),
        Duration::from_secs(until),
    )
}

#[test]
fn what_is_stored_is_told_by_its_version() {
    let slots = slots();
    let slot = stored(&slots);
    for (name, version, learned, held_then) in [
        (Some("a"), 3, Learned::Known, Some("a")),
        (Some("b"), 4, Learned::Adopted, Some("b")),
        // The store has lost everything and begun anew, up to the same version.
        (Some("c"), 4, Learned::Adopted, Some("c")),
        (Some("d"), 1, Learned::Adopted, Some("d")),
        (None, 2, Learned::Adopted, None),
        (None, 2, Learned::Known, None),
        (Some("e"), 3, Learned::Adopted, Some("e")),
    ] {
        assert_eq!(
            learn(&slots, &slot, name, version),
            learned,
            "{name:?} {version}"
        );
        assert_eq!(held(&slot).as_deref(), held_then);
        assert_eq!(unsaved(&slot), None);
    }
    assert!(slots.pending().is_empty());
}

#[test]
fn a_store_that_lost_its_token_takes_none_away() {
    let slots = slots();
    let slot = stored(&slots);
    assert_eq!(
        slots.learn(&slot, &slot.snapshot(), None, at(0)),
        Learned::Known
    );
    assert_eq!(held(&slot).as_deref(), Some("a"));
    renew(&slots, &slot, token("b", "b", 1), at(1));
    assert_eq!(unsaved(&slot).map(|next| next.version), Some(1));
}

#[test]
fn what_was_read_before_the_slot_changed_says_nothing() {
    let slots = slots();
    let slot = stored(&slots);
    let before = slot.snapshot();
    renew(&slots, &slot, token("b", "b", 1), at(1));
    let late = slots.learn(&slot, &before, Some(row(Some("a"), 3)), at(1));
    assert_eq!(late, Learned::Changed);
    let before = slot.snapshot();
    assert_eq!(learn(&slots, &slot, Some("x"), 4), Learned::Adopted);
    let late = slots.learn(&slot, &before, Some(row(Some("y"), 5)), at(1));
    assert_eq!(
        (late, held(&slot).as_deref()),
        (Learned::Changed, Some("x"))
    );
}

#[test]
fn a_renewal_gives_way_to_what_was_stored_meanwhile_and_a_login_does_not() {
    for (version, name, is_login, expected) in [
        (3, Some("a"), false, Some("b")),
        (4, Some("x"), false, Some("x")),
        (4, None, false, None),
        (3, Some("a"), true, Some("b")),
        (4, Some("x"), true, Some("b")),
        (4, None, true, Some("b")),
    ] {
        let slots = slots();
        let mut slot = stored(&slots);
        let new = token("b", "b", 1);
        match is_login {
            true => slot = slots.replace(&slot, Some(new), true, at(1)),
            false => drop(renew(&slots, &slot, new, at(1))),
        }
        learn(&slots, &slot, name, version);
        let what = format!("{version} {name:?} {is_login}");
        assert_eq!(held(&slot).as_deref(), expected, "{what}");
        let next = (expected == Some("b")).then_some(version + 1);
        assert_eq!(unsaved(&slot).map(|next| next.version), next, "{what}");
        let superseded = (!is_login).then_some(expected != Some("b"));
        assert_eq!(
            deliver_all(&slots, &slot, at(20))
                .first()
                .map(|told| told.2),
            superseded,
            "{what}"
        );
    }
}

#[test]
fn a_renewal_of_what_the_caller_set_counts_like_that() {
    let slots = slots();
    let slot = stored(&slots);
    let slot = slots.replace(&slot, Some(token("b", "b", 1)), true, at(1));
    renew(&slots, &slot, token("c", "c", 2), at(2));
    assert_eq!(learn(&slots, &slot, Some("x"), 4), Learned::Known);
    assert_eq!(held(&slot).as_deref(), Some("c"));
    assert_eq!(unsaved(&slot).map(|next| next.version), Some(5));
}

#[test]
fn a_revocation_gives_way_to_what_lives() {
    for (name, version, expected) in [
        (Some("a"), 3, None),
        (Some("x"), 4, Some("x")),
        (None, 4, None),
    ] {
        let slots = slots();
        let slot = stored(&slots);
        let slot = slots.replace(&slot, None, true, at(1));
        learn(&slots, &slot, name, version);
        assert_eq!(held(&slot).as_deref(), expected, "{name:?} {version}");
        let next = (version == 3).then(|| row(None, 4));
        assert_eq!(unsaved(&slot), next, "{name:?} {version}");
    }
}

#[test]
fn a_revocation_that_was_adopted_asks_for_nothing() {
    let slots = slots();
    let slot = stored(&slots);
    assert_eq!(learn(&slots, &slot, None, 4), Learned::Adopted);
    // The grant of the client, or another process, may bring a new one.
    assert_eq!(next_action(&slot, &Need::Usable, at(1)), "renew");
    assert!(slots.pending().is_empty());
}

#[test]
fn one_save_at_a_time_and_again_until_it_has_succeeded() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    deliver_all(&slots, &slot, at(20));
    let (unsaved, progress) = begin_saving(&slot).expect("something to store");
    let Due::Busy(other) = slot.take_unsaved() else {
        panic!("two at a time");
    };
    assert!(!slot.is_settled() && slot.has_undelivered());
    // It fails, or is cut off.
    drop(progress);
    assert!(other.is_set());
    let next = unsaved.next.clone().expect("a version");
    assert_eq!(next, StoredToken::new(Some(token("b", "b", 1)), 4));
    let (unsaved, progress) = begin_saving(&slot).expect("something to store");
    slot.saved(&unsaved, &next);
    assert!(!slot.is_settled() && !slot.has_undelivered());
    assert_eq!(slots.pending().len(), 1);
    progress.done();
    assert!(begin_saving(&slot).is_none());
    assert!(slots.pending().is_empty());
    assert_eq!(learn(&slots, &slot, Some("b"), 4), Learned::Known);
}

#[test]
fn what_came_while_something_was_stored_is_stored_next() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    let (unsaved, progress) = begin_saving(&slot).expect("something to store");
    renew(&slots, &slot, token("c", "c", 2), at(2));
    let next = unsaved.next.clone().expect("a version");
    assert!(slot.saved(&unsaved, &next).is_none());
    progress.done();
    let (unsaved, _) = begin_saving(&slot).expect("something to store");
    assert_eq!(
        unsaved.next,
        Some(StoredToken::new(Some(token("c", "c", 2)), 5))
    );
}

#[test]
fn a_store_that_was_not_read_is_read_before_it_is_written() {
    let slots = slots();
    let slot = slots.first(None, Some(store(0)), at(0));
    let slot = slots.replace(&slot, Some(token("b", "b", 1)), true, at(1));
    let (first, progress) = begin_saving(&slot).expect("something to store");
    assert_eq!(first.next, None);
    progress.done();
    assert_eq!(learn(&slots, &slot, Some("x"), 7), Learned::Known);
    assert_eq!(unsaved(&slot).map(|next| next.version), Some(8));
}

#[test]
fn the_lease_is_kept_until_the_token_is_stored() {
    let slots = slots();
    let slot = stored(&slots);
    let returned = Arc::new(AtomicUsize::new(0));
    let back = || returned.load(Ordering::SeqCst);
    let publish = |name, now| {
        let claim = lead(&slot, &Need::Renewed, at(now));
        let mut lease = Some(lease(&returned, 100));
        let token = token(name, name, now);
        let published = slots.publish(&claim, token, None, &mut lease, false, at(now));
        published.expect("without a problem");
        lease
    };
    assert!(publish("b", 1).is_none());
    assert_eq!(slot.lease_left(at(40)), Some(Duration::from_secs(60)));
    assert_eq!(slot.lease_left(at(101)), Some(Duration::ZERO));
    let (unsaved, progress) = begin_saving(&slot).expect("something to store");
    drop(progress);
    assert_eq!(back(), 0);
    let next = unsaved.next.clone().expect("a version");
    drop(slot.saved(&unsaved, &next));
    assert_eq!(back(), 1);
    assert_eq!(slot.lease_left(at(1)), None);
    // The next renewal uses it, or gives it back.
    assert!(publish("c", 2).is_none());
    let kept = slot.take_lease().expect("a lease");
    assert_eq!(kept.left(at(50)), Duration::from_secs(50));
    assert!(slot.take_lease().is_none() && back() == 1);
    drop(kept);
    // A result that does not count leaves it to the caller.
    let claim = lead(&slot, &Need::Renewed, at(3));
    assert_eq!(learn(&slots, &slot, Some("x"), 9), Learned::Adopted);
    let mut late = Some(lease(&returned, 100));
    slots
        .publish(&claim, token("d", "d", 3), None, &mut late, true, at(3))
        .expect("without a problem");
    assert!(late.is_some() && back() == 2);
    assert_eq!(held(&slot).as_deref(), Some("x"));
    assert!(deliver_all(&slots, &slot, at(20))[0].2);
    // One that is kept under another lease leaves the earlier one.
    assert!(publish("e", 4).is_none());
    assert!(publish("f", 5).is_some());
    // A store that moves to the slot of another token takes it along: no lock is held for its release.
    let before = back();
    let next = slots.replace(&slot, Some(token("g", "g", 6)), true, at(6));
    assert_eq!((back(), slot.lease_left(at(6))), (before, None));
    assert!(next.lease_left(at(6)).is_some() && next.take_idle_lease().is_none());
    let (unsaved, progress) = begin_saving(&next).expect("something to store");
    let stored = unsaved.next.clone().expect("a version");
    assert!(next.saved(&unsaved, &stored).is_some());
    progress.done();
}

#[test]
fn a_lease_is_idle_once_its_token_does_not_have_to_be_stored() {
    for is_late in [false, true] {
        let slots = slots();
        let slot = stored(&slots);
        let returned = Arc::default();
        let claim = lead(&slot, &Need::Renewed, at(1));
        let mut lease = Some(lease(&returned, 100));
        slots
            .publish(&claim, token("b", "b", 0), None, &mut lease, false, at(1))
            .expect("without a problem");
        assert!(slot.take_idle_lease().is_none(), "it is not saved");
        let (_unsaved, progress) = begin_saving(&slot).expect("something to store");
        match is_late {
            // The store has taken it without saying so.
            true => assert_eq!(learn(&slots, &slot, Some("b"), 4), Learned::Known),
            false => assert_eq!(learn(&slots, &slot, Some("x"), 4), Learned::Adopted),
        }
        assert!(slot.take_idle_lease().is_none(), "a save is in progress");
        progress.done();
        assert!(slot.take_idle_lease().is_some(), "{is_late}");
        assert!(slot.take_idle_lease().is_none());
        assert!(slots.pending().is_empty());
    }
}

#[test]
fn the_whole_table() {
    let [own, other] = ["own", "other"].map(Token::new);
    let stored = |token: &Token| StoredToken::new(Some(token.clone()), 3);
    let revoked = StoredToken::new(None, 3);
    let [caller, renewal, revocation] =
        [Origin::Caller, Origin::Renewal, Origin::Revocation].map(Some);
    for (known, unsaved, held, stored, expected) in [
        (None, None, None, stored(&other), true),
        (None, None, None, revoked.clone(), true),
        (None, caller, Some(&own), stored(&other), false),
        (Some(3), None, Some(&own), stored(&own), false),
        (Some(3), None, Some(&own), stored(&other), true),
        (Some(3), None, Some(&own), revoked.clone(), true),
        (Some(3), None, None, revoked.clone(), false),
        (Some(2), None, Some(&own), stored(&other), true),
        (Some(4), None, Some(&own), stored(&other), true),
        (Some(3), renewal, Some(&own), stored(&other), false),
        (Some(2), renewal, Some(&own), stored(&other), true),
        (Some(2), renewal, Some(&own), revoked.clone(), true),
        (Some(3), revocation, None, stored(&other), false),
        (Some(2), revocation, None, stored(&other), true),
        (Some(3), caller, Some(&own), stored(&other), false),
        (Some(2), caller, Some(&own), stored(&other), false),
    ] {
        assert_eq!(
            supersedes_local(known, unsaved, held, &stored),
            expected,
            "{known:?} {unsaved:?} {held:?} {stored:?}"
        );
    }
}

#[test]
fn the_store_is_read_first_by_one_for_all() {
    let slots = slots();
    let slot = slots.first(None, Some(store(0)), at(0));
    let Action::Load(claim) = next(&slot, &Need::Usable, at(0)) else {
        panic!("nothing is known of the store");
    };
    assert_eq!(next_action(&slot, &Need::Usable, at(0)), "wait");
    assert_eq!(name(&slot.reload(at(0))), "wait");
    let stored = StoredToken::new(Some(token("a", "r", 0)), 7);
    slots.learn(&slot, &slot.snapshot(), Some(stored), at(0));
    assert_eq!(next_action(&slot, &Need::Usable, at(0)), "use");
    claim.finish(Ok(Outcome::Unchanged));
    assert!(slots.pending().is_empty());
    assert_eq!(name(&slot.reload(at(0))), "load");
    // A store may have what renews a token.
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "renew");
    assert!(slot.is_stored());
}

#[test]
fn a_store_that_holds_nothing_is_looked_into_once() {
    let slots = slots();
    let slot = slots.first(None, Some(store(0)), at(0));
    let claim = lead(&slot, &Need::Usable, at(0));
    slots.learn(&slot, &slot.snapshot(), None, at(0));
    claim.finish(Ok(Outcome::Unchanged));
    // The renewal looks again, and fails without a request.
    assert_eq!(next_action(&slot, &Need::Usable, at(0)), "renew");
}
