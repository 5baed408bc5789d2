mod replaced;

use std::time::Duration;

use super::*;
use crate::lifecycle::{
    outbox::Due,
    single_flight::{Claim, Need, Outcome},
    slot::Rules,
    testing::{
        LIFE, TestSlot, access_token, at, deliver_all, held, is_pending, lead, load, name, next,
        next_action, renew, rules, save, slots, store, store_of, token, transient,
    },
};

/// Idle time of the tests, in seconds.
const IDLE: u64 = 300;

fn alice() -> UserId {
    UserId::new("alice")
}

/// A handle for a user, whose store has the same number as the user.
fn user(slots: &Slots, number: usize, seconds: u64) -> TestSlot {
    let id = UserId::new(&number.to_string());
    let found = slots.of_user(id, at(seconds));
    found.unwrap_or_else(|| slots.add_user(id, Some(store(number)), at(seconds)))
}

/// A handle for a user whose store has a token.
fn logged_in(slots: &Slots, number: usize, seconds: u64) -> TestSlot {
    let slot = user(slots, number, seconds);
    let stored = token(&format!("a{number}"), &format!("r{number}"), seconds);
    load(slots, &slot, Some(stored), 1, at(seconds));
    slot
}

fn limited(count: usize) -> Slots {
    let mut rules: Rules = rules();
    rules.users.count = count;
    Slots::new(rules)
}

fn count(slots: &Slots) -> usize {
    slots.lock().users()
}

fn handles(slot: &TestSlot) -> u32 {
    slot.read().handles
}

fn same(one: &TestSlot, other: &TestSlot) -> bool {
    Arc::ptr_eq(&to_the_end(one.clone()), &to_the_end(other.clone()))
}

#[test]
fn a_user_has_one_slot_which_stays_when_no_handle_is_left() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let again = user(&slots, 1, 1);
    assert!(same(&slot, &again));
    assert_eq!((handles(&slot), store_of(&slot)), (2, Some(1)));
    assert!(!same(&slot, &user(&slots, 2, 1)));
    slots.forget_handle(again);
    slots.forget_handle(slot);
    let again = slots.of_user(UserId::new("1"), at(IDLE)).expect("a slot");
    assert_eq!(held(&again).as_deref(), Some("a1"));
    assert_eq!((handles(&again), again.is_settled()), (1, true));
    assert!(!again.read().superseded);
}

#[test]
fn of_two_who_come_at_once_both_get_the_slot_of_the_first() {
    let slots = slots();
    assert!(slots.of_user(alice(), at(0)).is_none());
    let first = slots.add_user(alice(), Some(store(1)), at(0));
    let second = slots.add_user(alice(), Some(store(2)), at(0));
    assert!(same(&first, &second));
    assert_eq!(
        (handles(&first), store_of(&first), count(&slots)),
        (2, Some(1), 1)
    );
}

#[test]
fn after_its_idle_time_the_token_is_loaded_again() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let id = UserId::new("1");
    slots.forget_handle(slot);
    assert!(slots.of_user(id, at(IDLE)).is_none());
    let slot = slots.add_user(id, Some(store(1)), at(IDLE));
    assert_eq!(
        (held(&slot), next_action(&slot, &Need::Usable, at(IDLE))),
        (None, "load")
    );
    assert_eq!((count(&slots), handles(&slot)), (1, 1));
    // A handle in use keeps it.
    assert!(slots.of_user(id, at(10 * IDLE)).is_some());
}

#[test]
fn idle_slots_leave_when_others_come_and_when_others_are_active() {
    let slots = slots();
    for number in 0..100 {
        slots.forget_handle(logged_in(&slots, number, 0));
    }
    let active = user(&slots, 0, IDLE - 1);
    assert_eq!(count(&slots), 100);
    for second in IDLE..IDLE + 10 {
        slots.forget_handle(user(&slots, 0, second));
    }
    assert_eq!(count(&slots), 1);
    assert_eq!(held(&active).as_deref(), Some("a0"));
    // They have left memory, and not only the table of users.
    let child = slots.find(token("old", "r7", 0), at(IDLE + 10));
    assert_eq!(held(&child).as_deref(), Some("old"));
}

