//! A process with a client of its own, which reads commands from its standard input and writes
//! a line about each.

use std::{
    env, fs,
    io::stdin,
    ops::{Deref, DerefMut},
    path::Path,
    time::Duration,
};

use oauth_twin::{AsyncOAuth2Client, Error, FileTokenStore, OAuth2Client, Token, UserKey};
use tokio::runtime::Runtime;

use crate::{
    server::Server,
    service::{self, rows},
    support,
    users::names,
};

#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Blocking,
    Async,
}

pub const MODES: [Mode; 2] = [Mode::Blocking, Mode::Async];

/// A process with a client.
pub struct Process(support::Process);

impl Process {
    /// Begins one that keeps its token in `file`.
    pub fn start(mode: Mode, server: &Server, file: &Path) -> Self {
        Self::with_timeout(mode, server, file, Duration::from_secs(30))
    }

    /// The same, whose client has that timeout.
    pub fn with_timeout(mode: Mode, server: &Server, file: &Path, timeout: Duration) -> Self {
        let variables = [
            ("MODE", format!("{mode:?}")),
            ("TOKEN_ENDPOINT", server.url("/token")),
            ("TOKEN_FILE", file.to_str().unwrap().to_owned()),
            ("TIMEOUT", timeout.as_millis().to_string()),
        ];
        Self(support::Process::spawn(
            "process::process_of_its_own",
            &variables,
        ))
    }

    /// The token, when there is one, which a client whose renewal has failed may wait for.
    pub fn token_in_the_end(&mut self) -> String {
        for _ in 0..300 {
            let result = self.perform("token");
            if is_token(&result) {
                return result;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no token");
    }

    pub fn kill(self) {
        self.0.kill();
    }
}

impl Deref for Process {
    type Target = support::Process;

    fn deref(&self) -> &support::Process {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut support::Process {
        &mut self.0
    }
}

pub fn is_token(result: &str) -> bool {
    result.starts_with('t')
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn process_of_its_own() {
    let threads = threads();
    let mut session = Some(Session::new());
    for command in stdin().lines() {
        let command = command.unwrap();
        let result = match (&*command, &session) {
            ("drop", _) => {
                session = None;
                "dropped".to_owned()
            }
            // How many threads there are more than at first.
            ("threads", _) => (self::threads() - threads).to_string(),
            (command, Some(session)) => session.perform(command),
            (command, None) => panic!("{command} without a client"),
        };
        // The harness writes without an end of the line.
        println!("\nresult={result}");
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

enum Session {
    Blocking(OAuth2Client),
    Async(AsyncOAuth2Client, Runtime),
}

impl Session {
    fn new() -> Self {
        let variable = |name: &str| env::var(name).unwrap();
        let store = FileTokenStore::new(variable("TOKEN_FILE"));
        let timeout = Duration::from_millis(variable("TIMEOUT").parse().unwrap());
        match &*variable("MODE") {
            "Blocking" => {
                let client = OAuth2Client::builder("id")
                    .token_endpoint(variable("TOKEN_ENDPOINT"))
                    .token_store(store)
                    .user_store(store_of_user)
                    .timeout(timeout)
                    .update_token(|update| service::tell_blocking(&update))
                    .build();
                Self::Blocking(client.unwrap())
            }
            _ => {
                let client = AsyncOAuth2Client::builder("id")
                    .token_endpoint(variable("TOKEN_ENDPOINT"))
                    .token_store(store)
                    .user_store(store_of_user)
                    .timeout(timeout)
                    .update_token(service::tell)
                    .build();
                Self::Async(client.unwrap(), Runtime::new().unwrap())
            }
        }
    }

    /// `token`, `refresh` so many times, `close`, or `serve` so many users until it is terminated: with
    /// rows of their own, or `serve-users` with stores.
    fn perform(&self, command: &str) -> String {
        let (verb, count) = command.split_once(' ').unwrap_or((command, "1"));
        let count: usize = count.parse().unwrap();
        let result = match verb {
            "token" => self.token(),
            "refresh" => (0..count).map(|_| self.refresh()).last().unwrap(),
            "close" => self.close(),
            "serve" | "serve-users" => match self {
                Self::Blocking(client) => {
                    let users = match verb {
                        "serve" => rows(count).map(|row| client.for_token(row)).collect(),
                        _ => names(count).map(|name| client.for_user(name)).collect(),
                    };
                    service::serve_blocking(client, users)
                }
                Self::Async(client, runtime) => {
                    let users = match verb {
                        "serve" => rows(count).map(|row| client.for_token(row)).collect(),
                        _ => names(count).map(|name| client.for_user(name)).collect(),
                    };
                    runtime.block_on(service::serve(client, users))
                }
            }
            .map(|()| "closed".to_owned()),
            _ => panic!("{command}"),
        };
        result.unwrap_or_else(|error| {
            let (transient, login) = (error.is_transient(), error.needs_login());
            format!("{error:?} transient={transient} needs_login={login}")
        })
    }

    fn token(&self) -> Result<String, Error> {
        let token = match self {
            Self::Blocking(client) => client.ensure_active_token(),
            Self::Async(client, runtime) => runtime.block_on(client.ensure_active_token()),
        };
        token.map(shown)
    }

    fn refresh(&self) -> Result<String, Error> {
        let token = match self {
            Self::Blocking(client) => client.refresh_token(),
            Self::Async(client, runtime) => runtime.block_on(client.refresh_token()),
        };
        token.map(shown)
    }

    fn close(&self) -> Result<String, Error> {
        let closed = match self {
            Self::Blocking(client) => client.close(),
            Self::Async(client, runtime) => runtime.block_on(client.close()),
        };
        closed.map(|()| "closed".to_owned())
    }
}

/// The store of a user, beside the token of the client itself.
fn store_of_user(user: &UserKey) -> FileTokenStore {
    let file = env::var_os("TOKEN_FILE").unwrap();
    FileTokenStore::new(Path::new(&file).with_file_name(format!("{user}.json")))
}

fn shown(token: Token) -> String {
    token.access_token().expose_secret().to_owned()
}
