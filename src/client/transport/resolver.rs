//! Resolver whose addresses are checked before a connection is made.

use std::{
    error::Error as StdError,
    future::Future,
    net::{SocketAddr, ToSocketAddrs as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::http;
use crate::{
    error::BoxError,
    oauth2::server::address::{AddressGuard, RefusedAddress},
};

/// The system's resolver, behind a guard. It is the same in both modes: reqwest's blocking client
/// calls it in a runtime of its own.
struct GuardedResolver(Arc<AddressGuard>);

/// Guard of the addresses of a server that others name, and how it is set: led to from here alone, so that
/// programs whose servers are all given do not contain the resolver.
#[derive(Clone, Debug)]
pub(in super::super) struct Guard {
    pub(in super::super) addresses: Arc<AddressGuard>,
    set: fn(http::ClientBuilder, &Arc<AddressGuard>) -> http::ClientBuilder,
}

impl Guard {
    pub(in super::super) fn new(addresses: AddressGuard) -> Self {
        Self {
            addresses: Arc::new(addresses),
            set: |builder, addresses| {
                builder.dns_resolver(Arc::new(GuardedResolver(addresses.clone())))
            },
        }
    }

    /// Sets the guard of the connections.
    pub(super) fn set(&self, builder: http::ClientBuilder) -> http::ClientBuilder {
        (self.set)(builder, &self.addresses)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(Lookup(spawn_blocking(move || {
            let addresses = (name.as_str(), 0).to_socket_addrs()?.collect();
            Ok(guard.permitted(name.as_str(), addresses, SocketAddr::ip)?)
        })))
    }
}

/// Lookup on a thread.
struct Lookup(JoinHandle<Result<Vec<SocketAddr>, BoxError>>);

impl Future for Lookup {
    type Output = Result<Addrs, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(match found {
            Ok(Ok(addresses)) => Ok(Box::new(addresses.into_iter())),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(error.into()),
        })
    }
}

/// The address for which a request was not sent, if that is why it failed.
pub(super) fn refused_address(error: &reqwest::Error) -> Option<&RefusedAddress> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}
