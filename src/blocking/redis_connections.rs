//! Connections to a Redis server, shared by all stores.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{Client, Cmd, Connection, RedisResult, Value};

/// Limit of connections that are kept open while they are not used.
const IDLE: usize = 16;

/// A connection for each command at the same time, opened when there is none that is idle.
pub(super) struct RedisConnections {
    client: Client,
    timeout: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl RedisConnections {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        let idle = Mutex::default();
        Self {
            client,
            timeout,
            idle,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a command that may be sent twice, as it is when the connection was lost meanwhile.
    pub(super) fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        match self.query_on(connection, command) {
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                // The others lead to the same server.
                self.idle().clear();
                self.query_on(self.connect()?, command)
            }
            answer => answer,
        }
    }

    fn query_on(&self, mut connection: Connection, command: &Cmd) -> RedisResult<Value> {
        let answer = command.query(&mut connection);
        // After a timeout the answer of this command may still come.
        let is_in_step = !answer.as_ref().is_err_and(redis::RedisError::is_io_error);
        let mut idle = self.idle();
        if is_in_step && idle.len() < IDLE {
            idle.push(connection);
        }
        answer
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
