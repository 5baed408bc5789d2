//! A process with a client of its own, which reads commands from its standard input and writes
//! a line about each.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _, stdin},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use oauth_twin::{AsyncOAuth2Client, Error, FileTokenStore, OAuth2Client, Token, UserKey};
use tokio::runtime::Runtime;

use crate::{
    server::Server,
    service::{self, rows},
    users::names,
};

#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Blocking,
    Async,
}

pub const MODES: [Mode; 2] = [Mode::Blocking, Mode::Async];

/// The process, which ends with this.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Begins one that keeps its token in `file`.
    pub fn start(mode: Mode, server: &Server, file: &Path) -> Self {
        Self::with_timeout(mode, server, file, Duration::from_secs(30))
    }

    /// The same, whose client has that timeout.
    pub fn with_timeout(mode: Mode, server: &Server, file: &Path, timeout: Duration) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "process::process_of_its_own"])
            .arg("--nocapture")
            .env("MODE", format!("{mode:?}"))
            .env("TOKEN_ENDPOINT", server.url("/token"))
            .env("TOKEN_FILE", file)
            .env("TIMEOUT", timeout.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Begins to do something: see [`Session::perform`].
    pub fn begin(&mut self, command: &str) {
        let mut input = self.child.stdin.as_ref().unwrap();
        writeln!(input, "{command}").unwrap();
    }

    /// Its result: an access token, or an error.
    pub fn result(&mut self) -> String {
        self.line("result=").expect("a result")
    }

    pub fn perform(&mut self, command: &str) -> String {
        self.begin(command);
        self.result()
    }

    /// The same until it is a token, which a client whose renewal has failed may wait for.
    pub fn token_in_the_end(&mut self) -> String {
        for _ in 0..100 {
            let result = self.perform("token");
            if is_token(&result) {
                return result;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no token");
    }

    /// The next line that begins so, without that; none if the process ends before.
    pub fn line(&mut self, beginning: &str) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix(beginning) {
                return Some(rest.trim_end().to_owned());
            }
            line.clear();
        }
        None
    }

    pub fn kill(mut self) {
        self.end();
    }

    /// Sends a signal such as `STOP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success(), "{kill}");
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
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
