//! Addresses that a server may have whose URL is not the caller's own.
//!
//! [RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::{Host, Url};

use crate::wire::secure_url::is_loopback;

/// Kind of an address, by who can reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AddressKind {
    Public,
    /// Of this machine.
    Loopback,
    /// Of another special-use range: an intranet, a test network.
    Private,
    /// Link-local, where clouds publish the credentials of their machines, or such an address
    /// elsewhere.
    Forbidden,
}

impl AddressKind {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether only some can reach it.
    fn is_special(self) -> bool {
        matches!(self, Self::Loopback | Self::Private)
    }

    /// The kind of a host that is an address, or a name for loopback. Other names have to be
    /// resolved first.
    fn of_literal(url: &Url) -> Option<Self> {
        match url.host()? {
            Host::Ipv4(address) => Some(of_v4(address)),
            Host::Ipv6(address) => Some(of_v6(address)),
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                let is_local = name == "localhost" || name.ends_with(".localhost");
                is_local.then_some(Self::Loopback)
            }
        }
    }
}

/// Metadata services of Alibaba Cloud, Azure and Oracle Cloud; all others are link-local.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// Metadata services of AWS and Google Cloud.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

fn of_v4(address: Ipv4Addr) -> AddressKind {
    if address.is_link_local() || METADATA_V4.contains(&address) {
        return AddressKind::Forbidden;
    }
    match address.octets() {
        [127, ..] => AddressKind::Loopback,
        [0 | 10, ..]
        | [100, 64..=127, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> AddressKind {
    if METADATA_V6.contains(&address) {
        return AddressKind::Forbidden;
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressKind::Private,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Loopback,
        // IPv4-mapped, IPv4-compatible, IPv4-translated, and NAT64 of a network with its prefix.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            embedded(high, low)
        }
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        // Local NAT64: its addresses may be embedded anywhere.
        [0x64, 0xff9b, 1, ..] => AddressKind::Private.max(embedded(segments[6], segments[7])),
        // 6to4.
        [0x2002, high, low, ..] => AddressKind::Private.max(embedded(high, low)),
        // Teredo and other protocol assignments, documentation, discard-only, segment routing.
        [0x2001, 0..=0x1ff, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..]
        | [0x100, 0, 0, 0 | 1, ..]
        | [0x5f00, ..] => AddressKind::Private,
        // Link-local.
        [0xfe80..=0xfebf, ..] => AddressKind::Forbidden,
        // Unique local, site-local, multicast.
        [0xfc00..=0xfdff | 0xfec0..=0xffff, ..] => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

/// Guard of the requests to a server that was discovered.
///
/// A server that the calling code names may live on a private address, and then so may the
/// endpoints in its metadata. A public one must not send the client to private addresses.
///
/// The hosts of a protected resource and of its server are named by strangers, even where the
/// calling code names the resource: they are never trusted.
pub(crate) struct AddressGuard {
    allow_private: bool,
    /// Whether any host may be on this machine.
    allow_loopback: bool,
    /// Whether hosts that the calling code names open no others, and others have public addresses
    /// alone.
    public_only: bool,
    state: Mutex<GuardState>,
}

#[derive(Default)]
struct GuardState {
    /// Hosts that the calling code names.
    named: BTreeSet<String>,
    /// Hosts that the platform names.
    of_platform: BTreeSet<String>,
    /// Other hosts that a request was made for, whose addresses are checked.
    targets: BTreeSet<String>,
    /// Whether a host that the calling code names was found on a private address.
    is_private: bool,
}

/// Address that a request must not be sent to.
#[derive(Debug)]
pub(crate) struct RefusedAddress(String);

impl StdError for RefusedAddress {}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AddressGuard {
    /// Guards requests to all servers but those that are named later.
    pub(crate) fn new(allow_private: bool) -> Self {
        Self {
            allow_private,
            allow_loopback: false,
            public_only: false,
            state: Mutex::default(),
        }
    }

    /// Guards requests to a server that a stranger names.
    pub(crate) fn of_stranger() -> Self {
        Self {
            public_only: true,
            ..Self::new(false)
        }
    }

    /// Guards the requests for a protected resource. Hosts on this machine are permitted if the
    /// resource is there.
    pub(crate) fn of_resource(resource: &Url, allow_private: bool) -> Self {
        Self {
            allow_loopback: is_loopback(resource),
            ..Self::new(allow_private)
        }
    }

    /// Records a URL that the calling code names.
    pub(crate) fn trust(&self, url: &Url) {
        if let Some(host) = url.host_str() {
            self.lock().named.insert(host.to_owned());
        }
    }

    /// Records a URL that the platform names. Its host may be on a private address, which says nothing
    /// about the addresses of other hosts.
    pub(crate) fn trust_platform(&self, url: &Url) {
        if let Some(host) = url.host_str() {
            self.lock().of_platform.insert(host.to_owned());
        }
    }

    /// Checks a URL before a request is sent there. The addresses of its host are checked when they
    /// are known.
    pub(crate) fn check_request(&self, url: &Url) -> Result<(), RefusedAddress> {
        let host = url.host_str().unwrap_or_default();
        match AddressKind::of_literal(url) {
            Some(kind) => {
                let mut state = self.lock();
                if state.named.contains(host) && kind.is_special() {
                    state.is_private = !self.public_only;
                }
                drop(state);
                self.check(host, kind)
            }
            None => {
                self.lock().targets.insert(host.to_owned());
                Ok(())
            }
        }
    }

    /// Checks a URL in the metadata of the server, as far as that is possible without resolving its
    /// host.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), RefusedAddress> {
        match AddressKind::of_literal(url) {
            Some(kind) => self.check(url.host_str().unwrap_or_default(), kind),
            None => Ok(()),
        }
    }

    /// The addresses of a host to which a request may be sent, if there are any. Other hosts than
    /// those of requests are proxies.
    pub(crate) fn permitted<T>(
        &self,
        host: &str,
        addresses: Vec<T>,
        address: impl Fn(&T) -> IpAddr,
    ) -> Result<Vec<T>, RefusedAddress> {
        let kind = |one: &T| AddressKind::of(address(one));
        let mut state = self.lock();
        let is_named = state.named.contains(host);
        if is_named && addresses.iter().any(|one| kind(one).is_special()) {
            state.is_private = !self.public_only;
        }
        if !is_named && !state.targets.contains(host) {
            return Ok(addresses);
        }
        drop(state);
        let mut refusal = None;
        let permits = |one: &T| match self.check(host, kind(one)) {
            Ok(()) => true,
            Err(refused) => {
                refusal = Some(refused);
                false
            }
        };
        let permitted: Vec<_> = addresses.into_iter().filter(permits).collect();
        match refusal {
            Some(refused) if permitted.is_empty() || self.public_only => Err(refused),
            _ => Ok(permitted),
        }
    }

    fn check(&self, host: &str, kind: AddressKind) -> Result<(), RefusedAddress> {
        let state = self.lock();
        let is_known = state.named.contains(host) || state.of_platform.contains(host);
        let may_be_private = self.allow_private || state.is_private || is_known;
        match kind {
            AddressKind::Forbidden => Err(RefusedAddress(format!(
                "{host} has a link-local address, or that of a cloud's metadata service, to which \
                 no request is sent"
            ))),
            AddressKind::Loopback if self.allow_loopback => Ok(()),
            AddressKind::Loopback | AddressKind::Private if self.public_only && !is_known => {
                Err(RefusedAddress(format!(
                    "{host} has a private address, and a stranger names it (public_only)"
                )))
            }
            AddressKind::Loopback | AddressKind::Private if !may_be_private => {
                Err(RefusedAddress(format!(
                    "{host} has a private address, and the server that names it is not known to be on \
                 one; dangerous_allow_private_addresses permits that"
                )))
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, GuardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AddressGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressGuard")
            .field("named", &self.lock().named)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
