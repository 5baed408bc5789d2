//! A process of a service: a client for some users, which is closed when it is terminated.

use std::{
    env,
    io::stdin,
    process::exit,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use oauth_twin::{
    AsyncOAuth2Client, AsyncRedis, AsyncRedisTokenStore, Clock, Error, FileTokenStore,
    OAuth2Client, Redis, RedisTokenStore, Token, UserKey,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use super::{Process, user};

/// Threads of a blocking service.
const THREADS: usize = 16;

#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Blocking,
    Async,
}

/// Settings of a process.
#[derive(Clone)]
pub struct Settings {
    pub token_endpoint: String,
    pub client: String,
    pub secret: Option<String>,
    /// The URL of Redis, or a file for one user.
    pub store: String,
    pub users: usize,
    pub timeout: Duration,
}

pub struct Worker(Process);

impl Worker {
    /// Starts a process whose clock is so many seconds ahead.
    pub fn start(mode: Mode, settings: &Settings, ahead: u64) -> Self {
        let variables = [
            ("MODE", format!("{mode:?}")),
            ("TOKEN_ENDPOINT", settings.token_endpoint.clone()),
            ("CLIENT", settings.client.clone()),
            ("SECRET", settings.secret.clone().unwrap_or_default()),
            ("STORE", settings.store.clone()),
            ("USERS", settings.users.to_string()),
            ("TIMEOUT", settings.timeout.as_millis().to_string()),
            ("AHEAD", ahead.to_string()),
        ];
        Self(Process::spawn(
            "processes::worker::process_of_its_own",
            &variables,
        ))
    }

    /// Begins to get the token of each user at a later time.
    pub fn begin(&mut self, ahead: u64) {
        self.0.begin(&format!("tokens {ahead}"));
    }

    /// Begins to get the tokens again and again, for some milliseconds.
    pub fn begin_for(&mut self, time: Duration) {
        self.0.begin(&format!("soak {}", time.as_millis()));
    }

    /// The access token of each user, or an error behind `!`.
    pub fn tokens(&mut self) -> Vec<String> {
        serde_json::from_str(&self.0.result()).unwrap()
    }

    pub fn kill(self) {
        self.0.kill();
    }

    /// Terminates it, and waits until its client is closed.
    pub fn terminate(mut self) {
        self.0.signal("TERM");
        assert_eq!(self.0.line("closed=").as_deref(), Some("ok"));
    }
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn process_of_its_own() {
    let runtime = Runtime::new().unwrap();
    let ahead = Arc::new(AtomicU64::new(variable("AHEAD").parse().unwrap()));
    let service = Service::new(&ahead);
    let closing = service.clone();
    let is_stopping = service.is_stopping.clone();
    runtime.spawn(async move {
        signal(SignalKind::terminate()).unwrap().recv().await;
        // As a service takes no requests any more. What has begun goes on.
        is_stopping.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let closed = match closing.clients {
            Clients::Blocking(client, _) => {
                let closed = tokio::task::spawn_blocking(move || client.close());
                closed.await.unwrap()
            }
            Clients::Async(client, _) => client.close().await,
        };
        println!(
            "\nclosed={}",
            closed.map_or_else(|error| shown_error(&error), |()| "ok".into())
        );
        exit(0);
    });
    for command in stdin().lines() {
        let command = command.unwrap();
        let (verb, number) = command.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        let began = Instant::now();
        let tokens = match verb {
            "tokens" => {
                ahead.store(number, Ordering::SeqCst);
                service.tokens(&runtime)
            }
            _ => loop {
                let tokens = service.tokens(&runtime);
                if began.elapsed() > Duration::from_millis(number)
                    || tokens.iter().any(|token| token.starts_with('!'))
                {
                    break tokens;
                }
                thread::sleep(Duration::from_millis(20));
            },
        };
        println!("\nresult={}", serde_json::to_string(&tokens).unwrap());
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap()
}

#[derive(Clone)]
struct Service {
    clients: Clients,
    is_stopping: Arc<AtomicBool>,
}

/// A client and its users.
#[derive(Clone)]
enum Clients {
    Blocking(OAuth2Client, Vec<OAuth2Client>),
    Async(AsyncOAuth2Client, Vec<AsyncOAuth2Client>),
}

/// The client of a mode with these settings, and that for each user.
macro_rules! client {
    ($client:ident, $redis:ident, $store:ident, $ahead:ident) => {{
        let (store, ahead) = (variable("STORE"), $ahead.clone());
        let users: usize = variable("USERS").parse().unwrap();
        let clock = move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::SeqCst));
        let timeout = Duration::from_millis(variable("TIMEOUT").parse().unwrap());
        let mut builder = $client::builder(variable("CLIENT"))
            .token_endpoint(variable("TOKEN_ENDPOINT"))
            .timeout(timeout)
            .clock(Clock::from_fn(clock));
        if !variable("SECRET").is_empty() {
            builder = builder.client_secret(variable("SECRET"));
        }
        match store.starts_with("redis:") {
            true => {
                let redis = $redis::open(&store).unwrap();
                let store = move |user: &UserKey| $store::new(&redis, format!("tokens:{{{user}}}"));
                let builder = builder
                    .user_store(store)
                    // Longer than from one expiry to the next.
                    .user_idle_timeout(Duration::from_secs(1_000_000));
                let client = builder.build().unwrap();
                let users = (0..users).map(|n| client.for_user(user(n))).collect();
                (client, users)
            }
            false => {
                let client = builder
                    .token_store(FileTokenStore::new(store))
                    .build()
                    .unwrap();
                let users = vec![client.clone()];
                (client, users)
            }
        }
    }};
}

impl Service {
    fn new(ahead: &Arc<AtomicU64>) -> Self {
        let clients = match &*variable("MODE") {
            "Blocking" => {
                let (client, users) = client!(OAuth2Client, Redis, RedisTokenStore, ahead);
                Clients::Blocking(client, users)
            }
            _ => {
                let (client, users) =
                    client!(AsyncOAuth2Client, AsyncRedis, AsyncRedisTokenStore, ahead);
                Clients::Async(client, users)
            }
        };
        Self {
            clients,
            is_stopping: Arc::default(),
        }
    }

    /// The token of each user, at once.
    fn tokens(&self, runtime: &Runtime) -> Vec<String> {
        match &self.clients {
            Clients::Blocking(_, users) => {
                let tokens = Mutex::new(vec![String::new(); users.len()]);
                let next = Mutex::new(users.iter().enumerate());
                thread::scope(|scope| {
                    for _ in 0..THREADS.min(users.len()) {
                        scope.spawn(|| {
                            while !self.is_stopping.load(Ordering::SeqCst) {
                                let Some((n, user)) = next.lock().unwrap().next() else {
                                    return;
                                };
                                let token = shown(user.ensure_active_token());
                                tokens.lock().unwrap()[n] = token;
                            }
                        });
                    }
                });
                tokens.into_inner().unwrap()
            }
            Clients::Async(_, users) => runtime.block_on(async {
                let token = |user: &AsyncOAuth2Client| {
                    let user = user.clone();
                    tokio::spawn(async move { shown(user.ensure_active_token().await) })
                };
                let tokens: Vec<_> = users.iter().map(token).collect();
                let mut shown = Vec::new();
                for token in tokens {
                    shown.push(token.await.unwrap());
                }
                shown
            }),
        }
    }
}

fn shown(token: Result<Token, Error>) -> String {
    match token {
        Ok(token) => token.access_token().expose_secret().to_owned(),
        Err(error) => shown_error(&error),
    }
}

/// With what tells whether it may pass.
fn shown_error(error: &Error) -> String {
    let kind = error.kind();
    let login = error.needs_login();
    format!("!{kind:?} needs_login={login} {error:?}")
}
