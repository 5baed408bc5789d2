//! A provider whose token endpoint fails until it is repaired, and its faults.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    gate::Gate,
    server::{Reply, Request, Server},
};

/// Part of every secret here, so that one search finds each of them.
pub const MARK: &str = "planted";
pub const CLIENT_SECRET: &str = "planted-client-secret";
pub const OLD_TOKEN: &str = "planted-access-0";
pub const OLD_REFRESH_TOKEN: &str = "planted-refresh-0";

/// A provider: `/token` fails or issues tokens, everything else echoes the `Authorization` header.
pub struct Chaos {
    pub server: Server,
    /// Number of further token requests that fail.
    ill: Arc<AtomicUsize>,
}

impl Chaos {
    /// It fails until it is repaired.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let ill = Arc::new(AtomicUsize::new(usize::MAX));
        let (still, issued) = (ill.clone(), AtomicUsize::new(0));
        let server = Server::start(move |request: &Request| {
            if request.path != "/token" {
                return Reply::authorization_of(request);
            }
            let count_down = |left: usize| left.checked_sub(1);
            match still.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down) {
                Ok(_) => answer(request),
                Err(_) => issue(issued.fetch_add(1, Ordering::SeqCst) + 1),
            }
        });
        Self { server, ill }
    }

    /// The same, but each of its answers waits for `gate`.
    pub fn start_at(
        gate: &Gate,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let gate = gate.clone();
        Self::start(move |request| {
            gate.wait();
            answer(request)
        })
    }

    /// It recovers by itself after that many token requests.
    pub fn ill_for(&self, requests: usize) {
        self.ill.store(requests, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        self.ill_for(0);
    }

    pub fn relapse(&self) {
        self.ill_for(usize::MAX);
    }

    /// Number of token requests.
    pub fn asked(&self) -> usize {
        self.server.count("/token")
    }
}

/// The n-th token.
pub fn issue(n: usize) -> Reply {
    Reply::json(
        200,
        json!({
            "access_token": format!("planted-access-{n}"),
            "refresh_token": format!("planted-refresh-{n}"),
            "token_type": "Bearer", "expires_in": 100_000,
        }),
    )
}

/// Waits for the client to hang up.
pub fn stall(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 512])? > 0 {}
    Ok(())
}

/// Sends `head`, and then a byte now and then for as long as the client takes it.
pub fn drip(head: &str) -> Reply {
    let head = head.to_owned();
    Reply::raw(move |stream| {
        stream.write_all(head.as_bytes())?;
        loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(100));
        }
    })
}

/// The first half of an answer.
fn half(stream: &mut TcpStream) -> std::io::Result<()> {
    let body = r#"{"access_token":"planted-access-9","token_type":"Bearer"}"#;
    let (sent, _) = body.split_at(body.len() / 2);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{sent}"
    )?;
    stream.flush()
}

/// Half an answer and the regular end of the connection.
pub fn break_off() -> Reply {
    Reply::raw(half)
}

/// Half an answer and a reset.
pub fn reset() -> Reply {
    Reply::raw(|stream| {
        half(stream)?;
        // Lets the client read what has come, so that it is the body that breaks.
        thread::sleep(Duration::from_millis(50));
        socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
    })
}

/// Number of bytes that a server could write before the client stopped reading.
#[derive(Clone, Default)]
pub struct Gauge(Arc<(Mutex<Floods>, Condvar)>);

#[derive(Default)]
struct Floods {
    running: usize,
    most: usize,
}

impl Gauge {
    pub fn new() -> Self {
        Self::default()
    }

    /// An answer of `size` bytes, with its length or in chunks without an end in sight.
    pub fn flood(&self, head: &str, size: usize, chunked: bool) -> Reply {
        let framing = if chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {size}")
        };
        let head = format!("{head}{framing}\r\n\r\n");
        let gauge = self.clone();
        gauge.change(|floods| floods.running += 1);
        Reply::raw(move |stream| {
            let mut written = 0;
            let ended = pour(stream, &head, size, chunked, &mut written);
            gauge.change(|floods| {
                floods.running -= 1;
                floods.most = floods.most.max(written);
            });
            ended
        })
    }

    fn change(&self, change: impl FnOnce(&mut Floods)) {
        change(&mut self.0.0.lock().expect("a lock"));
        self.0.1.notify_all();
    }

    /// The most that one answer got to, once all have ended.
    pub fn most(&self) -> usize {
        let begun = Instant::now();
        let mut floods = self.0.0.lock().expect("a lock");
        while floods.running > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it still flows");
            let waited = self.0.1.wait_timeout(floods, Duration::from_secs(1));
            floods = waited.expect("a lock").0;
        }
        floods.most
    }
}

fn pour(
    stream: &mut TcpStream,
    head: &str,
    size: usize,
    chunked: bool,
    written: &mut usize,
) -> std::io::Result<()> {
    stream.write_all(head.as_bytes())?;
    let piece = [b' '; 16 * 1024];
    while *written < size {
        if chunked {
            write!(stream, "{:x}\r\n", piece.len())?;
        }
        stream.write_all(&piece)?;
        if chunked {
            stream.write_all(b"\r\n")?;
        }
        *written += piece.len();
    }
    Ok(())
}
