//! Tokens of users in a table of SQL, which several processes share: threads and tasks that have a
//! connection each stand for them here. Whatever their number, a token that has expired is renewed
//! once.
//!
//! ```sh
//! cargo run --manifest-path examples/sql_token_store/Cargo.toml
//! ```

// The files of another package, which formats them.
#[rustfmt::skip]
#[path = "../../provider/mod.rs"]
mod provider;
mod store;

use std::{path::Path, sync::Mutex, thread, time::Duration};

use oauth_twin::{
    AsyncOAuth2Client, AsyncTokenStore, BoxError, Clock, OAuth2Client, StoredToken, Token,
    TokenStore, oauth2::AuthorizationRequest,
};
use provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider, REDIRECT_URI};
use rusqlite::Connection;
use store::SqlTokenStore;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS tokens (user TEXT PRIMARY KEY, token TEXT, \
     version INTEGER DEFAULT 0, fence INTEGER DEFAULT 0, until INTEGER DEFAULT 0)";

/// Processes that share the tokens.
const PROCESSES: usize = 8;

/// The store of a user, with a connection of its own.
fn store(file: &Path, user: &str) -> Result<SqlTokenStore, BoxError> {
    let database = Connection::open(file)?;
    database.busy_timeout(Duration::from_secs(5))?;
    database.execute(TABLE, ())?;
    Ok(SqlTokenStore(Mutex::new(database).into(), user.to_owned()))
}

/// A process with the blocking client.
fn blocking(provider: &Provider, store: SqlTokenStore) -> Result<OAuth2Client, BoxError> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .redirect_uri(REDIRECT_URI)
        .token_store(store)
        .clock(provider.clock()) // only so that the example need not wait
        .build()?;
    Ok(client)
}

/// A process with the async client.
async fn asynchronous(
    token_endpoint: String,
    clock: Clock,
    store: SqlTokenStore,
) -> Result<Token, BoxError> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(token_endpoint)
        .token_store(store)
        .clock(clock)
        .build()?;
    let token = client.ensure_active_token().await?;
    client.close().await?;
    Ok(token)
}

fn main() -> Result<(), BoxError> {
    let provider = Provider::start();
    let folder = std::env::temp_dir().join(format!("sql-token-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("tokens.sqlite");

    // A user logs in, once.
    let client = blocking(&provider, store(&file, "alice")?)?;
    let login = client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = provider.user_logs_in(&login.url);
    client.complete_authorization(login.pending, &callback)?.keep()?;
    client.close()?;
    assert_eq!(provider.count().issued, 1);

    // Each time the token has expired, all processes need it at once.
    provider.advance(LIFETIME);
    thread::scope(|scope| {
        let processes = [(); PROCESSES].map(|()| {
            scope.spawn(|| {
                let client = blocking(&provider, store(&file, "alice")?)?;
                let answer = client.get(provider.url("/me")).send()?.error_for_status()?;
                client.close()?;
                Ok::<_, BoxError>(answer.text()?)
            })
        });
        processes.into_iter().try_for_each(|process| {
            assert!(process.join().expect("no panic")?.contains("alice"));
            Ok::<_, BoxError>(())
        })
    })?;
    println!("{PROCESSES} blocking processes: {} token requests", provider.count().issued - 1);
    assert_eq!(provider.count().issued, 2);

    provider.advance(LIFETIME);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (token_endpoint, clock) = (provider.url("/token"), provider.clock());
        processes.push(runtime.spawn(asynchronous(token_endpoint, clock, store(&file, "alice")?)));
    }
    for process in processes {
        runtime.block_on(process)??;
    }
    println!("{PROCESSES} async processes: {} token requests", provider.count().issued - 2);
    assert_eq!(provider.count().issued, 3);

    rules(store(&file, "bob")?, store(&file, "bob")?)?;
    runtime.block_on(AsyncTokenStore::load(&store(&file, "nobody")?))?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// What a store has to do: two processes have a user's row.
fn rules(one: SqlTokenStore, other: SqlTokenStore) -> Result<(), BoxError> {
    let (load, save) = (TokenStore::load, TokenStore::save);
    let stored = |token, version| StoredToken::new(Some(Token::new(token)), version);
    // One lease at a time. It ends by itself, and its holder gives back no other.
    let first = TokenStore::lease(&one, Duration::ZERO)?.ok_or("no lease")?;
    thread::sleep(Duration::from_millis(20));
    let second = TokenStore::lease(&other, Duration::from_secs(60))?.ok_or("no lease")?;
    drop(first);
    assert!(TokenStore::lease(&one, Duration::from_secs(60))?.is_none());
    drop(second);
    assert!(TokenStore::lease(&one, Duration::from_secs(60))?.is_some());
    // A version is stored once, and only behind the one before it.
    assert!(load(&one)?.is_none());
    assert!(!save(&one, &stored("a", 2))?);
    assert!(save(&one, &stored("a", 1))?);
    assert!(!save(&other, &stored("b", 1))?);
    assert_eq!(load(&other)?, Some(stored("a", 1)));
    assert!(save(&other, &StoredToken::new(None, 2))?);
    assert_eq!(load(&one)?, Some(StoredToken::new(None, 2)));
    Ok(())
}
