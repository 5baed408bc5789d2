//! The clients: each with a token of its own in a store, or with children for the users of a back
//! end.

use std::{
    ops::Deref,
    panic::panic_any,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use oauth_twin::{
    AsyncOAuth2Client, BoxError, Error, ErrorKind, FileTokenStore, OAuth2Client, Result, Token,
    TokenUpdate,
};

use crate::{
    CLIENT_TIMEOUT, CLOSE_TIMEOUT, Soak,
    stores::{FaultyTokenStore, MemoryTokenStore},
};

/// The payload of the panics that hooks are to have.
pub struct PlannedPanic;

/// The methods that are the same in both modes.
pub trait Client: Clone + Send + Sync + 'static {
    fn for_token(&self, token: Token) -> Self;
    fn token(&self) -> Option<Token>;
    fn set_token(&self, token: Token) -> Result<()>;
}

/// A client and the users whose tokens it holds.
pub struct Service<C> {
    client: RwLock<CheckedOut<C>>,
    /// Whether the client is checked out no more.
    draining: AtomicBool,
    pub users: Users,
    /// Whether the token of its one user is the client's own.
    pub has_store: bool,
    build: Box<dyn Fn() -> Result<C> + Send + Sync>,
    login: Mutex<()>,
}

/// A client, or a child of it, that is in use.
#[derive(Clone)]
pub struct CheckedOut<C> {
    client: C,
    users: Arc<()>,
}

impl<C> CheckedOut<C> {
    fn new(client: C) -> Self {
        Self {
            client,
            users: Arc::default(),
        }
    }
}

impl<C> Deref for CheckedOut<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.client
    }
}

pub type AsyncService = Service<AsyncOAuth2Client>;
pub type BlockingService = Service<OAuth2Client>;

pub type Users = Arc<[User]>;

/// A user, whose token stands in a row of the back end.
pub struct User {
    pub number: usize,
    pub lifetime: Duration,
    row: Mutex<Token>,
}

impl User {
    fn new(number: usize, lifetime: u64, soak: &Soak) -> Self {
        let lifetime = Duration::from_secs(lifetime);
        let row = Mutex::new(soak.ledger.login(number, lifetime));
        Self {
            number,
            lifetime,
            row,
        }
    }

    /// Users with tokens of 1 and of 3 seconds.
    pub fn several(first: usize, count: usize, soak: &Soak) -> Users {
        (first..first + count)
            .map(|number| Self::new(number, [1, 3][number % 2], soak))
            .collect()
    }

    pub fn row(&self) -> Token {
        self.lock().clone()
    }

    /// Replaces the row by a token that is newer.
    fn store(&self, token: &Token, soak: &Soak) {
        let mut row = self.lock();
        if soak.ledger.numbered(token) > soak.ledger.numbered(&row) {
            row.clone_from(token);
        }
    }

