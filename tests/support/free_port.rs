//! Ports for servers that are processes of their own.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// A port that is free, and that no server or connection gets that asks for any port: systems
/// give those from 32768 on. It is free for a server that is stopped for a while, too.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(next % 10_000).expect("less than 10,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
