//! A token in Redis.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{super::maybe_async, RedisConnections, TokenStore, redis_server::SharedServer};
use crate::{
    error::{BoxError, Error, Result},
    oauth2::client::RegisteredClient,
    random, tls,
    token_store::{
        Lease, StoredToken,
        redis::{Commands, RedisKeys, SealingKeys, explained_url, is_encrypted},
    },
};

/// Timeout of a connection and of a command. Both twice are less than the time that a client waits
/// for its store.
const TIMEOUT: Duration = Duration::from_secs(2);

paired! {
    /// Redis server of all token stores of a service. Cheap to clone: clones share the connection.
    ///
    #[doc = by_mode!(
        "Commands that run at the same time have a connection each; up to 16 that are idle stay open.",
        "All commands share one connection. It is opened when it is first needed, in the runtime that \
         runs then, and again when it is lost."
    )]
    #[derive(Clone)]
    pub struct Redis | AsyncRedis {
        server: Arc<SharedServer>,
    }
}

impl Redis {
    /// Names the server by its URL: `redis://:password@host:6379/0`, `rediss://` with TLS, which
    /// needs the feature `rustls`, or `unix:/path/of/socket`. Nothing is connected yet.
    ///
    /// TLS trusts the authorities of the system, or those in the file that the variable
    /// `SSL_CERT_FILE` names.
    ///
    /// # Errors
    ///
    /// If it is not such a URL. The error does not quote it, as it may contain a password.
    pub fn open(url: &str) -> Result<Self> {
        if is_encrypted(url) {
            // Its TLS uses the provider of the process.
            tls::install_provider();
        }
        let client =
            ::redis::Client::open(url).map_err(|error| Error::usage(explained_url(url, &error)))?;
        Ok(Self::with(client, TIMEOUT))
    }

    /// Limits how long connecting and each command take. Defaults to 2 seconds. A client waits for
    /// its store for at most 10 seconds, or for its own timeout if that is shorter, and a command
    /// may be sent twice.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::with(self.server.connections.client().clone(), timeout)
    }

    fn with(client: ::redis::Client, timeout: Duration) -> Self {
        let connections = RedisConnections::new(client, timeout);
        let server = Arc::new(SharedServer::new(connections));
        Self { server }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = &self.server.connections;
        let address = connections.client().get_connection_info().addr();
        f.debug_struct(by_mode!("Redis", "AsyncRedis"))
            .field("address", &format_args!("{address}"))
            .field("timeout", &connections.timeout())
            .finish()
    }
}

paired! {
    /// Token store in Redis, for a service of several processes or machines. It needs the feature
    /// `redis`, and Redis 5 or later.
    ///
    #[doc = by_mode!(
        include_str!("../../../docs/examples/blocking/redis_token_store.md"),
        include_str!("../../../docs/examples/async/redis_token_store.md")
    )]
    ///
    /// The lease is a key of its own with an owner, set by `SET NX PX`, and released by its owner only.
    /// Each lease has a fencing number, which grows. A save is a compare and swap on the server; it is
    /// refused if a token was saved under a later lease than any that this store knows of. While Redis
    /// cannot be reached, no token is renewed: a token that is still valid is used, and otherwise there
    /// is a transient error of [`ErrorKind::Store`](crate::ErrorKind::Store).
    ///
    /// Redis must keep what it has acknowledged: set `appendonly yes`, and `maxmemory-policy noeviction`.
    /// A failover to a replica that lags behind may lose a lease or a token; so may a restart without
    /// `appendfsync always`. If a row is lost, its user has to log in again. A process that is killed
    /// after the server has answered and before Redis has stored the token leaves a used refresh token
    /// behind: no client can prevent that where refresh tokens are good for one use.
    ///
    /// A client that registers itself has its registrations under a key beside that of the token, by
    /// issuer, so that it registers once, whatever process it is in.
    ///
    /// # Security
    ///
    /// Who can read Redis reads the tokens, unless they are [`sealed`](Self::sealed). The connection is
    /// encrypted with `rediss://` only.
    #[derive(Clone)]
    pub struct RedisTokenStore | AsyncRedisTokenStore {
        server: Arc<SharedServer>,
        commands: Result<Commands, Arc<str>>,
        /// The latest fencing number that is known.
        fence: Arc<AtomicU64>,
    }
}