    /// Least number of token requests in `time`, with the default leeway.
    pub fn least_requests(&self, time: Duration) -> f64 {
        let leeway = Duration::from_secs(60).min(self.lifetime / 2);
        time.as_secs_f64() / (self.lifetime - leeway).as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, Token> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Client> Service<C> {
    fn new(
        users: Users,
        has_store: bool,
        build: impl Fn() -> Result<C> + Send + Sync + 'static,
    ) -> Result<Self> {
        let client = build()?;
        if has_store {
            // The token is in use, whether the store takes it now or later.
            let is_kept_for_later = |error: &Error| error.kind() == ErrorKind::Update;
            let given = client.set_token(users[0].row());
            given.or_else(|error| is_kept_for_later(&error).then_some(()).ok_or(error))?;
        }
        Ok(Self {
            client: RwLock::new(CheckedOut::new(client)),
            draining: AtomicBool::new(false),
            users,
            has_store,
            build: Box::new(build),
            login: Mutex::default(),
        })
    }

    pub fn client(&self) -> C {
        self.read().client.clone()
    }

    /// The client for the token of a user, unless it is being replaced.
    pub fn check_out(&self, user: &User) -> Option<CheckedOut<C>> {
        let CheckedOut { client, users } = self.read().clone();
        if self.draining.load(Ordering::SeqCst) {
            return None;
        }
        let client = match self.has_store {
            true => client,
            false => client.for_token(user.row()),
        };
        Some(CheckedOut { client, users })
    }

    /// Prevents the checkout of a client with children, as these stay open when it is closed
    /// and must not renew what its successor does. Returns whether none of them is in use.
    pub fn drain(&self) -> bool {
        self.draining.store(!self.has_store, Ordering::SeqCst);
        self.has_store || Arc::strong_count(&self.read().users) == 1
    }

    /// A new client instead of one that was closed.
    pub fn rebuild(&self) {
        let client = (self.build)().expect("settings that were good before");
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = CheckedOut::new(client);
        self.draining.store(false, Ordering::SeqCst);
    }

    fn read(&self) -> RwLockReadGuard<'_, CheckedOut<C>> {
        self.client.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user logs in once more, if nothing else helps.
    pub fn log_in_if_revoked(&self, user: &User, client: &C, soak: &Soak) {
        // One of those who have noticed does it.
        let Ok(_login) = self.login.try_lock() else {
            return;
        };
        let token = match self.has_store {
            true => client.token(),
            false => Some(user.row()),
        };
        if token.is_none_or(|token| soak.ledger.is_revoked(&token)) {
            self.log_in(user, client, soak);
        }
    }

    /// The user logs in.
    pub fn log_in(&self, user: &User, client: &C, soak: &Soak) {
        let token = soak.ledger.login(user.number, user.lifetime);
        user.store(&token, soak);
        // It is an error of a client that is being closed, or of a store.
        let _ = client.set_token(token);
    }
}

/// The `update_token` hook of all clients.
#[derive(Clone)]
struct UpdateHook {
    soak: Arc<Soak>,
    users: Users,
}

impl UpdateHook {
    /// Duration of the hook, or its failure. It may panic.
    fn fault(&self, update: &TokenUpdate) -> Result<Duration, BoxError> {
        if self.soak.faultless.load(Ordering::SeqCst) {
            return Ok(Duration::ZERO);
        }
        let user = self.user(update).number;
        let mut rng = self.soak.random.next("hook", user);
        match rng.below(100) {
            0..3 => Err("the database is out of order".into()),
            3..6 => panic_any(PlannedPanic),
            6..9 => Ok(rng.millis(1000, 3000)),
            9..20 => Ok(rng.millis(1, 50)),
            _ => Ok(Duration::ZERO),
        }
    }

    fn store(&self, update: &TokenUpdate) {
        self.user(update).store(&update.token, &self.soak);
        self.soak.ledger.keep(&update.token);
    }

    fn user(&self, update: &TokenUpdate) -> &User {
        let number = self.soak.ledger.user_of(&update.token);
        &self.users[number - self.users[0].number]
    }
}

/// A builder with what the clients of both modes have in common.
macro_rules! builder {
    ($client:ident, $hook:expr) => {{
        let hook: &UpdateHook = &$hook;
        let [sent, received] = hook.soak.ledger.hooks();
        $client::builder("soak")
            .client_secret("secret")
            .token_endpoint(hook.soak.url("/token"))
            .timeout(CLIENT_TIMEOUT)
            .close_timeout(CLOSE_TIMEOUT)
            .compliance_hook(sent)
            .compliance_hook(received)
            .configure_http(|http| http.no_proxy())
    }};
}

/// The services of a mode.
macro_rules! services {
    ($client:ident, $with_hook:ident, $name:literal) => {
        impl Client for $client {
            fn for_token(&self, token: Token) -> Self {
                self.for_token(token)
            }

            fn token(&self) -> Option<Token> {
                self.token()
            }

            fn set_token(&self, token: Token) -> Result<()> {
                self.set_token(token)
            }
        }

        impl Service<$client> {
            /// A service whose users' tokens are those of children.
            pub fn with_children(users: Users, soak: &Arc<Soak>) -> Result<Arc<Self>> {
                let hook = UpdateHook {
                    soak: soak.clone(),
                    users: users.clone(),
                };
                let build = move || {
                    let builder = builder!($client, hook);
                    $with_hook!(builder, hook.clone()).build()
                };
                Self::new(users, false, build).map(Arc::new)
            }

            /// Services with one token each, in a file or in memory.
            pub fn with_stores(
                users: Vec<Users>,
                folder: &Path,
                soak: &Arc<Soak>,
            ) -> Result<Vec<Arc<Self>>> {
                let service = |(n, users): (usize, Users)| {
                    let path: PathBuf = folder.join(format!("{}-{n}.json", $name));
                    let (file, memory) = (FileTokenStore::new(path), MemoryTokenStore::default());
                    let hook = UpdateHook {
                        soak: soak.clone(),
                        users: users.clone(),
                    };
                    let build = move || {
                        let (soak, user) = (hook.soak.clone(), hook.users[0].number);
                        let builder = builder!($client, hook);
                        let builder = $with_hook!(builder, hook.clone());
                        match n % 4 < 2 {
                            true => builder.token_store(FaultyTokenStore {
                                store: file.clone(),
                                soak,
                                user,
                            }),
                            false => builder.token_store(FaultyTokenStore {
                                store: memory.clone(),
                                soak,
                                user,
                            }),
                        }
                        .build()
                    };
                    Self::new(users, true, build).map(Arc::new)
                };
                users.into_iter().enumerate().map(service).collect()
            }
        }
    };
}

macro_rules! with_async_hook {
    ($builder:expr, $hook:expr) => {{
        let hook = $hook;
        $builder.update_token(move |update: TokenUpdate| {
            let hook = hook.clone();
            async move {
                tokio::time::sleep(hook.fault(&update)?).await;
                hook.store(&update);
                Ok::<(), BoxError>(())
            }
        })
    }};
}

macro_rules! with_blocking_hook {
    ($builder:expr, $hook:expr) => {{
        let hook = $hook;
        $builder.update_token(move |update: TokenUpdate| {
            thread::sleep(hook.fault(&update)?);
            hook.store(&update);
            Ok(())
        })
    }};
}

services!(AsyncOAuth2Client, with_async_hook, "async");
services!(OAuth2Client, with_blocking_hook, "blocking");
