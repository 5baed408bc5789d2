//! Ports that refuse connections.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Socket, Type};

/// A port of loopback on which nobody listens, and which no other test gets meanwhile: a port
/// that was only seen to be free may be another server's a moment later.
pub struct ClosedPort {
    socket: Socket,
    address: SocketAddr,
}

impl ClosedPort {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("a port");
        let address = socket.local_addr().expect("an address");
        let address = address.as_socket().expect("an address of IPv4");
        Self { socket, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same port, with a listener from now on.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn listen(&self) -> io::Result<TcpListener> {
        self.socket.listen(128)?;
        Ok(self.socket.try_clone()?.into())
    }
}