#[test]
fn of_too_many_the_ones_in_use_and_the_recent_ones_stay() {
    let slots = limited(100);
    let in_use: Vec<_> = (0..20).map(|number| logged_in(&slots, number, 0)).collect();
    for number in 20..120 {
        slots.forget_handle(logged_in(&slots, number, 0));
    }
    assert_eq!(count(&slots), 100);
    // Each is active between two new ones.
    for number in 1_000..1_500 {
        for active in 1_000..1_010.min(number) {
            slots.forget_handle(user(&slots, active, 1));
        }
        slots.forget_handle(logged_in(&slots, number, 1));
        assert!(count(&slots) <= 100);
    }
    for (number, slot) in in_use.iter().enumerate() {
        assert!(same(slot, &user(&slots, number, 1)));
    }
    let stayed = |number: &usize| {
        let id = UserId::new(&number.to_string());
        slots.of_user(id, at(1)).is_some()
    };
    assert!((1_000..1_010).filter(stayed).count() >= 9);
    // With all of them in use there are more.
    let more: Vec<_> = (2_000..2_200)
        .map(|number| user(&slots, number, 1))
        .collect();
    assert!(count(&slots) >= more.len());
}

#[test]
fn what_is_owed_keeps_a_slot_until_it_is_delivered() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let claim = lead(&slot, &Need::Renewed, at(1));
    slots.forget_handle(slot);
    // In the middle of the renewal.
    let slot = user(&slots, 1, 2 * IDLE);
    assert_eq!(held(&slot).as_deref(), Some("a1"));
    let renewed = token("b", "s", 2 * IDLE);
    slots
        .publish(&claim, renewed, None, &mut None, true, at(2 * IDLE))
        .expect("without a problem");
    drop(claim);
    slots.forget_handle(slot);
    // Neither saved nor delivered.
    for second in 0..20 {
        slots.forget_handle(user(&slots, 2, 4 * IDLE + second));
    }
    let slot = slots
        .of_user(UserId::new("1"), at(8 * IDLE))
        .expect("a slot");
    assert_eq!(held(&slot).as_deref(), Some("b"));
    assert_eq!(
        save(&slot)
            .and_then(|next| next.token)
            .as_ref()
            .map(access_token)
            .as_deref(),
        Some("b")
    );
    assert_eq!(deliver_all(&slots, &slot, at(20)).len(), 1);
    assert!(slot.is_settled() && !is_pending(&slots, &slot));
    slots.forget_handle(slot);
    assert!(slots.of_user(UserId::new("1"), at(10 * IDLE)).is_none());
}

#[test]
fn the_slot_of_a_login_and_that_of_the_user_become_one() {
    let slots = slots();
    let old = logged_in(&slots, 1, 0);
    let login = slots.find(token("b", "s", 10), at(10));
    let kept = slots.assign(UserId::new("1"), &old, Some(token("b", "s", 10)), at(10));
    assert!(Arc::ptr_eq(&kept, &login) && same(&old, &login) && same(&user(&slots, 1, 11), &login));
    assert_eq!((handles(&login), store_of(&login)), (3, Some(1)));
    assert_eq!(held(&login).as_deref(), Some("b"));
    assert!(matches!(
        next(&old, &Need::Usable, at(11)),
        crate::lifecycle::action::Action::Follow(_)
    ));
    // It is to be saved over what the store had.
    let saved = save(&login).expect("a token");
    assert_eq!(
        (
            saved.version,
            saved.token.as_ref().map(access_token).as_deref()
        ),
        (2, Some("b"))
    );
    // The old refresh token has a slot of its own again.
    let child = slots.find(token("a1", "r1", 0), at(12));
    assert!(!same(&child, &login) && !child.is_stored());
    // The handle of the login may go, and the user stays.
    slots.forget_handle(login);
    assert_eq!(held(&user(&slots, 1, 12)).as_deref(), Some("b"));
}

