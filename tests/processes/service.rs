//! A service with a user per row, which is terminated while their tokens are renewed.

use std::{thread, time::Duration};

use oauth_twin::{AsyncOAuth2Client, BoxError, Error, OAuth2Client, Token, TokenUpdate};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use crate::{
    expired_token,
    files::Files,
    gate::Gate,
    process::{MODES, Process},
    server::{Reply, Request, Server},
};

/// Duration of writing a row.
const WRITING: Duration = Duration::from_millis(100);

/// Updates of children are written, slowly; the client itself has a store.
pub fn tell_blocking(update: &TokenUpdate) -> Result<(), BoxError> {
    if is_of_a_row(update) {
        thread::sleep(WRITING);
        println!("\ntold={}", update.token.access_token().expose_secret());
    }
    Ok(())
}

pub async fn tell(update: TokenUpdate) -> Result<(), BoxError> {
    if is_of_a_row(&update) {
        tokio::time::sleep(WRITING).await;
        println!("\ntold={}", update.token.access_token().expose_secret());
    }
    Ok(())
}

fn is_of_a_row(update: &TokenUpdate) -> bool {
    let token = update.token.access_token();
    token.expose_secret().starts_with("row")
}

pub fn rows(count: usize) -> impl Iterator<Item = Token> {
    (0..count).map(|row| serde_json::from_value(expired_token(&format!("row{row}"))).unwrap())
}

/// What a service prints when a signal does not end it any more.
pub const SERVING: &str = "serving=";

/// Closes its client when it is terminated, and leaves its threads behind.
pub fn serve_blocking(client: &OAuth2Client, users: Vec<OAuth2Client>) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut terminated = {
        let _entered = runtime.enter();
        signal(SignalKind::terminate()).unwrap()
    };
    println!("\n{SERVING}");
    for user in users {
        thread::spawn(move || user.ensure_active_token());
    }
    runtime.block_on(terminated.recv());
    drop(runtime);
    client.close()
}

/// Closes its client when it is terminated, and drops its handlers where they are.
pub async fn serve(client: &AsyncOAuth2Client, users: Vec<AsyncOAuth2Client>) -> Result<(), Error> {
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    println!("\n{SERVING}");
    let users = users.into_iter();
    let handlers = users.map(|user| tokio::spawn(async move { user.ensure_active_token().await }));
    let handlers: Vec<_> = handlers.collect();
    terminated.recv().await;
    for handler in handlers {
        handler.abort();
    }
    client.close().await
}

#[test]
fn a_service_that_is_terminated_tells_of_all_tokens_that_were_issued() {
    const USERS: usize = 10;
    for mode in MODES {
        let files = Files::new("terminated");
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request: &Request| {
            held.wait();
            let row = request.parameter("refresh_token").unwrap();
            let tokens = serde_json::json!({
                "access_token": format!("{row}+"), "refresh_token": row, "expires_in": 600,
            });
            Reply::json(200, tokens)
        });
        let mut service = Process::start(mode, &server, &files.token);
        service.begin(&format!("serve {USERS}"));
        server.arrivals("/token", USERS)();
        service.signal("TERM");
        // It is closing by then.
        thread::sleep(Duration::from_millis(200));
        gate.open();
        let mut told = Vec::new();
        let mut closed = None;
        while let Some(line) = service.line("") {
            match line.split_once('=') {
                Some(("told", token)) => told.push(token.to_owned()),
                Some(("result", result)) => {
                    closed = Some(result.to_owned());
                    break;
                }
                _ => {}
            }
        }
        // The process ends now, as after `main`.
        service.kill();
        assert_eq!(closed.as_deref(), Some("closed"), "{mode:?}");
        told.sort();
        let issued: Vec<_> = (0..USERS).map(|row| format!("row{row}-r+")).collect();
        assert_eq!(told, issued, "{mode:?}");
        assert_eq!(server.count("/token"), USERS);
    }
}
