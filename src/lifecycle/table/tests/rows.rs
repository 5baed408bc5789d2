//! Rows that come back as they were: not replaced yet, or refused before.

use super::*;

/// As long as `update_token` fails, it is the row that comes back.
#[test]
fn a_row_that_was_not_replaced_leads_to_the_token_however_long_that_takes() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    slots.forget_handle(slot);
    let row = |now| slots.find(token("a", "r", 0), at(now));
    let slot = row(1000);
    assert_eq!(held(&slot).as_deref(), Some("b"));
    renew(&slots, &slot, token("c", "t", 1000), at(1000));
    let (_, failed) = begin_delivery(&slot).expect("an update");
    renew(&slots, &slot, token("d", "u", 2000), at(2000));
    drop(failed);
    slots.forget_handle(slot);
    // The hook may have replaced the row before it failed.
    for refresh in ["r", "t", "u"] {
        let found = slots.find(token("stale", refresh, 0), at(5000));
        assert_eq!(held(&found).as_deref(), Some("d"), "{refresh}");
        slots.forget_handle(found);
    }
    // Other requests may have loaded it just before that.
    let slot = row(6000);
    let (_, progress) = begin_delivery(&slot).expect("an update");
    slots.delivered(progress, at(6000));
    for (refresh, now, expected) in [
        ("r", 6059, "d"),
        ("t", 6059, "d"),
        ("r", 6060, "stale"),
        ("t", 9000, "d"),
    ] {
        let found = slots.find(token("stale", refresh, 0), at(now));
        assert_eq!(held(&found).as_deref(), Some(expected), "{refresh} {now}");
    }
    assert_eq!(deliver_all(&slots, &slot, at(9000)).len(), 1);
    assert!(slots.pending().is_empty());
    let found = slots.find(token("stale", "t", 0), at(9060));
    assert_eq!(held(&found).as_deref(), Some("stale"));
}

/// Neither of a row that keeps its refresh token, nor of one whose token was forgotten.
#[test]
fn a_refresh_token_that_is_in_use_is_no_used_one() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "r", 10), at(10));
    deliver_all(&slots, &slot, at(20));
    renew(&slots, &slot, token("c", "r", 30), at(30));
    let found = slots.find(token("a", "r", 0), at(1000));
    assert!(Arc::ptr_eq(&slot, &found));
    let none = slots.replace(&slot, None, false, at(1000));
    assert_eq!(held(&none), None);
    deliver_all(&slots, &slot, at(1000));
    assert_eq!(slots.lock().stale_rows.len(), 0);
}

/// A service has a handle for each request, which is gone before the next one comes.
#[test]
fn a_failure_is_known_to_the_next_handle_of_the_row() {
    let slots = slots();
    let row = |now| slots.find(token("a", "r", 0), at(now));
    let fail = |error: Error, now: u64| {
        let slot = row(now);
        let claim = lead(&slot, &Need::Renewed, at(now));
        slots.forget_handle(slot);
        let failed = slots.fail(&claim, error, true, at(now));
        assert!(failed.is_err());
    };
    let next = |now| {
        let slot = row(now);
        let next = next_action(&slot, &Need::Usable, at(now));
        slots.forget_handle(slot);
        next
    };
    fail(transient(Some("60")), LIFE);
    assert_eq!((next(LIFE), next(LIFE + 59)), ("fail", "fail"));
    // The next wait is longer, if it comes soon.
    assert_eq!(next(LIFE + 76), "renew");
    fail(transient(None), LIFE + 76);
    assert_eq!((next(LIFE + 77), next(LIFE + 79)), ("fail", "renew"));
    // Other rows make room, long after that.
    let others = |now: u64| {
        for n in 0..4 {
            drop(slots.find(token("x", &format!("{now}-{n}"), now), at(now)));
        }
    };
    others(LIFE + 200);
    fail(transient(None), LIFE + 200);
    assert_eq!((next(LIFE + 200), next(LIFE + 202)), ("fail", "renew"));
    fail(refusal(), LIFE + 300);
    assert_eq!((next(LIFE + 300), next(LIFE + 590)), ("log in", "log in"));
    others(LIFE + 600);
    assert_eq!(next(LIFE + 601), "renew");
    // Another token for the row ends it.
    fail(refusal(), LIFE + 700);
    let newer = slots.find(token("b", "r", LIFE + 701), at(LIFE + 701));
    assert_eq!(next_action(&newer, &Need::Usable, at(LIFE + 701)), "use");
}

/// A renewal that took too long has spent the same refresh token, and is told first.
#[test]
fn a_row_that_two_updates_replace_is_stale_until_both_are_taken() {
    let slots = slots();
    let slot = slots.find(token("a", "r", 0), at(0));
    let late = lead(&slot, &Need::Renewed, at(0));
    let now = at(1000);
    let claim = lead(&slot, &Need::Renewed, now);
    for (claim, access, refresh) in [(&late, "late", "l"), (&claim, "b", "s")] {
        let token = token(access, refresh, 1000);
        slots
            .publish(claim, token, None, &mut None, true, now)
            .expect("without a problem");
    }
    let (update, progress) = begin_delivery(&slot).expect("an update");
    assert!(update.superseded);
    slots.delivered(progress, now);
    let found = slots.find(token("a", "r", 0), at(5000));
    assert!(Arc::ptr_eq(&found, &slot));
    assert_eq!(deliver_all(&slots, &slot, at(5000)).len(), 1);
    let found = slots.find(token("a", "r", 0), at(5060));
    assert!(!Arc::ptr_eq(&found, &slot));
}

/// Another process has logged another user in, whose token the store has now.
#[test]
fn a_stale_row_never_leads_to_another_login() {
    let slots = slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "s", 10), at(10));
    assert!(save(&slot).is_some());
    load(&slots, &slot, Some(token("x", "y", 20)), 5, at(20));
    assert_eq!(held(&slot).as_deref(), Some("x"));
    let child = slots.find(token("a", "r", 0), at(1000));
    assert_eq!(held(&child).as_deref(), Some("b"));
    // Neither does one that keeps its refresh token.
    let slots = crate::lifecycle::testing::slots();
    let slot = stored(&slots, token("a", "r", 0), at(0));
    renew(&slots, &slot, token("b", "r", 10), at(10));
    assert!(save(&slot).is_some());
    load(&slots, &slot, Some(token("x", "y", 20)), 5, at(20));
    let child = slots.find(token("c", "r", 900), at(1000));
    assert_eq!(held(&child).as_deref(), Some("c"));
}