#[test]
fn a_login_with_the_same_refresh_token_renews_the_slot_in_place() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let kept = slots.assign(UserId::new("1"), &slot, Some(token("b", "r1", 10)), at(10));
    assert!(Arc::ptr_eq(&kept, &slot));
    assert_eq!((held(&slot).as_deref(), handles(&slot)), (Some("b"), 1));
    assert_eq!(save(&slot).map(|next| next.version), Some(2));
    // An older access token does not come back.
    slots.assign(UserId::new("1"), &slot, Some(token("old", "r1", 5)), at(11));
    assert_eq!(held(&slot).as_deref(), Some("b"));
}

#[test]
fn a_renewal_in_flight_does_not_replace_a_login() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let claim = lead(&slot, &Need::Renewed, at(1));
    let waiting = claim.flight.clone();
    let login = slots.assign(UserId::new("1"), &slot, Some(token("b", "s", 2)), at(2));
    // A stale row waits for nothing, and does not send the refresh token once more.
    let child = slots.find(token("a1", "r1", 0), at(2));
    assert!(same(&child, &login));
    let outcome = slots.publish(&claim, token("c", "t", 3), None, &mut None, true, at(3));
    assert!(matches!(outcome, Ok(Outcome::Superseded)) && waiting.outcome.is_set());
    drop(claim);
    assert_eq!(held(&login).as_deref(), Some("b"));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("c".to_owned(), "a1".to_owned(), true)]
    );
    assert!(!is_pending(&slots, &slot) && is_pending(&slots, &login));
    assert_eq!(save(&login).map(|next| next.version), Some(2));
}

#[test]
fn a_user_who_is_forgotten_is_gone_for_all_handles() {
    let slots = slots();
    let slot = logged_in(&slots, 1, 0);
    let other = user(&slots, 1, 0);
    let empty = slots.assign(UserId::new("1"), &slot, None, at(1));
    assert!(same(&other, &empty) && same(&slot, &empty) && same(&user(&slots, 1, 2), &empty));
    assert_eq!(
        (held(&empty), held(&slot), handles(&empty)),
        (None, None, 3)
    );
    let saved = save(&empty).expect("a version");
    assert_eq!((saved.version, saved.token), (2, None));
    // The store is read again, as another replica may have logged the user in.
    assert_eq!(next_action(&empty, &Need::Usable, at(2)), "renew");
    assert_eq!(
        empty.no_token().to_string(),
        "the user is not logged in; complete a login and call keep_for"
    );
    load(&slots, &empty, Some(token("c", "t", 2)), 3, at(2));
    assert_eq!(held(&user(&slots, 1, 3)).as_deref(), Some("c"));
}

#[test]
fn a_login_of_the_user_counts_before_the_store_was_read() {
    let slots = slots();
    let slot = user(&slots, 1, 0);
    let kept = slots.assign(UserId::new("1"), &slot, Some(token("b", "s", 0)), at(0));
    // It has to be read for its version; what it has does not count.
    let Due::Mine(unsaved, progress) = kept.take_unsaved() else {
        panic!("nothing to be saved");
    };
    assert!(unsaved.next.is_none());
    progress.done();
    load(&slots, &kept, Some(token("a", "r", 0)), 7, at(0));
    assert_eq!(held(&kept).as_deref(), Some("b"));
    assert_eq!(save(&kept).map(|next| next.version), Some(8));
}

