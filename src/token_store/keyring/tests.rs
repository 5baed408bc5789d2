//! Tests on a keyring in memory.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::testing::{Fault, Memory};
use crate::{
    error::BoxError,
    oauth2::token::Token,
    token_store::{FileTokenStore, StoredToken},
};

fn token(length: usize) -> Token {
    Token::new("t".repeat(length))
}

fn stored(length: usize, version: u64) -> StoredToken {
    StoredToken::new(Some(token(length)), version)
}

/// The names of the entries.
fn names(keyring: &Memory) -> Vec<String> {
    keyring
        .entries()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

/// The length of an access token whose stored value has this many UTF-16 code units.
fn length_of_value(units: usize) -> usize {
    let keyring = Memory::new();
    let saved = keyring.store("alice").replace(&stored(1000, 1));
    assert!(saved.expect("stored"));
    units + 1000 - keyring.entries()[0].1
}

fn error(result: Result<impl std::fmt::Debug, BoxError>) -> String {
    result.expect_err("an error").to_string()
}

#[test]
fn a_token_is_stored_by_its_version() {
    let keyring = Memory::new();
    let store = keyring.store("alice");
    assert_eq!(store.read().expect("nothing"), None);
    assert!(!store.replace(&stored(5, 2)).expect("a comparison"));
    assert!(store.replace(&stored(5, 1)).expect("stored"));
    assert!(!store.replace(&stored(6, 1)).expect("a comparison"));
    assert!(!store.replace(&stored(6, 3)).expect("a comparison"));
    assert_eq!(store.read().expect("a token"), Some(stored(5, 1)));
    // What an earlier attempt has stored is stored.
    assert!(store.replace(&stored(5, 1)).expect("a comparison"));
    // Another process.
    let other = keyring.store("alice");
    assert!(other.replace(&stored(6, 2)).expect("stored"));
    assert_eq!(store.read().expect("a token"), Some(stored(6, 2)));
    let revoked = StoredToken::new(None, 3);
    assert!(store.replace(&revoked).expect("stored"));
    assert_eq!(store.read().expect("a version"), Some(revoked));
    assert_eq!(names(&keyring), ["reports alice"]);
}

#[test]
fn keyring_values_of_1281_utf16_units() {
    let fits = length_of_value(1280);
    for (length, parts) in [(fits, 0), (fits + 1, 1), (2560, 3), (6000, 5)] {
        let keyring = Memory::new();
        keyring.limit_to(1280);
        let store = keyring.store("alice");
        assert!(
            store.replace(&stored(length, 1)).expect("stored"),
            "{length}"
        );
        assert_eq!(keyring.entries().len(), 1 + parts, "{length}");
        let longest = keyring.entries().into_iter().map(|(_, units)| units).max();
        assert!(longest <= Some(1280), "{longest:?}");
        let other = keyring.store("alice").read();
        assert_eq!(other.expect("a token"), Some(stored(length, 1)));
    }
}

#[test]
fn characters_outside_the_basic_plane_count_twice_and_are_not_cut() {
    for shift in 0..2 {
        let keyring = Memory::new();
        keyring.limit_to(128);
        // A token may contain any text beside itself.
        let name = format!("{}{}", "x".repeat(shift), "𝄞".repeat(300));
        let json = serde_json::json!({"access_token": "t", "name": name}).to_string();
        let next: Token = serde_json::from_str(&json).expect("a token");
        let next = StoredToken::new(Some(next), 1);
        let store = keyring.store("alice");
        assert!(store.replace(&next).expect("stored"));
        assert!(keyring.entries().len() > 4);
        assert_eq!(store.read().expect("a token"), Some(next));
    }
}

#[test]
fn the_header_is_written_last_and_old_parts_are_removed() {
    let keyring = Memory::new();
    keyring.limit_to(256);
    let store = keyring.store("alice");
    assert!(store.replace(&stored(600, 1)).expect("stored"));
    keyring.calls();
    assert!(store.replace(&stored(900, 2)).expect("stored"));
    let calls = keyring.calls();
    let at = |call: &str| calls.iter().position(|done| done == call).expect("a call");
    let header = at("write reports alice");
    assert!(at("write reports alice/b/0") < header);
    assert!(at("write reports alice/b/3") < header);
    assert!(header < at("remove reports alice/a/0"));
    assert!(names(&keyring).iter().all(|name| !name.contains("/a/")));
    // One that is short has no parts.
    assert!(store.replace(&stored(5, 3)).expect("stored"));
    assert_eq!(names(&keyring), ["reports alice"]);
}

#[test]
fn a_process_that_ends_between_the_parts_leaves_the_old_token() {
    for (old, new) in [(600, 900), (5, 900), (900, 600)] {
        for writes in 0..10 {
            let keyring = Memory::new();
            keyring.limit_to(256);
            let store = keyring.store("alice");
            assert!(store.replace(&stored(old, 1)).expect("stored"));
            keyring.fail(Fault::FailsAfter(writes));
            let failed = store.replace(&stored(new, 2)).is_err();
            keyring.fail(Fault::None);
            let read = keyring.store("alice").read().expect("a token");
            // It may have ended behind the header.
            let is_new = read == Some(stored(new, 2));
            assert!(is_new || read == Some(stored(old, 1)), "{writes}");
            assert!(is_new || failed, "{writes}");
            // The next process stores its token, and nothing else remains.
            let version = if is_new { 3 } else { 2 };
            let store = keyring.store("alice");
            assert!(store.replace(&stored(700, version)).expect("stored"));
            assert_eq!(store.read().expect("a token"), Some(stored(700, version)));
            assert!(store.replace(&stored(5, version + 1)).expect("stored"));
            assert_eq!(names(&keyring), ["reports alice"], "{writes}");
        }
    }
}

#[test]
fn parts_of_two_tokens_are_never_joined() {
    let keyring = Memory::new();
    keyring.limit_to(256);
    let store = keyring.store("alice");
    assert!(store.replace(&stored(600, 1)).expect("stored"));
    let part = keyring.value("reports alice/a/1").expect("a part");
    keyring.put("reports alice/a/1", &part.replace('t', "u"));
    let error = error(store.read());
    assert!(error.contains("only a part of the token"), "{error}");
    assert!(!error.contains("tt"), "{error}");
}

#[test]
fn a_keyring_that_forgets_is_noticed() {
    for fault in [Fault::Forgets, Fault::Keeps, Fault::Locked] {
        let keyring = Memory::new();
        keyring.fail(fault.clone());
        let store = keyring.store("alice");
        let expected = match fault {
            Fault::Forgets => "does not hold a value that it reported as stored",
            Fault::Keeps => "does not remove what it holds",
            _ => "is locked, or denies access; unlock it and try again (no prompt)",
        };
        let expected = format!("the keyring (test keyring) {expected}");
        assert_eq!(error(store.read()), expected);
        assert_eq!(error(store.try_lease()), expected);
        assert_eq!(error(store.replace(&stored(5, 1))), expected);
    }
    // One that begins to forget is noticed by each write, and before each renewal.
    let keyring = Memory::new();
    let store = keyring.store("alice");
    assert!(store.replace(&stored(5, 1)).expect("stored"));
    keyring.fail(Fault::Forgets);
    assert!(error(store.replace(&stored(6, 2))).contains("bytes of a value that it reported"));
    assert!(error(store.try_lease()).contains("does not hold a value"));
    keyring.fail(Fault::None);
    assert_eq!(store.read().expect("a token"), Some(stored(5, 1)));
    assert!(store.try_lease().expect("a lease").is_some());
}

#[test]
fn a_value_that_is_cut_off_is_noticed_and_the_old_one_is_put_back() {
    let keyring = Memory::new();
    let store = keyring.store("alice");
    assert!(store.replace(&stored(20, 1)).expect("stored"));
    keyring.keep_at_most(128);
    let error = error(store.replace(&stored(300, 2)));
    assert!(error.contains("holds 128 of"), "{error}");
    assert!(!error.contains("tt"), "{error}");
    assert_eq!(store.read().expect("a token"), Some(stored(20, 1)));
}

#[test]
fn a_keyring_that_hangs_is_left_in_time_and_occupies_one_thread() {
    let keyring = Memory::new();
    let store = keyring.store("alice");
    assert!(store.replace(&stored(5, 1)).expect("stored"));
    let store = store.timeout(Duration::from_millis(200));
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock().expect("a lock");
    keyring.fail(Fault::Hangs(lock.clone()));
    let began = Instant::now();
    for _ in 0..3 {
        let error = error(store.read());
        assert!(error.contains("did not answer within 200ms"), "{error}");
        assert!(error.contains("probably locked"), "{error}");
        assert!(error.contains("unlock it"), "{error}");
    }
    assert!(error(store.replace(&stored(6, 2))).contains("did not answer"));
    assert!(error(store.try_lease()).contains("did not answer"));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(keyring.opened(), 1);
    // The call that nobody waits for may write yet.
    let another = keyring.store("alice");
    keyring.fail(Fault::None);
    assert!(error(another.replace(&stored(6, 2))).contains("held the lock"));
    // Then neither file is locked, and what nobody waits for is not done later.
    keyring.calls();
    drop(held);
    let store = store.timeout(Duration::from_secs(5));
    assert!(store.try_lease().expect("a lease").is_some());
    assert!(store.replace(&stored(7, 2)).expect("stored"));
    assert_eq!(store.read().expect("a token"), Some(stored(7, 2)));
    let written = keyring.calls().into_iter();
    let headers = written.filter(|call| call == "write reports alice").count();
    assert_eq!(headers, 1);
}

#[test]
fn a_keyring_that_panics_or_restarts_is_opened_again() {
    let keyring = Memory::new();
    let store = keyring.store("alice");
    assert!(store.replace(&stored(5, 1)).expect("stored"));
    keyring.fail(Fault::Panics);
    assert_eq!(store.read().expect("a token"), Some(stored(5, 1)));
    assert_eq!(keyring.opened(), 2);
    keyring.fail(Fault::FailsAfter(0));
    assert_eq!(error(store.read()), "the keyring (test keyring) is gone");
    keyring.fail(Fault::None);
    assert_eq!(store.read().expect("a token"), Some(stored(5, 1)));
}

#[test]
fn one_process_has_the_lease() {
    let keyring = Memory::new();
    let [one, other, bob] = ["alice", "alice", "bob"].map(|user| keyring.store(user));
    let lease = one.try_lease().expect("a lease");
    assert!(lease.is_some());
    assert!(other.try_lease().expect("none").is_none());
    assert!(bob.try_lease().expect("a lease").is_some());
    drop(lease);
    assert!(other.try_lease().expect("a lease").is_some());
    // What was written to try the keyring is gone.
    assert!(keyring.entries().is_empty());
}

#[test]
fn of_many_that_write_at_once_each_version_is_written_by_one() {
    let keyring = Memory::new();
    keyring.limit_to(256);
    let written: usize = thread::scope(|scope| {
        let threads = (0..4).map(|thread| {
            let store = keyring.store("alice");
            scope.spawn(move || {
                (0..20)
                    .filter(|_| {
                        let version = store.read().expect("a token");
                        let version = version.map_or(0, |stored| stored.version);
                        let next = stored(600 + thread, version + 1);
                        store.replace(&next).expect("a comparison")
                    })
                    .count()
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    let version = keyring.store("alice").read().expect("a token");
    let version = version.map_or(0, |stored| stored.version);
    assert_eq!(u64::try_from(written).expect("a number"), version);
}

#[test]
fn a_file_is_used_only_if_told_and_once_chosen_for_good() {
    let keyring = Memory::new();
    let path = keyring.folder().join("token.json");
    keyring.fail(Fault::Locked);
    let store = keyring.store("alice").or_file(FileTokenStore::new(&path));
    assert_eq!(store.take_fallback_reason(), None);
    assert!(store.replace(&stored(5, 1)).expect("stored"));
    assert!(path.exists());
    let reason = store.take_fallback_reason().expect("a reason");
    assert!(
        reason.starts_with("the keyring (test keyring) is locked"),
        "{reason}"
    );
    assert_eq!(store.clone().take_fallback_reason(), None);
    // It stays with the file, and the tokens of both are never mixed.
    keyring.fail(Fault::None);
    assert_eq!(store.clone().read().expect("a token"), Some(stored(5, 1)));
    assert!(store.try_lease().expect("a lease").is_some());
    assert!(keyring.entries().is_empty());
    let store = keyring.store("alice").or_file(FileTokenStore::new(&path));
    assert_eq!(store.read().expect("nothing"), None);
    assert!(store.replace(&stored(6, 1)).expect("stored"));
    // One that has begun with the keyring does not leave it.
    keyring.fail(Fault::Locked);
    assert!(error(store.read()).contains("is locked"));
    assert_eq!(store.take_fallback_reason(), None);
}

#[test]
fn users_have_entries_of_their_own() {
    let keyring = Memory::new();
    let long = "x".repeat(300);
    let users = ["a:b", "a%3Ab", "x}{y", "../alice", "a/b", "a", "A", &long];
    for (at, user) in users.iter().enumerate() {
        let store = keyring.store(user);
        assert!(store.replace(&stored(at + 1, 1)).expect("stored"), "{user}");
        assert!(store.try_lease().expect("a lease").is_some(), "{user}");
    }
    for (at, user) in users.iter().enumerate() {
        let read = keyring.store(user).read().expect("a token");
        assert_eq!(read, Some(stored(at + 1, 1)), "{user}");
    }
    let expected = "the name of the user in the keyring is empty";
    assert_eq!(error(keyring.store("").read()), expected);
    assert_eq!(error(keyring.store("").replace(&stored(1, 1))), expected);
}

#[test]
fn what_is_no_token_is_an_error_without_its_text() {
    let keyring = Memory::new();
    for text in [
        "hunter2",
        r#"{"password": "hunter2"}"#,
        r#"{"format": 1}"#,
        "[]",
        "",
    ] {
        keyring.put("reports alice", text);
        let store = keyring.store("alice");
        for error in [error(store.read()), error(store.replace(&stored(5, 1)))] {
            assert!(
                error.contains("no token under this name; remove it"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(keyring.value("reports alice").as_deref(), Some(text));
    }
    keyring.put("reports alice", r#"{"format": 2, "version": "hunter2"}"#);
    let error = error(keyring.store("alice").read());
    assert!(
        error.contains("a later version of oauth-twin; upgrade"),
        "{error}"
    );
}

#[test]
fn debug_shows_the_names() {
    let store = Memory::new().store("a/b");
    let text = format!("{store:?}");
    assert!(
        text.starts_with("KeyringTokenStore { service: \"reports\", user: \"a"),
        "{text}"
    );
    assert!(text.contains("timeout: 5s"), "{text}");
}
