//! A service whose users have a store each, which is terminated while their tokens are renewed.

use std::{collections::HashSet, fs, sync::Mutex, thread, time::Duration};

use serde_json::Value;

use crate::{
    expired_token,
    files::Files,
    gate::Gate,
    process::{MODES, Process},
    server::{Reply, Request, Server},
    service::SERVING,
};

const USERS: usize = 10;

/// The users of the service, whose names have to be encoded for a path.
pub fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("../{n}"))
}

fn stored(files: &Files, user: usize) -> Value {
    let file = files.file(&format!("%2e.%2f{user}.json"));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// A server that notes refresh tokens which are used twice.
fn rotating(gate: &Gate) -> Server {
    let (gate, used) = (gate.clone(), Mutex::new(HashSet::new()));
    Server::start(move |request: &Request| {
        gate.wait();
        let refresh = request.parameter("refresh_token").unwrap();
        if !used.lock().unwrap().insert(refresh.clone()) {
            return Reply::error(400, "invalid_grant");
        }
        let tokens = serde_json::json!({
            "access_token": format!("{refresh}-t"), "refresh_token": format!("{refresh}+"),
            "expires_in": 600,
        });
        Reply::json(200, tokens)
    })
}

#[test]
fn a_service_that_is_terminated_has_stored_the_tokens_of_all_users() {
    for mode in MODES {
        let files = Files::new("terminated-users");
        for user in 0..USERS {
            let row = expired_token(&format!("row{user}")).to_string();
            fs::write(files.file(&format!("%2e.%2f{user}.json")), row).unwrap();
        }
        let gate = Gate::new();
        let server = rotating(&gate);
        let mut service = Process::start(mode, &server, &files.token);
        service.begin(&format!("serve-users {USERS}"));
        server.arrivals("/token", USERS)();
        service.signal("TERM");
        // It is closing by then, and its handlers are gone.
        thread::sleep(Duration::from_millis(200));
        gate.open();
        assert_eq!(service.result(), "closed", "{mode:?}");
        // The process ends now, as after `main`.
        service.kill();
        for user in 0..USERS {
            let stored = stored(&files, user);
            assert_eq!(
                stored["token"]["refresh_token"],
                format!("row{user}-r+"),
                "{mode:?}"
            );
            assert_eq!(stored["version"], 1);
        }
        // The next one goes on with them.
        let mut service = Process::start(mode, &server, &files.token);
        service.begin(&format!("serve-users {USERS}"));
        service.line(SERVING).expect("a handler of the signal");
        // Some of its calls are under way.
        thread::sleep(Duration::from_millis(100));
        service.signal("TERM");
        assert_eq!(service.result(), "closed", "{mode:?}");
        assert_eq!(server.count("/token"), USERS, "{mode:?}");
    }
}
