//! Saves whose outcome is not known.

use super::*;

#[test]
fn what_the_store_took_without_saying_so_is_not_somebody_else_s() {
    let slots = slots();
    let slot = stored(&slots);
    renew(&slots, &slot, token("b", "b", 1), at(1));
    let (first, progress) = begin_saving(&slot).expect("something to store");
    slot.unanswered(first.next.clone().expect("a version"));
    progress.done();
    assert!(unsaved(&slot).is_some());
    // It took it. The slot has come further.
    renew(&slots, &slot, token("c", "c", 2), at(2));
    let read =
        |stored: &Unsaved| slots.learn(&slot, &slot.snapshot(), stored.next.clone(), at(1000));
    assert_eq!(read(&first), Learned::Known);
    assert_eq!(held(&slot).as_deref(), Some("c"));
    assert_eq!(unsaved(&slot).map(|next| next.version), Some(5));
    let (second, progress) = begin_saving(&slot).expect("something to store");
    slot.unanswered(second.next.clone().expect("a version"));
    progress.done();
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
    slot.unanswered(row(None, 5));
    assert_eq!(learn(&slots, &slot, Some("b"), 5), Learned::Adopted);
    assert_eq!(learn(&slots, &slot, None, 5), Learned::Known);
    assert_eq!(unsaved(&slot), Some(row(Some("b"), 6)));
}

#[test]
fn once_the_store_has_answered_an_earlier_attempt_is_somebody_else_s() {
    let slots = slots();
    let slot = stored(&slots);
    slot.unanswered(row(Some("b"), 4));
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
    renew(&slots, &slot, token("own", "own", 1), at(1));
    for version in 4..4 + ATTEMPTS as u64 + 1 {
        slot.unanswered(row(Some("late"), version));
        slot.unanswered(row(Some("late"), version));
    }
    assert_eq!(learn(&slots, &slot, Some("late"), 5), Learned::Known);
    assert_eq!(learn(&slots, &slot, Some("late"), 4), Learned::Adopted);
}
