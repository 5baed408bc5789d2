//! Processes that share a file with a token: blocking and async ones, which are killed, too.

#![allow(clippy::unwrap_used, reason = "a test program may panic")]

#[allow(unreachable_pub, reason = "a test program has no outside")]
#[path = "../support/folder.rs"]
mod folder;
#[allow(dead_code, unreachable_pub, reason = "others need the rest")]
#[path = "../support/gate.rs"]
mod gate;
#[allow(dead_code, unreachable_pub, reason = "others need the rest")]
#[path = "../support/server.rs"]
mod server;

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use folder::Folder;
use gate::Gate;
use oauth_twin::{AsyncOAuth2Client, Error, FileTokenStore, OAuth2Client};
use serde_json::{Value, json};
use server::{Reply, Request, Server};

/// The file that the processes share.
fn file(folder: &Folder) -> PathBuf {
    folder.file("token.json")
}

/// A folder with a token of Authlib's, as somebody has it who changes over.
fn with_expired_token(name: &str) -> Folder {
    let folder = Folder::new(name);
    let token = json!({
        "access_token": "t0", "refresh_token": "r0", "token_type": "Bearer", "expires_at": 1,
    });
    fs::write(file(&folder), token.to_string()).unwrap();
    folder
}

fn content(folder: &Folder) -> Value {
    serde_json::from_slice(&fs::read(file(folder)).unwrap()).expect("all of a token")
}

#[derive(Clone, Copy)]
enum Mode {
    Blocking,
    Async,
}

/// Begins a process that renews the token so many times, or that only wants one that is good.
fn process(mode: Mode, renewals: usize, server: &Server, folder: &Folder) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "process_of_its_own", "--nocapture"])
        .env("TOKEN_FILE", file(folder))
        .env("TOKEN_ENDPOINT", server.url("/token"))
        .env("RENEWALS", renewals.to_string())
        .env(
            "MODE",
            match mode {
                Mode::Blocking => "blocking",
                Mode::Async => "async",
            },
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The access token that the process came by, or its error.
fn result(process: Child) -> String {
    let output = process.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let result = output.split_once("result=<").expect("a result").1;
    result.split_once('>').unwrap().0.to_owned()
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn process_of_its_own() {
    let store = FileTokenStore::new(env::var_os("TOKEN_FILE").unwrap());
    let token_endpoint = env::var("TOKEN_ENDPOINT").unwrap();
    let renewals = env::var("RENEWALS").unwrap().parse().unwrap();
    let token = match env::var("MODE").unwrap().as_str() {
        "blocking" => blocking(store, token_endpoint, renewals),
        _ => tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(asynchronous(store, token_endpoint, renewals)),
    };
    let result = token.unwrap_or_else(|error| format!("{error:?} {}", error.needs_login()));
    println!("result=<{result}>");
}

fn blocking(store: FileTokenStore, endpoint: String, renewals: usize) -> Result<String, Error> {
    let client = OAuth2Client::builder("id")
        .token_endpoint(endpoint)
        .token_store(store)
        .build()?;
    for _ in 0..renewals {
        client.refresh_token()?;
    }
    let token = client.ensure_active_token()?;
    client.close()?;
    Ok(token.access_token().expose_secret().to_owned())
}

async fn asynchronous(
    store: FileTokenStore,
    endpoint: String,
    renewals: usize,
) -> Result<String, Error> {
    let client = AsyncOAuth2Client::builder("id")
        .token_endpoint(endpoint)
        .token_store(store)
        .build()?;
    for _ in 0..renewals {
        client.refresh_token().await?;
    }
    let token = client.ensure_active_token().await?;
    client.close().await?;
    Ok(token.access_token().expose_secret().to_owned())
}

fn token(n: usize) -> Reply {
    let token = json!({
        "access_token": format!("t{n}"), "refresh_token": format!("r{n}"), "expires_in": 600,
    });
    Reply::json(200, token)
}

/// A server that revokes everything if a refresh token is used twice.
fn strict() -> Server {
    let issued = Mutex::new(Some(0));
    Server::start(move |request: &Request| {
        let mut issued = issued.lock().unwrap();
        let good = issued.map(|n| format!("r{n}"));
        if good.is_none() || request.parameter("refresh_token") != good {
            *issued = None;
            return Reply::json(400, json!({"error": "invalid_grant"}));
        }
        *issued = issued.map(|n| n + 1);
        token(issued.unwrap())
    })
}

/// A server that takes any refresh token.
fn lenient() -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |_: &Request| token(issued.fetch_add(1, Ordering::SeqCst) + 1))
}

