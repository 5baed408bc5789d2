//! A tiny HTTP/1.1 server on loopback: canned answers, each in one piece, on a thread per
//! connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::ANSWER;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";

pub struct Server {
    address: SocketAddr,
    token_requests: Arc<AtomicUsize>,
}

impl Server {
    /// Answers `/token` with a token after `delay`, and everything else with `ok` at once.
    pub fn start(delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let count = token_requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                // A client that hangs up ends the connection, which is no fault here.
                thread::spawn(move || drop(serve(stream, delay, &count)));
            }
        });
        Ok(Self {
            address,
            token_requests,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many token requests have come.
    pub fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, delay: Duration, token_requests: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let token = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_token_request = line.starts_with("POST /token ");
        body.clear();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, length)) if name.eq_ignore_ascii_case("content-length") => {
                    body.resize(length.parse().unwrap_or(0), 0);
                }
                Some(_) => {}
                None => break,
            }
        }
        reader.read_exact(&mut body)?;
        if is_token_request {
            token_requests.fetch_add(1, Ordering::SeqCst);
            thread::sleep(delay);
            stream.write_all(token.as_bytes())?;
        } else {
            stream.write_all(OK)?;
        }
    }
}
