//! Connection to a Redis server, shared by all stores.

use std::{sync::OnceLock, time::Duration};

use redis::{
    Client, Cmd, RedisResult, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// One connection, which all commands share, and which is opened again when it is lost.
pub(super) struct RedisConnections {
    client: Client,
    timeout: Duration,
    /// Set at the first command, as it needs the runtime.
    manager: OnceLock<ConnectionManager>,
}

impl RedisConnections {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        let manager = OnceLock::new();
        Self {
            client,
            timeout,
            manager,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a command that may be sent twice, as it is when the connection was lost meanwhile.
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let mut manager = self.manager()?;
        let answer = command.query_async(&mut manager).await;
        match answer {
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                command.query_async(&mut manager).await
            }
            answer => answer,
        }
    }

    fn manager(&self) -> RedisResult<ConnectionManager> {
        if let Some(manager) = self.manager.get() {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            // Whoever needs the connection next tries again.
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(self.manager.get_or_init(|| manager).clone())
    }
}
