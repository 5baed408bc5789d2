//! Processes that are killed.

use std::{fs::File, thread, time::Duration};

use crate::{
    files::Files,
    gate::Gate,
    lenient_after,
    process::{MODES, Process, is_token},
    strict, strict_after,
};

#[test]
fn a_process_killed_while_it_renews_blocks_no_other() {
    for mode in MODES {
        let files = Files::with_expired_token("lease");
        let gate = Gate::new();
        let held = gate.clone();
        let server = lenient_after(move || held.wait());
        let mut killed = Process::start(mode, &server, &files.token);
        killed.begin("token");
        server.arrivals("/token", 1)();
        killed.kill();
        let mut next = Process::start(mode, &server, &files.token);
        next.begin("token");
        server.arrivals("/token", 2)();
        gate.open();
        assert!(is_token(&next.result()));
        assert_eq!(server.count("/token"), 2);
        assert!(!files.file("token.json.new").exists());
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_complete_token() {
    let files = Files::with_expired_token("any-moment");
    let server = lenient_after(|| {});
    for round in 0..12 {
        let before = server.count("/token");
        let mut killed = Process::start(MODES[round % 2], &server, &files.token);
        killed.begin("refresh 100000");
        server.arrivals("/token", before + 1 + round)();
        // Anywhere between an answer and the next request.
        thread::sleep(Duration::from_micros(400 * round as u64));
        killed.kill();
        files.content();
        let mut next = Process::start(MODES[(round / 2) % 2], &server, &files.token);
        let result = next.perform("token");
        assert!(is_token(&result), "{result}");
    }
}

/// What nobody can prevent where refresh tokens are good for once: the answer has come, and the
/// process is killed before it is in the file. The user has to log in again, and the file is
/// whole.
#[test]
fn a_process_killed_between_the_response_and_the_file_loses_only_that_login() {
    for mode in MODES {
        let files = Files::with_expired_token("between");
        let gate = Gate::new();
        let held = gate.clone();
        let server = strict_after(move || held.wait());
        let mut killed = Process::start(mode, &server, &files.token);
        killed.begin("token");
        server.arrivals("/token", 1)();
        let lock = File::open(files.file("token.json.lock")).unwrap();
        lock.lock().unwrap();
        gate.open();
        // Whether it has read the answer by now or not: it cannot write.
        thread::sleep(Duration::from_millis(50));
        killed.kill();
        drop(lock);
        assert_eq!(files.content()["access_token"], "t0");
        let result = Process::start(mode, &server, &files.token).perform("token");
        assert!(
            result.contains("invalid_grant") && result.ends_with("needs_login=true"),
            "{result}"
        );
        assert_eq!(files.content()["refresh_token"], "r0");
    }
}

/// While another process writes, no refresh token is used whose successor could not be stored.
#[test]
fn no_process_renews_while_the_file_cannot_be_locked() {
    let files = Files::with_expired_token("locked");
    let server = strict();
    let lock = File::create(files.file("token.json.lock")).unwrap();
    lock.lock().unwrap();
    let mut processes = MODES.map(|mode| Process::start(mode, &server, &files.token));
    for process in &mut processes {
        process.begin("token");
    }
    for process in &mut processes {
        let result = process.result();
        assert!(
            result.contains("has held the lock") || result.contains("holds the lease"),
            "{result}"
        );
    }
    assert_eq!(server.count("/token"), 0);
    drop(lock);
    for process in &mut processes {
        assert_eq!(process.token_in_the_end(), "t1");
    }
    assert_eq!(server.count("/token"), 1);
}
