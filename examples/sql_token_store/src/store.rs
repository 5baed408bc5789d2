//! The token of a user in a table of SQL, for any number of processes and machines.

use std::{sync::Arc, sync::Mutex, sync::MutexGuard, time::Duration};

use oauth_twin::{AsyncTokenStore, BoxError, Lease, StoredToken, TokenStore};
use rusqlite::{Connection, OptionalExtension};
use tokio::task::spawn_blocking;

const ROW: &str = "INSERT OR IGNORE INTO tokens (user) VALUES (?)";
const LOAD: &str = "SELECT token, version FROM tokens WHERE user = ? AND version > 0";
const SAVE: &str = "UPDATE tokens SET token = ?2, version = ?3 WHERE user = ?1 AND version = ?3-1";
/// In milliseconds by the clock of the database, which is one for all machines.
const LEASE: &str = "UPDATE tokens SET fence = fence + 1, until = unixepoch('subsec') * 1000 + ?2 \
     WHERE user = ?1 AND until < unixepoch('subsec') * 1000 RETURNING fence";
const RELEASE: &str = "UPDATE tokens SET until = 0 WHERE user = ?1 AND fence = ?2";

/// A connection, and the user whose row it is.
#[derive(Clone)]
pub struct SqlTokenStore(pub Arc<Mutex<Connection>>, pub String);

impl SqlTokenStore {
    fn database(&self) -> Result<MutexGuard<'_, Connection>, BoxError> {
        Ok(self.0.lock().map_err(|_| "a thread panicked")?)
    }
}

impl TokenStore for SqlTokenStore {
    fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let row: Option<(Option<String>, i64)> =
            self.database()?.query_one(LOAD, [&self.1], read).optional()?;
        let Some((json, version)) = row else { return Ok(None) };
        let token = json.map(|json| serde_json::from_str(&json)).transpose()?;
        Ok(Some(StoredToken::new(token, version.try_into()?)))
    }

    fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let json = next.token.as_ref().map(serde_json::to_string).transpose()?;
        let database = self.database()?;
        database.execute(ROW, [&self.1])?;
        Ok(database.execute(SAVE, (&self.1, json, i64::try_from(next.version)?))? == 1)
    }

    fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        let (database, time) = (self.database()?, i64::try_from(time.as_millis())?);
        database.execute(ROW, [&self.1])?;
        let fence = database.query_one(LEASE, (&self.1, time), |row| row.get(0)).optional()?;
        Ok(fence.map(|fence| Lease::new(Held(self.clone(), fence))))
    }
}

/// A lease with its number. Only its holder gives it back; otherwise it ends by itself.
struct Held(SqlTokenStore, i64);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.database().map(|it| it.execute(RELEASE, (&self.0.1, self.1)));
    }
}

/// The same on threads for blocking work.
impl AsyncTokenStore for SqlTokenStore {
    async fn load(&self) -> Result<Option<StoredToken>, BoxError> {
        let store = self.clone();
        spawn_blocking(move || TokenStore::load(&store)).await?
    }

    async fn save(&self, next: &StoredToken) -> Result<bool, BoxError> {
        let (store, next) = (self.clone(), next.clone());
        spawn_blocking(move || TokenStore::save(&store, &next)).await?
    }

    async fn lease(&self, time: Duration) -> Result<Option<Lease>, BoxError> {
        let store = self.clone();
        spawn_blocking(move || TokenStore::lease(&store, time)).await?
    }
}
