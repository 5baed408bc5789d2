//! A proxy that loses or delays what goes to a Redis server and back.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Part of the script of a command.
pub const LEASE: &str = "'NX'";
pub const SAVE: &str = "'HSET', KEYS[1], 'version'";
pub const RELEASE: &str = "'DEL'";

#[derive(Clone)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The command whose answers are lost, and how many times.
    lost: Mutex<(&'static str, usize)>,
    /// The command that is held back.
    held: Mutex<Option<&'static str>>,
    is_refusing: AtomicBool,
    /// How many answers were lost.
    losses: AtomicUsize,
}

impl Proxy {
    /// Starts a proxy of the server with this URL.
    pub fn start(url: &str) -> Self {
        let server: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let own = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if own.is_refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
                connect(client.unwrap(), server, &own);
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The next `count` times that this command is sent, the server does it, and the connection
    /// breaks off before its answer.
    pub fn lose(&self, command: &'static str, count: usize) {
        *self.state.lost.lock().unwrap() = (command, count);
    }

    pub fn losses(&self) -> usize {
        self.state.losses.load(Ordering::SeqCst)
    }

    /// Holds this command back, even if its sender goes away, or sends on what was held.
    pub fn hold(&self, command: Option<&'static str>) {
        *self.state.held.lock().unwrap() = command;
    }

    /// Lets each new connection break off.
    pub fn refuse(&self, is_refusing: bool) {
        self.state.is_refusing.store(is_refusing, Ordering::SeqCst);
    }
}

impl State {
    fn is_lost(&self, sent: &str) -> bool {
        let (command, count) = &mut *self.lost.lock().unwrap();
        let is_lost = *count > 0 && sent.contains(*command);
        *count -= usize::from(is_lost);
        is_lost
    }

    fn is_held(&self, sent: &str) -> bool {
        let held = *self.held.lock().unwrap();
        held.is_some_and(|command| sent.contains(command))
    }
}

fn connect(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let is_cut = Arc::new(AtomicBool::new(false));
    let [mut to_client, mut from_server] =
        [&client, &server].map(|stream| stream.try_clone().unwrap());
    let (cut, own) = (is_cut.clone(), state.clone());
    thread::spawn(move || {
        let (mut client, mut server) = (client, server);
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let sent = String::from_utf8_lossy(&buffer[..count]).into_owned();
            while own.is_held(&sent) {
                thread::sleep(Duration::from_millis(5));
            }
            cut.fetch_or(own.is_lost(&sent), Ordering::SeqCst);
            if server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // What was sent before is answered, if anybody still listens.
        let _ = server.shutdown(Shutdown::Write);
    });
    let own = state.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_server.read(&mut buffer) {
            if is_cut.load(Ordering::SeqCst) {
                own.losses.fetch_add(1, Ordering::SeqCst);
                break;
            }
            if to_client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
}
