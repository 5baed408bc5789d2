//! Sockets of the loopback receiver.
//!
//! [RFC 8252 section 8.3](https://www.rfc-editor.org/rfc/rfc8252#section-8.3)

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use crate::{
    error::{Error, Result},
    login::loopback_uri::{LoopbackHost, LoopbackUri},
};

/// Maximum number of ports that are tried for one that is free in both families.
const ATTEMPTS: usize = 20;

/// Error number of a family that the system does not support: Linux, BSD and macOS, Windows.
const NO_SUCH_FAMILY: [i32; 3] = [97, 47, 10047];

/// Binds the sockets for `uri`, and returns them with their port.
pub(crate) fn bind(uri: &LoopbackUri) -> Result<(Vec<TcpListener>, u16)> {
    let bound = bind_by(uri, |address| {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    bound.map_err(|(address, error)| {
        let advice = match (error.kind(), uri.port) {
            (io::ErrorKind::AddrInUse, Some(_)) => {
                "; another program has this port, perhaps another login: end it, or register \
                 another redirect_uri"
            }
            _ => "",
        };
        Error::login(format!(
            "cannot listen on {address}, to which the browser is to return ({error}){advice}"
        ))
    })
}

/// The same with sockets of any kind.
fn bind_by<L>(
    uri: &LoopbackUri,
    mut bind: impl FnMut(SocketAddr) -> io::Result<(L, u16)>,
) -> Result<(Vec<L>, u16), (SocketAddr, io::Error)> {
    let wanted = uri.port.unwrap_or(0);
    let mut bind = |ip: IpAddr, port: u16| {
        let address = SocketAddr::new(ip, port);
        bind(address).map_err(|error| (address, error))
    };
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    if let LoopbackHost::Address(address) = uri.address {
        let (listener, port) = bind(address, wanted)?;
        return Ok((vec![listener], port));
    }
    let mut attempt = 1;
    loop {
        let (first, port) = match bind(v4, wanted) {
            Ok(bound) => bound,
            Err((_, error)) if is_missing(&error) => {
                let (listener, port) = bind(v6, wanted)?;
                return Ok((vec![listener], port));
            }
            Err(error) => return Err(error),
        };
        // The browser decides which family it connects to, and so both have to be ours.
        match bind(v6, port) {
            Ok((second, _)) => return Ok((vec![first, second], port)),
            // A family that the machine lacks cannot be taken by another user either.
            Err((_, error)) if is_missing(&error) => return Ok((vec![first], port)),
            Err((_, error))
                if error.kind() == io::ErrorKind::AddrInUse
                    && wanted == 0
                    && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the machine lacks the family of the address.
fn is_missing(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable
        || number.is_some_and(|number| NO_SUCH_FAMILY.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses that are bound where `problem` says what is wrong with some.
    fn bound(
        uri: &str,
        problem: impl Fn(SocketAddr) -> Option<io::Error>,
    ) -> Result<(Vec<SocketAddr>, u16), io::ErrorKind> {
        let uri = LoopbackUri::parse(uri).expect(uri).expect(uri);
        let mut free = 5000;
        let bound = bind_by(&uri, |mut address| {
            if address.port() == 0 {
                free += 1;
                address.set_port(free);
            }
            match problem(address) {
                Some(error) => Err(error),
                None => Ok((address, address.port())),
            }
        });
        bound.map_err(|(_, error)| error.kind())
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let parse = |text: &&str| text.parse().expect("an address");
        texts.iter().map(parse).collect()
    }

    #[test]
    fn an_address_is_exactly_that_socket() {
        for (uri, address) in [
            ("http://127.0.0.1/", "127.0.0.1:5001"),
            ("http://127.0.0.1:8250/", "127.0.0.1:8250"),
            ("http://127.0.0.9:8250/", "127.0.0.9:8250"),
            ("http://[::1]:8250/", "[::1]:8250"),
        ] {
            let (bound, _) = bound(uri, |_| None).expect(uri);
            assert_eq!(bound, addresses(&[address]));
        }
    }

    #[test]
    fn localhost_is_both_families_on_one_port() {
        let (both, port) = bound("http://localhost/", |_| None).expect("two sockets");
        assert_eq!(both, addresses(&["127.0.0.1:5001", "[::1]:5001"]));
        assert_eq!(port, 5001);
        let (both, _) = bound("http://localhost:8250/", |_| None).expect("two sockets");
        assert_eq!(both, addresses(&["127.0.0.1:8250", "[::1]:8250"]));
        // A port that is in use in one family is not taken.
        let (both, _) = bound("http://localhost/", |address| {
            let taken = address.is_ipv6() && address.port() < 5003;
            taken.then(|| io::ErrorKind::AddrInUse.into())
        })
        .expect("two sockets");
        assert_eq!(both, addresses(&["127.0.0.1:5003", "[::1]:5003"]));
    }

    #[test]
    fn a_family_that_the_machine_lacks_is_no_error() {
        let missing = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let unsupported = || io::Error::from_raw_os_error(97);
        for error in [&missing as &dyn Fn() -> io::Error, &unsupported] {
            let without = |v6: bool| {
                bound("http://localhost:8250/", |address| {
                    (address.is_ipv6() == v6).then(error)
                })
            };
            assert_eq!(without(true).expect("v4").0, addresses(&["127.0.0.1:8250"]));
            assert_eq!(without(false).expect("v6").0, addresses(&["[::1]:8250"]));
            assert!(bound("http://localhost:8250/", |_| Some(error())).is_err());
            assert!(bound("http://[::1]:8250/", |_| Some(error())).is_err());
        }
    }

    #[test]
    fn a_family_that_is_in_use_is_an_error() {
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied] {
            for v6 in [true, false] {
                let error = bound("http://localhost:8250/", |address| {
                    (address.is_ipv6() == v6).then(|| kind.into())
                });
                assert_eq!(error.expect_err("an error"), kind);
            }
        }
        // Nor is it tried for ever.
        let error = bound("http://localhost/", |address| {
            address.is_ipv6().then(|| io::ErrorKind::AddrInUse.into())
        });
        assert_eq!(error.expect_err("an error"), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let uri = format!("http://127.0.0.1:{port}/cb");
        let uri = LoopbackUri::parse(&uri).expect("a URI").expect("loopback");
        let error = bind(&uri).expect_err("in use");
        let text = error.to_string();
        assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
        assert!(text.contains("another program has this port"), "{text}");
    }
}
