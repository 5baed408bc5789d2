//! Files that cannot be written: nothing is renewed, so no refresh token is used up.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    files::{Files, Mount, run},
    gate::Gate,
    process::{MODES, Mode, Process},
    server::Server,
    strict, strict_after, token_until,
};

/// An expired token on a small disk, where mounts are allowed.
fn with_disk(name: &str) -> Option<(Files, Mount)> {
    let files = Files::new(name);
    let disk = Mount::small_disk(files.folder())?;
    files.put(&crate::expired_token("t0"));
    Some((files, disk))
}

/// The error of a process that must not renew, which comes at once.
fn error(process: &mut Process, server: &Server) -> String {
    // It has started.
    process.perform("threads");
    let began = Instant::now();
    let error = process.perform("token");
    assert!(began.elapsed() < Duration::from_secs(4), "{error}");
    assert!(
        error.contains("kind: Store") && error.ends_with("needs_login=false"),
        "{error}"
    );
    assert_eq!(server.count("/token"), 0, "{error}");
    error
}

/// A process whose request is at the server, which answers when the gate is opened.
fn renewing(mode: Mode, files: &Files) -> (Process, Server, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let server = strict_after(move || held.wait());
    let mut process = Process::start(mode, &server, &files.token);
    process.begin("token");
    server.arrivals("/token", 1)();
    (process, server, gate)
}

#[test]
fn on_a_full_disk_nothing_is_renewed() {
    for mode in MODES {
        let Some((files, _disk)) = with_disk("full") else {
            return;
        };
        let server = strict();
        let mut process = Process::start(mode, &server, &files.token);
        let others = files.fill();
        let error = error(&mut process, &server);
        assert!(
            error.contains("token.json.new") && error.contains("No space left"),
            "{error}"
        );
        fs::remove_file(others).unwrap();
        assert_eq!(process.token_in_the_end(), "t1");
        assert_eq!(process.perform("close"), "closed");
        assert_eq!(files.content()["token"]["refresh_token"], "r1");
    }
}

#[test]
fn a_disk_that_fills_up_during_a_renewal_has_room_for_the_token() {
    for mode in MODES {
        let Some((files, _disk)) = with_disk("filling") else {
            return;
        };
        let (mut process, _server, gate) = renewing(mode, &files);
        files.fill();
        gate.open();
        assert_eq!(process.result(), "t1");
        assert_eq!(files.content()["token"]["refresh_token"], "r1");
    }
}

#[test]
fn in_a_folder_that_is_read_only_nothing_is_renewed() {
    for mode in MODES {
        let Some((files, disk)) = with_disk("read-only") else {
            return;
        };
        let server = strict();
        let mut process = Process::start(mode, &server, &files.token);
        disk.remount("ro");
        let error = error(&mut process, &server);
        assert!(
            error.contains("token.json") && error.contains("Read-only"),
            "{error}"
        );
        disk.remount("rw");
        assert_eq!(process.token_in_the_end(), "t1");
        assert_eq!(files.content()["token"]["refresh_token"], "r1");
    }
}

#[test]
fn a_folder_that_is_deleted_is_made_again() {
    for mode in MODES {
        let files = Files::with_expired_token("deleted");
        let (mut process, _server, gate) = renewing(mode, &files);
        // During a renewal …
        fs::remove_dir_all(files.folder()).unwrap();
        gate.open();
        assert_eq!(process.result(), "t1");
        assert_eq!(files.content()["token"]["refresh_token"], "r1");
        // … and before one.
        fs::remove_dir_all(files.folder()).unwrap();
        assert_eq!(process.perform("refresh"), "t2");
        assert_eq!(files.content()["token"]["refresh_token"], "r2");
    }
}

#[test]
fn a_folder_that_cannot_be_made_again_is_an_error() {
    for mode in MODES {
        let Some((files, disk)) = with_disk("gone") else {
            return;
        };
        let deep = files.file("deep");
        let token = deep.join("token.json");
        fs::create_dir(&deep).unwrap();
        fs::rename(&files.token, &token).unwrap();
        let server = strict();
        let mut process = Process::start(mode, &server, &token);
        assert_eq!(process.perform("token"), "t1");
        fs::remove_dir_all(&deep).unwrap();
        disk.remount("ro");
        let error = process.perform("refresh");
        assert!(
            error.contains("kind: Store") && error.contains("Read-only"),
            "{error}"
        );
        assert_eq!(server.count("/token"), 1, "nothing is spent");
        assert_eq!(process.perform("token"), "t1", "which is still good");
        disk.remount("rw");
        assert_eq!(process.perform("refresh"), "t2");
        assert!(token.exists());
    }
}

#[test]
fn a_fifo_is_an_error_at_once_and_holds_up_nothing() {
    for mode in MODES {
        let files = Files::new("fifo");
        assert!(run("mkfifo", &[], &files.token));
        let server = strict();
        let mut process = Process::start(mode, &server, &files.token);
        let count = |process: &mut Process| process.perform("threads").parse().unwrap();
        let mut threads = [0_usize; 2];
        for counted in &mut threads {
            for _ in 0..5 {
                let error = error(&mut process, &server);
                assert!(error.contains("is a named pipe (FIFO)"), "{error}");
            }
            *counted = count(&mut process);
        }
        // An async runtime keeps some for the next call; they are not one for each.
        assert!(threads[1] < threads[0] + 5, "{threads:?}");
        assert_eq!(process.perform("drop"), "dropped", "with its runtime");
        let began = Instant::now();
        while count(&mut process) > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "{mode:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_file_that_is_mounted_is_an_error_before_a_token_is_renewed() {
    for mode in MODES {
        let files = Files::with_expired_token("mounted");
        let Some(mount) = Mount::single_file(&files.token) else {
            return;
        };
        let server = strict();
        let mut process = Process::start(mode, &server, &files.token);
        let error = error(&mut process, &server);
        assert!(
            error.contains("token.json is a mount point") && error.contains("mount its folder"),
            "{error}"
        );
        // A token that needs no renewal can be used.
        drop(mount);
        files.put(&token_until("t0", 4_000_000_000));
        let _mount = Mount::single_file(&files.token).unwrap();
        let mut process = Process::start(mode, &server, &files.token);
        assert_eq!(process.perform("token"), "t0");
        let error = process.perform("refresh");
        assert!(
            error.contains("kind: Store") && error.contains("is a mount point"),
            "{error}"
        );
        assert_eq!(server.count("/token"), 0, "nothing is spent");
        assert_eq!(process.perform("token"), "t0", "which is still good");
    }
}

#[test]
fn a_file_that_is_no_longer_mounted_is_used() {
    for mode in MODES {
        let files = Files::with_expired_token("unmounted");
        let Some(mount) = Mount::single_file(&files.token) else {
            return;
        };
        let server = strict();
        let mut process = Process::start(mode, &server, &files.token);
        error(&mut process, &server);
        drop(mount);
        assert_eq!(process.token_in_the_end(), "t1");
    }
}
