//! Logins that were replaced by another one of the user in the middle of a renewal.

use super::*;

/// A user whose login is that of a child, too, and is replaced while it is renewed: the child, the
/// renewal, and the slot of the new login.
fn replaced(slots: &Slots) -> (TestSlot, Claim, TestSlot) {
    let child = slots.find(token("a1", "r1", 0), at(0));
    let slot = to_the_end(logged_in(slots, 1, 0));
    let claim = lead(&slot, &Need::Renewed, at(1));
    let login = slots.assign(UserId::new("1"), &slot, Some(token("b", "s", 2)), at(2));
    (child, claim, login)
}

#[test]
fn a_newer_token_of_a_replaced_login_does_not_reach_the_next_one() {
    let slots = slots();
    let (child, claim, login) = replaced(&slots);
    // The refresh token is in a request, and must not be in another one.
    let child = slots.replace(&child, Some(token("a2", "r1", 3)), false, at(3));
    assert!(same(&child, &login));
    let saved = save(&login).and_then(|saved| saved.token);
    assert!(saved.is_none_or(|saved| access_token(&saved) == "b"));
    assert_eq!(held(&login).as_deref(), Some("b"));
    // After its end it has a slot of its own, and only one.
    claim.finish(Ok(Outcome::Unchanged));
    let child = slots.replace(&child, Some(token("a3", "r1", 4)), false, at(4));
    assert!(!same(&child, &login) && !child.is_stored());
    assert_eq!(
        (held(&child).as_deref(), held(&login).as_deref()),
        (Some("a3"), Some("b"))
    );
    drop(claim);
    let other = slots.find(token("a1", "r1", 0), at(5));
    assert!(same(&other, &child));
    assert_eq!((handles(&child), handles(&login)), (2, 1));
}

#[test]
fn a_slot_that_was_replaced_gets_no_handles_of_others() {
    let slots = slots();
    let (_child, _claim, login) = replaced(&slots);
    // The server issues the refresh token once more.
    renew(&slots, &login, token("c", "r1", 3), at(3));
    assert!(login.forwarded().is_none());
    assert_eq!((handles(&login), store_of(&login)), (2, Some(1)));
    let other = slots.find(token("c", "r1", 3), at(4));
    assert!(same(&other, &login));
}

#[test]
fn the_next_login_of_a_user_does_not_reach_another_who_had_the_same_one() {
    let slots = slots();
    let [one, two] = [1, 2].map(|number| user(&slots, number, 0));
    let row = token("a", "r", 0);
    let one = slots.assign(UserId::new("1"), &one, Some(row.clone()), at(0));
    let two = slots.assign(UserId::new("2"), &two, Some(row.clone()), at(0));
    load(&slots, &two, None, 0, at(0));
    save(&two).expect("a token");
    renew(&slots, &one, token("b", "s", 1), at(1));
    let claim = lead(&one, &Need::Renewed, at(2));
    let login = slots.assign(UserId::new("1"), &one, Some(token("c", "t", 3)), at(3));
    load(&slots, &two, Some(row.clone()), 1, at(4));
    assert_eq!(held(&two).as_deref(), Some("b"));
    // In the user's own store it is a stale row.
    load(&slots, &login, Some(row), 5, at(4));
    assert_eq!(held(&login).as_deref(), Some("c"));
    drop(claim);
}
