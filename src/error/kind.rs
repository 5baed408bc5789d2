//! Whose fault an error is.

/// Whose fault an [`Error`](super::Error) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The network: no connection, no answer in time, a connection that broke.
    Transport,
    /// The server refused or failed: an OAuth error or an HTTP error status.
    Server,
    /// What came from the other side is not what the RFC says: an answer, a callback, or a signed
    /// token that cannot be trusted.
    Answer,
    /// The caller: a bad setting, a bad argument, a request that must not be sent.
    Usage,
    /// There is no token that could be used, and no way to get one without the person.
    Token,
    /// The caller's own callback or token store did not take what the client holds, which is usable
    /// all the same.
    Update,
    /// The token store could not be read or gave no lease, so nothing was renewed.
    Store,
    /// The client is closed.
    Closed,
    /// A callback called a method that would wait for the callback itself.
    Reentrant,
    /// The work was cut off: its runtime shut down, or it panicked.
    Interrupted,
}