#[test]
fn a_row_that_a_child_has_too_makes_one_slot_of_both() {
    let slots = slots();
    let child = slots.find(token("a1", "r1", 0), at(0));
    let slot = logged_in(&slots, 1, 0);
    assert!(same(&slot, &child) && same(&user(&slots, 1, 0), &child));
    assert_eq!((store_of(&child), handles(&child)), (Some(1), 3));
    renew(&slots, &child, token("b", "s", 1), at(1));
    assert_eq!(held(&user(&slots, 1, 1)).as_deref(), Some("b"));
    // A child that is given another token leaves the user where they are.
    let other = slots.replace(&child, Some(token("x", "y", 2)), false, at(2));
    assert!(!same(&other, &slot) && !other.is_stored());
    assert_eq!(held(&user(&slots, 1, 2)).as_deref(), Some("b"));
}

#[test]
fn the_slot_of_a_user_without_handles_is_not_superseded_by_a_child() {
    let slots = slots();
    slots.forget_handle(logged_in(&slots, 1, 0));
    let child = slots.find(token("a1", "r1", 0), at(0));
    let other = slots.replace(&child, Some(token("x", "y", 2)), false, at(2));
    let slot = user(&slots, 1, 2);
    assert!(!same(&other, &slot) && !slot.read().superseded);
    let outcome = renew(&slots, &slot, token("b", "s", 3), at(3));
    assert!(matches!(outcome, Outcome::Token(_)));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("b".to_owned(), "a1".to_owned(), false)]
    );
}

#[test]
fn a_login_that_is_kept_for_two_users_is_stored_for_both() {
    let slots = slots();
    let [one, two] = [1, 2].map(|number| user(&slots, number, 0));
    let login = token("a", "r", 0);
    let one = slots.assign(UserId::new("1"), &one, Some(login.clone()), at(0));
    let two = slots.assign(UserId::new("2"), &two, Some(login.clone()), at(0));
    assert!(!same(&one, &two));
    assert_eq!((store_of(&one), store_of(&two)), (Some(1), Some(2)));
    assert_eq!((handles(&one), handles(&two)), (1, 1));
    // So is one that is the client's own.
    let client = slots.first(None, Some(store(0)), at(0));
    let client = slots.replace(&client, Some(login), true, at(0));
    assert_eq!(
        (store_of(&client), store_of(&one), handles(&one)),
        (Some(0), Some(1), 1)
    );
    // The rotation by one user reaches the other when the store is read.
    let snapshot = two.snapshot();
    slots.learn(&two, &snapshot, None, at(0));
    let row = save(&two).expect("a token");
    renew(&slots, &one, token("b", "s", 1), at(1));
    let snapshot = two.snapshot();
    slots.learn(&two, &snapshot, Some(row), at(2));
    assert_eq!(held(&two).as_deref(), Some("b"));
    assert_eq!(save(&two).map(|next| next.version), Some(2));
}

#[test]
fn a_failure_is_that_of_its_user_alone() {
    let slots = slots();
    let [one, two] = [1, 2].map(|number| logged_in(&slots, number, 0));
    let claim = lead(&one, &Need::Usable, at(LIFE));
    let _ = one.fail(&claim, transient(None), true, at(LIFE));
    drop(claim);
    assert_eq!(
        name(&next(&user(&slots, 1, LIFE), &Need::Usable, at(LIFE))),
        "fail"
    );
    assert_eq!(name(&next(&two, &Need::Usable, at(LIFE))), "renew");
}

/// A pause that the table itself makes comes at the same call each time; one that the machine makes does
/// not.
#[test]
fn no_slot_takes_long() {
    let mut shortest = vec![Duration::MAX; 120_000];
    for _ in 0..3 {
        let slots = limited(100_000);
        for (number, shortest) in shortest.iter_mut().enumerate() {
            let began = std::time::Instant::now();
            slots.forget_handle(user(&slots, number, 0));
            *shortest = began.elapsed().min(*shortest);
        }
        assert_eq!(count(&slots), 100_000);
    }
    let longest = shortest.into_iter().max();
    assert!(longest < Some(Duration::from_millis(100)), "{longest:?}");
}
