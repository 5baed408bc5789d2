//! A process that is stopped while it has the lease, and continued later.

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    files::Files,
    gate::Gate,
    process::{MODES, Mode, Process},
    strict_after, token_until,
};

/// Limit of the wait of a process for a renewal.
const LIMIT: Duration = Duration::from_secs(1);

#[test]
fn other_processes_continue_while_a_blocking_one_is_stopped() {
    others_go_on_without(Mode::Blocking);
}

#[test]
fn other_processes_continue_while_an_async_one_is_stopped() {
    others_go_on_without(Mode::Async);
}

fn others_go_on_without(mode: Mode) {
    let files = Files::new(&format!("stopped-{mode:?}"));
    let gate = Gate::new();
    let held = gate.clone();
    let server = strict_after(move || held.wait());
    // Soon enough for the first who asks to renew it.
    let expires_at = SystemTime::now() + Duration::from_secs(15);
    let seconds = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    files.put(&token_until("t0", seconds.as_secs()));
    let mut holder = Process::start(mode, &server, &files.token);
    holder.begin("token");
    server.arrivals("/token", 1)();
    holder.signal("STOP");

    let others = MODES.map(|mode| Process::with_timeout(mode, &server, &files.token, LIMIT));
    let mut others = Vec::from(others);
    for other in &mut others {
        assert_eq!(other.perform("token"), "t0", "it is still good");
    }
    thread::sleep(
        expires_at
            .duration_since(SystemTime::now())
            .unwrap_or_default(),
    );
    for other in &mut others {
        let began = Instant::now();
        let error = other.perform("token");
        assert!(began.elapsed() < LIMIT * 10, "{:?}", began.elapsed());
        assert!(
            error.contains("Store") && error.contains("transient=true needs_login=false"),
            "{error}"
        );
    }

    // It comes back just as the server answers.
    gate.open();
    holder.signal("CONT");
    assert_eq!(holder.result(), "t1");
    for other in &mut others {
        assert_eq!(other.token_in_the_end(), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    assert_eq!(files.content()["token"]["refresh_token"], "r1");
    // They all can renew it again, each with what the one before has stored.
    others.push(holder);
    for (renewed, process) in (2..).zip(&mut others) {
        assert_eq!(process.perform("refresh"), format!("t{renewed}"));
    }
}
