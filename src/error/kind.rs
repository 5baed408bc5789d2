//! Kinds of errors, by whose fault they are.

/// Kind of an [`Error`](super::Error): whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The network: no connection, a timeout, a broken connection.
    Transport,
    /// The server: an OAuth error response or an HTTP error status.
    Server,
    /// The received message: a response or a callback that violates the RFC, or a signed token that
    /// cannot be trusted.
    Answer,
    /// The calling code: an invalid setting, an invalid argument, a request that must not be sent.
    Usage,
    /// The token: there is no usable one, and none can be obtained without the user.
    Token,
    /// The login of the user: it was not completed in time, or nobody can complete it here.
    Login,
    /// The caller's own callback or token store: it did not save the client's token, which is
    /// usable all the same.
    Update,
    /// The token store: it could not be read or granted no lease, so nothing was renewed.
    Store,
    /// The client: it is closed.
    Closed,
    /// A callback: it called a method that would wait for the callback itself.
    Reentrant,
    /// The operation: it was cut off by a shutdown of its runtime or by a panic, the wait for it timed
    /// out, or the system had no thread or no random numbers for it.
    Interrupted,
}
