//! Tokens that come in the middle of a renewal.

use super::*;
use crate::lifecycle::table::UserId;

/// Its successor is known then, and it must not be sent again.
#[test]
fn a_token_that_is_set_in_the_middle_of_its_renewal_gives_way_to_the_result() {
    for has_store in [false, true] {
        let slots = slots();
        let slot = match has_store {
            true => stored(&slots, token("a", "r", 0), at(0)),
            false => slots.find(token("a", "r", 0), at(0)),
        };
        let claim = lead(&slot, &Need::Renewed, at(10));
        let given = Some(token("given", "r", 5));
        let next = slots.replace(&slot, given, has_store, at(10));
        assert!(Arc::ptr_eq(&slot, &next));
        assert_eq!(held(&slot).as_deref(), Some("given"));
        let outcome = slots
            .publish(&claim, token("b", "s", 10), None, &mut None, true, at(10))
            .expect("without a problem");
        assert!(matches!(outcome, Outcome::Token(_)));
        assert_eq!(held(&slot).as_deref(), Some("b"));
        assert_eq!(
            deliver_all(&slots, &slot, at(20)),
            [("b".into(), "given".into(), false)]
        );
        let saved = save(&slot).and_then(|saved| saved.token);
        assert_eq!(saved.is_some(), has_store);
        assert!(saved.is_none_or(|saved| access_token(&saved) == "b"));
        // The spent one leads to the new one.
        let child = slots.find(token("given", "r", 5), at(11));
        assert!(Arc::ptr_eq(&slot, &child));
    }
}

#[test]
fn a_token_without_the_spent_refresh_token_does_not_give_way() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    let claim = lead(&slot, &Need::Renewed, at(10));
    let learned = load(&slots, &slot, Some(token("x", "y", 5)), 4, at(10));
    assert_eq!(learned, Learned::Adopted);
    let outcome = slots
        .publish(&claim, token("b", "s", 10), None, &mut None, true, at(10))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Superseded));
    assert_eq!(held(&slot).as_deref(), Some("x"));
    assert_eq!(
        deliver_all(&slots, &slot, at(20)),
        [("b".into(), "a".into(), true)]
    );
}

#[test]
fn the_login_of_a_user_with_the_refresh_token_in_flight_gives_way_to_the_result() {
    let slots = slots();
    let user = UserId::new("1");
    let slot = slots.add_user(user, Some(store(0)), at(0));
    load(&slots, &slot, Some(token("a", "r", 0)), 1, at(0));
    let claim = lead(&slot, &Need::Renewed, at(10));
    let kept = slots.assign(user, &slot, Some(token("given", "r", 5)), at(10));
    assert!(Arc::ptr_eq(&slot, &kept));
    let outcome = slots
        .publish(&claim, token("b", "s", 10), None, &mut None, true, at(10))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Token(_)));
    assert_eq!(held(&slot).as_deref(), Some("b"));
    // Nor does a logout have a successor.
    let claim = lead(&slot, &Need::Renewed, at(11));
    let none = slots.assign(user, &slot, None, at(11));
    let outcome = slots
        .publish(&claim, token("c", "t", 11), None, &mut None, true, at(11))
        .expect("without a problem");
    assert!(matches!(outcome, Outcome::Superseded));
    assert_eq!(held(&none), None);
}