const MODES: [Mode; 2] = [Mode::Blocking, Mode::Async];

/// What `count` processes print, blocking and async ones, that run at once.
fn results_at_once(count: usize, renewals: usize, server: &Server, folder: &Folder) -> Vec<String> {
    let modes = MODES.into_iter().cycle().take(count);
    let processes: Vec<_> = modes
        .map(|mode| process(mode, renewals, server, folder))
        .collect();
    processes.into_iter().map(result).collect()
}

#[test]
fn of_many_that_meet_an_expired_token_one_renews_it() {
    let folder = with_expired_token("crowd");
    let server = strict();
    for result in results_at_once(8, 0, &server, &folder) {
        assert_eq!(result, "t1");
    }
    assert_eq!(server.count("/token"), 1);
    let content = content(&folder);
    assert_eq!(
        (&content["version"], &content["token"]["refresh_token"]),
        (&json!(1), &json!("r1"))
    );
}

#[test]
fn none_ever_sends_a_refresh_token_that_another_has_spent() {
    let folder = with_expired_token("forced");
    let server = strict();
    for result in results_at_once(6, 10, &server, &folder) {
        assert!(result.starts_with('t'), "{result}");
    }
    let requests = server.count("/token");
    assert!((10..=60).contains(&requests), "{requests}");
    let content = content(&folder);
    assert_eq!(
        (&content["version"], &content["token"]["access_token"]),
        (&json!(requests), &json!(format!("t{requests}")))
    );
}

#[test]
fn one_that_is_killed_while_it_renews_holds_nobody_up() {
    for mode in MODES {
        let folder = with_expired_token("lease");
        let gate = Gate::new();
        let held = gate.clone();
        let issued = AtomicUsize::new(0);
        let server = Server::start(move |_: &Request| {
            held.wait();
            token(issued.fetch_add(1, Ordering::SeqCst) + 1)
        });
        let mut killed = process(mode, 0, &server, &folder);
        server.arrivals("/token", 1)();
        killed.kill().unwrap();
        killed.wait().unwrap();
        let next = process(mode, 0, &server, &folder);
        server.arrivals("/token", 2)();
        gate.open();
        assert!(result(next).starts_with('t'));
        assert_eq!(server.count("/token"), 2);
    }
}

#[test]
fn one_that_is_killed_at_any_moment_leaves_all_of_a_token() {
    let folder = with_expired_token("any-moment");
    let server = lenient();
    for round in 0..12 {
        let before = server.count("/token");
        let mut killed = process(MODES[round % 2], 100_000, &server, &folder);
        server.arrivals("/token", before + 1 + round)();
        // Anywhere between an answer and the next request.
        std::thread::sleep(std::time::Duration::from_micros(400 * round as u64));
        killed.kill().unwrap();
        killed.wait().unwrap();
        content(&folder);
        let result = result(process(MODES[(round / 2) % 2], 0, &server, &folder));
        assert!(result.starts_with('t'), "{result}");
    }
}

/// What nobody can prevent where refresh tokens are good for once: the answer has come, and the
/// process is killed before it is in the file. The user has to log in again, and the file is
/// whole.
#[test]
fn one_that_is_killed_between_the_answer_and_the_file_loses_that_login_and_nothing_else() {
    for mode in MODES {
        let folder = with_expired_token("between");
        let server = strict();
        let lock = File::create(folder.file("token.json.lock")).unwrap();
        lock.lock().unwrap();
        let mut killed = process(mode, 0, &server, &folder);
        server.arrivals("/token", 1)();
        // Whether it has read the answer by now or not: it cannot write.
        std::thread::sleep(std::time::Duration::from_millis(50));
        killed.kill().unwrap();
        killed.wait().unwrap();
        drop(lock);
        assert_eq!(content(&folder)["access_token"], "t0");
        let result = result(process(mode, 0, &server, &folder));
        assert!(
            result.contains("invalid_grant") && result.ends_with("true"),
            "{result}"
        );
        assert_eq!(content(&folder)["refresh_token"], "r0");
    }
}
