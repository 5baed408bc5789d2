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
        Self::with_tokens(delay, |_| ANSWER.to_owned())
    }

    /// The same; `token` makes the answer with the next token from its number.
    pub fn with_tokens(
        delay: Duration,
        token: impl Fn(usize) -> String + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let count = token_requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, token) = (count.clone(), token.clone());
                // A client that hangs up ends the connection, which is no fault here.
                thread::spawn(move || drop(serve(stream, delay, &count, token)));
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

    /// Number of token requests.
    pub fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }
}

fn serve(
    mut stream: TcpStream,
    delay: Duration,
    token_requests: &AtomicUsize,
    token: impl Fn(usize) -> String,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
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
            let token = token(token_requests.fetch_add(1, Ordering::SeqCst));
            thread::sleep(delay);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
            let answer = format!("{head} {}\r\n\r\n{token}", token.len());
            stream.write_all(answer.as_bytes())?;
        } else {
            stream.write_all(OK)?;
        }
    }
}
