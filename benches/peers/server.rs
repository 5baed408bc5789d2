//! A token endpoint on loopback: HTTP/1.1, on a thread of its own, with a backlog that holds a
//! whole crowd.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    time::sleep,
};

const BACKLOG: u32 = 4096;
/// Before and after the refresh token, which is another one in each answer.
const ANSWER: [&str; 2] = [
    r#"{"access_token":"mF_9.B5f-4.1JqM2YotnFZFEjr1zCsicMWpAAtGzv3J","token_type":"Bearer","expires_in":3600,"refresh_token":""#,
    r#"","scope":"reports:read"}"#,
];

/// Ends when dropped.
pub struct Server {
    address: SocketAddr,
    token_requests: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Answers each request with a token after `delay`.
    pub fn start(delay: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            socket.listen(BACKLOG)?
        };
        let address = listener.local_addr()?;
        let token_requests = Arc::new(AtomicUsize::new(0));
        let count = token_requests.clone();
        let (_stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, delay, count) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            address,
            token_requests,
            _stop,
        })
    }

    pub fn token_endpoint(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Number of token requests.
    #[allow(dead_code, reason = "not every program counts")]
    pub fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, delay: Duration, token_requests: Arc<AtomicUsize>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let token_requests = token_requests.clone();
            // A client that hangs up ends the connection, which is no fault here.
            tokio::spawn(async move { drop(serve(stream, delay, &token_requests).await) });
        }
    }
}

async fn serve(stream: TcpStream, delay: Duration, token_requests: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let answer = |n: usize| {
        let body = ANSWER.join(&format!("tGzv3JOkF0XG{n:010}"));
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        body.clear();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            match line.trim_end().split_once(": ") {
                Some((name, length)) if name.eq_ignore_ascii_case("content-length") => {
                    body.resize(length.parse().unwrap_or(0), 0);
                }
                Some(_) => {}
                None => break,
            }
        }
        stream.read_exact(&mut body).await?;
        let answer = answer(token_requests.fetch_add(1, Ordering::SeqCst));
        sleep(delay).await;
        stream.write_all(answer.as_bytes()).await?;
    }
}
