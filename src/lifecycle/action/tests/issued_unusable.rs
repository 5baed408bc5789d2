//! Tokens that cannot be used as they are issued.

use super::*;
use crate::lifecycle::testing::stored;

#[test]
fn a_token_that_expires_as_it_is_issued_is_paced() {
    for expires in [LIFE, LIFE - 1] {
        let slots = slots();
        let slot = slots.find(token("a", "r", 0), at(0));
        let claim = lead(&slot, &Need::Usable, at(LIFE));
        let other = claim.flight.clone();
        let born_expired = |name| token_until(name, Some("r"), LIFE, expires);
        let outcome = slots.publish(&claim, born_expired("b"), None, &mut None, false, at(LIFE));
        // A lifetime of zero may mean anything; a negative one means that the token has expired.
        let is_used = expires == LIFE;
        assert_eq!(outcome.is_ok(), is_used);
        assert_eq!(brought(&other).as_deref(), is_used.then_some("b"));
        assert_eq!(held(&slot).as_deref(), Some("b"));
        assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "fail");
        // The second in a row, and so on: from one second to thirty.
        let mut now = LIFE + 2;
        for wait in [2, 4, 8, 16, 30, 30] {
            let claim = lead(&slot, &Need::Usable, at(now));
            let outcome = slots.publish(&claim, born_expired("c"), None, &mut None, false, at(now));
            assert_eq!(outcome.is_ok(), is_used);
            assert_eq!(
                next_action(&slot, &Need::Usable, at(now + wait - 1)),
                "fail",
                "{wait}"
            );
            now += wait + wait / 4 + 1;
        }
        renew(&slots, &slot, token("d", "r", now), at(now));
        assert_eq!(next_action(&slot, &Need::Usable, at(now)), "use");
    }
}

#[test]
fn a_token_that_is_issued_shortly_before_its_end_is_not_paced() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let old = token_until("b", Some("s"), 0, LIFE + 10);
    renew(&slots, &slot, old, at(LIFE));
    assert_eq!(next_action(&slot, &Need::Usable, at(LIFE)), "renew early");
}

#[test]
fn what_is_born_expired_and_cannot_be_renewed_is_used_until_it_is_refused() {
    let slots = slots();
    let zero = slots.find(token_until("a", None, 5, 5), at(5));
    for now in [5, 6, 1_000_000] {
        assert_eq!(next_action(&zero, &Need::Usable, at(now)), "use");
    }
    assert_eq!(next_action(&zero, &refused(&zero), at(6)), "log in");
    let negative = slots.find(token_until("a", None, 5, 4), at(5));
    assert_eq!(next_action(&negative, &Need::Usable, at(5)), "log in");
}

/// Another process may have stored a token, but only a 401 is a reason to look.
#[test]
fn a_store_alone_renews_nothing_that_is_born_expired() {
    let born_expired = |refresh, expires| {
        let slots = slots();
        let slot = stored(&slots, token_until("a", refresh, 5, expires), at(5));
        (slots, slot)
    };
    let (_slots, zero) = born_expired(None, 5);
    for now in [5, 6, 1_000_000] {
        assert_eq!(next_action(&zero, &Need::Usable, at(now)), "use");
    }
    for need in [refused(&zero), Need::Renewed] {
        assert_eq!(next_action(&zero, &need, at(6)), "renew", "{need:?}");
    }
    let action = zero.next(&Need::Usable, &with_grant(), at(6));
    assert_eq!(name(&action), "renew");
    drop(action);
    // A refresh token that was refused is none.
    let (_slots, zero) = born_expired(Some("r"), 5);
    let claim = lead(&zero, &Need::Usable, at(6));
    let _ = zero.fail(&claim, refusal(), true, at(6));
    assert_eq!(next_action(&zero, &Need::Usable, at(6)), "use");
    let (_slots, negative) = born_expired(None, 4);
    assert_eq!(next_action(&negative, &Need::Usable, at(5)), "renew");
}

#[test]
fn a_token_that_is_refused_as_it_is_issued_is_paced() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        let name = format!("issued at {now}");
        renew(&slots, &slot, token(&name, "r", now), at(now));
        let published = slot.published().expect("a token");
        // By many at the same time.
        for _ in 0..20 {
            slot.note_refusal(true, &published, at(now));
        }
        let last = at(now + wait - 1);
        assert_eq!(
            next_action(&slot, &Need::Other(published.clone()), last),
            "fail",
            "{wait}"
        );
        // It may be good for another API.
        assert_eq!(next_action(&slot, &Need::Usable, last), "use");
        now += wait + wait / 4 + 1;
        assert_eq!(
            next_action(&slot, &Need::Other(published), at(now)),
            "renew",
            "{wait}"
        );
    }
    let published = slot.published().expect("a token");
    slot.note_refusal(true, &published, at(now));
    slot.note_refusal(false, &published, at(now));
    assert_eq!(next_action(&slot, &refused(&slot), at(now)), "renew");
}