impl RedisTokenStore {
    /// Stores a token under `key`, its lease beside it. Does no I/O.
    ///
    /// In a cluster both must have one hash slot: put the user into braces, as in `tokens:{alice}`. A
    /// user's name that may contain braces or colons is to be percent-encoded, so that no two users
    /// have one key. The store talks to one address; in a cluster that is a proxy.
    pub fn new(redis: &Redis, key: impl Into<String>) -> Self {
        let keys = RedisKeys::new(key.into());
        Self {
            server: redis.server.clone(),
            commands: keys
                .map(|keys| Commands {
                    keys,
                    sealing: None,
                    expire_after: None,
                })
                // Each call of the store returns it, as this one cannot.
                .map_err(|error| error.to_string().into()),
            fence: Arc::default(),
        }
    }

    /// Encrypts the token, and registrations. Defaults to plain text.
    ///
    /// A token that is stored in plain text is refused then: its user has to log in again.
    pub fn sealed(self, keys: SealingKeys) -> Self {
        self.with(|commands| commands.sealing = Some(keys))
    }

    /// Lets the row expire when it was neither read nor written for that long. Defaults to never.
    ///
    /// A client reads it when it first needs the token and when it renews it, so the time must be
    /// longer than a user may stay away, and longer than a token is valid.
    pub fn expire_after(self, time: Duration) -> Self {
        self.with(|commands| commands.expire_after = Some(time))
    }

    fn with(mut self, change: impl FnOnce(&mut Commands)) -> Self {
        if let Ok(commands) = &mut self.commands {
            change(commands);
        }
        self
    }

    fn commands(&self) -> Result<&Commands, BoxError> {
        self.commands.as_ref().map_err(|error| (**error).into())
    }

    /// Notes a fencing number of the server.
    fn learn(&self, fence: u64) {
        self.fence.fetch_max(fence, Ordering::SeqCst);
    }
}

impl fmt::Debug for RedisTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(by_mode!("RedisTokenStore", "AsyncRedisTokenStore"));
        match &self.commands {
            Ok(Commands {
                keys,
                sealing,
                expire_after,
            }) => debug
                .field("key", &keys.row)
                .field("sealed", sealing)
                .field("expire_after", expire_after),
            Err(error) => debug.field("invalid", error),
        }
        .finish()
    }
}

#[maybe_async(AFIT)]
impl TokenStore for RedisTokenStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let commands = self.commands()?;
        let answer = self.server.query(&commands.load()).await?;
        let (stored, fence) = commands.loaded(answer)?;
        self.learn(fence);
        Ok(stored)
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let commands = self.commands()?;
        let save = commands.save(next, self.fence.load(Ordering::SeqCst))?;
        let answer = self.server.query(&save).await?;
        commands.is_done(answer)
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        let (commands, time) = (self.commands()?, time.min(LONGEST_LEASE));
        // Made before the server is asked: if the answer does not come, it releases what the server
        // may have granted.
        let owner = owner()?;
        let mut lease = RedisLease {
            server: self.server.clone(),
            release: Some(commands.release(&owner)),
            until: Instant::now() + time,
            is_granted: false,
        };
        let answer = self.server.query(&commands.lease(&owner, time)).await?;
        match commands.leased(answer)? {
            Some(fence) => {
                lease.is_granted = true;
                self.learn(fence);
                Ok(Some(Lease::new(lease)))
            }
            None => {
                lease.release = None;
                Ok(None)
            }
        }
    }

    async fn load_registration(&self, issuer: &str) -> Result<Option<RegisteredClient>, BoxError> {
        let commands = self.commands()?;
        let load = commands.load_registration(issuer);
        commands.loaded_registration(issuer, self.server.query(&load).await?)
    }

    async fn save_registration(
        &self,
        issuer: &str,
        registration: Option<&RegisteredClient>,
    ) -> Result<(), BoxError> {
        let save = self.commands()?.save_registration(issuer, registration)?;
        self.server.query(&save).await?;
        Ok(())
    }

    async fn release(&self, lease: Lease) -> Result<(), BoxError> {
        let Ok(mut lease) = lease.into_guard::<RedisLease>() else {
            return Err("the lease is that of another store".into());
        };
        if let Some(release) = &lease.release {
            // If it fails, or is not waited for to its end, the drop of the lease makes up for it.
            lease.server.query(release).await?;
        }
        lease.release = None;
        Ok(())
    }
}

/// Longer than any request, and not too long for a server or a clock.
const LONGEST_LEASE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Lease that is held, or may be.
struct RedisLease {
    server: Arc<SharedServer>,
    /// None once it is released.
    release: Option<::redis::Cmd>,
    until: Instant,
    /// Whether the server has answered that it is held.
    is_granted: bool,
}

impl Drop for RedisLease {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            let server = self.server.clone();
            server.release_later(release, self.until, self.is_granted);
        }
    }
}

/// A name that no other lease has.
fn owner() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let name = random::identifier(now.unwrap_or_default())?;
    Ok(name.iter().map(|byte| char::from(*byte)).collect())
}
