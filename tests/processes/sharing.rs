//! Many processes at once.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::{
    files::Files,
    process::{MODES, Process, is_token},
    server::{Reply, Request, Server},
    strict, token_until, tokens,
};

/// Output of `count` processes, blocking and async ones, that do something at once.
fn results_at_once(count: usize, command: &str, server: &Server, files: &Files) -> Vec<String> {
    let modes = MODES.into_iter().cycle().take(count);
    let processes = modes.map(|mode| {
        let mut process = Process::start(mode, server, &files.token);
        process.begin(command);
        process
    });
    let processes: Vec<_> = processes.collect();
    let result = |mut process: Process| {
        let result = process.result();
        assert_eq!(process.perform("close"), "closed");
        result
    };
    processes.into_iter().map(result).collect()
}

#[test]
fn one_of_many_clients_renews_an_expired_token() {
    let files = Files::with_expired_token("crowd");
    let server = strict();
    for result in results_at_once(8, "token", &server, &files) {
        assert_eq!(result, "t1");
    }
    assert_eq!(server.count("/token"), 1);
    let content = files.content();
    assert_eq!(
        (&content["version"], &content["token"]["refresh_token"]),
        (&json!(1), &json!("r1"))
    );
}

#[test]
fn no_process_sends_a_refresh_token_that_another_has_used() {
    let files = Files::with_expired_token("forced");
    let server = strict();
    for result in results_at_once(6, "refresh 10", &server, &files) {
        assert!(is_token(&result), "{result}");
    }
    let requests = server.count("/token");
    assert!((10..=60).contains(&requests), "{requests}");
    let content = files.content();
    assert_eq!(
        (&content["version"], &content["token"]["access_token"]),
        (&json!(requests), &json!(format!("t{requests}")))
    );
}

/// Its refresh token counts all the same, as the one before may be spent.
#[test]
fn an_access_token_that_no_header_can_carry_takes_no_place_in_the_file() {
    for mode in MODES {
        let files = Files::new("line-break");
        let expires_at = SystemTime::now() + Duration::from_secs(600);
        let seconds = expires_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        files.put(&token_until("t0", seconds.as_secs()));
        let server = Server::start(|request: &Request| {
            match request.parameter("refresh_token").as_deref() {
                Some("r0") => Reply::json(
                    200,
                    json!({"access_token": "t\n1", "refresh_token": "r1", "expires_in": 600}),
                ),
                Some("r1") => tokens(2),
                _ => Reply::error(400, "invalid_grant"),
            }
        });
        let mut process = Process::start(mode, &server, &files.token);
        let error = process.perform("refresh");
        assert!(error.contains("kind: Answer"), "{mode:?} {error}");
        assert_eq!(process.perform("token"), "t0", "which is still good");
        let content = files.content();
        assert_eq!(
            (
                &content["token"]["access_token"],
                &content["token"]["refresh_token"]
            ),
            (&json!("t0"), &json!("r1"))
        );
        let mut next = Process::start(mode, &server, &files.token);
        assert_eq!(next.perform("refresh"), "t2");
    }
}
