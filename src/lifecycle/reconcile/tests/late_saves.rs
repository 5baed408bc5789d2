//! Saves whose outcome is not known.

use super::*;

/// Begins a save whose answer does not come.
fn lose_an_answer(slot: &TestSlot) -> Unsaved {
    let (unsaved, progress) = begin_saving(slot).expect("something to store");
    progress.done();
    unsaved
}

#[test]
fn what_the_store_took_without_saying_so_is_not_somebody_else_s() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    let first = lose_an_answer(&slot);
    assert!(unsaved(&slot).is_some());
    // It took it. The slot has come further.
    renew(&slots, &slot, token("c", "c", 2), at(2));
    let read =
        |stored: &Unsaved| slots.learn(&slot, &slot.snapshot(), stored.next.clone(), at(1000));
    assert_eq!(read(&first), Learned::Known);
    assert_eq!(held(&slot).as_deref(), Some("c"));
    assert_eq!(unsaved(&slot).map(|next| next.version), Some(5));
    let second = lose_an_answer(&slot);
    // It took that, too, which is what the slot has.
    assert_eq!(read(&second), Learned::Known);
    assert_eq!(unsaved(&slot), None);
    // Somebody else's of the same version counts.
    let (first, second) = (first.next, second.next);
    assert_ne!(first, second);
    assert_eq!(learn(&slots, &slot, Some("x"), 5), Learned::Adopted);
}

#[test]
fn an_adopted_token_that_a_late_save_of_our_own_replaced_is_stored_again() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    lose_an_answer(&slot);
    assert_eq!(learn(&slots, &slot, Some("c"), 5), Learned::Adopted);
    let late = StoredToken::new(Some(token("b", "b", 1)), 4);
    let learned = slots.learn(&slot, &slot.snapshot(), Some(late), at(1000));
    assert_eq!(learned, Learned::Known);
    assert_eq!(unsaved(&slot), Some(row(Some("c"), 5)));
}

/// Another slot has the store by then, and was not saved a moment ago.
#[test]
fn a_save_that_is_still_running_does_not_undo_a_revocation() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    let (running, _progress) = begin_saving(&slot).expect("something to store");
    let slot = slots.replace(&slot, None, true, at(2));
    let (revoked, progress) = begin_saving(&slot).expect("something to store");
    assert_eq!(revoked.next, Some(row(None, 4)));
    // The store has taken the other one first.
    progress.done();
    let learned = slots.learn(&slot, &slot.snapshot(), running.next, at(1000));
    assert_eq!((learned, held(&slot)), (Learned::Known, None));
    assert_eq!(unsaved(&slot), Some(row(None, 5)));
}

#[test]
fn once_the_store_has_answered_an_earlier_attempt_is_somebody_else_s() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 0), at(0));
    assert_eq!(lose_an_answer(&slot).next, Some(row(Some("b"), 4)));
    renew(&slots, &slot, token("c", "c", 1), at(1));
    let (unsaved, progress) = begin_saving(&slot).expect("something to store");
    slot.saved(&unsaved, &row(Some("c"), 4));
    progress.done();
    assert_eq!(learn(&slots, &slot, Some("b"), 4), Learned::Adopted);
}

#[test]
fn of_attempts_without_an_answer_16_are_remembered() {
    let slots = slots();
    let slot = stored(&slots);
    for n in 0..=ATTEMPTS as u64 {
        let name = n.to_string();
        renew(&slots, &slot, token(&name, &name, n), at(n));
        let first = lose_an_answer(&slot).next;
        assert_eq!(lose_an_answer(&slot).next, first, "it counts once");
    }
    renew(&slots, &slot, token("own", "own", 100), at(100));
    let read = |n: u64| {
        let name = n.to_string();
        let late = StoredToken::new(Some(token(&name, &name, n)), 4);
        slots.learn(&slot, &slot.snapshot(), Some(late), at(1000))
    };
    assert_eq!((read(1), read(0)), (Learned::Known, Learned::Known));
}
