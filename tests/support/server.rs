//! A small HTTP/1.1 server on loopback, whose handler may wait, break off, or send invalid
//! responses.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};
use socket2::SockRef;

/// Reason phrase of all responses, by which the servers of tests are known.
const REASON: &str = "Whatever";

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The thumbprint of the certificate that the client presented on the connection.
    pub certificate: Option<String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        self.headers.iter().find(found).map(|(_, value)| &**value)
    }

    /// All values of a parameter of the form-encoded body.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(&self.body)
            .filter(|(given, _)| given == name)
            .map(|(_, value)| value.into_owned())
            .collect()
    }

    /// The one value of a parameter of the form-encoded body.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self.parameters(name);
        assert!(values.len() < 2, "{name} stands more than once");
        values.pop()
    }

    /// All of the form-encoded body.
    pub fn form(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a form")
    }
}

/// A response.
pub enum Reply {
    Full {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The handler writes to the connection itself, which is then closed.
    Raw(Writing),
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Self {
        Self::text(status, body.to_string()).with("content-type", "application/json")
    }

    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Full {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The error response of an endpoint.
    pub fn error(status: u16, code: &str) -> Self {
        Self::json(status, json!({"error": code}))
    }

    /// The `Authorization` header of `request`, as an API that shows it answers.
    pub fn authorization_of(request: &Request) -> Self {
        Self::text(200, request.header("authorization").unwrap_or_default())
    }

    pub fn raw(write: impl FnOnce(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> Self {
        Self::Raw(Box::new(write))
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Full { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Bytes that a handler writes itself.
type Writing = Box<dyn FnOnce(&mut TcpStream) -> std::io::Result<()> + Send>;

pub trait Handler: Fn(&Request) -> Reply + Send + Sync + 'static {}
impl<F: Fn(&Request) -> Reply + Send + Sync + 'static> Handler for F {}

type Log = Arc<(Mutex<Vec<Request>>, Condvar)>;

pub struct Server {
    address: SocketAddr,
    log: Log,
    down: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(handler: impl Handler) -> Self {
        Self::start_with(handler, |stream| {
            Some(Box::new(stream) as Box<dyn Connection>)
        })
    }

    /// A server whose connections are wrapped first, for example by TLS.
    pub fn start_with(
        handler: impl Handler,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::start_on(listener, handler, accept)
    }

    /// A server on a port of the caller's.
    pub fn start_on(
        listener: TcpListener,
        handler: impl Handler,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync + 'static,
    ) -> Self {
        // More than std's own limit may arrive at once.
        let backlog = SockRef::from(&listener).listen(4096);
        backlog.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let log = Log::default();
        let down = Arc::new(AtomicBool::new(false));
        let (handler, accept) = (Arc::new(handler), Arc::new(accept));
        let (to, stop) = (log.clone(), down.clone());
        let connections = Arc::new(AtomicUsize::new(0));
        let open = connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (handler, accept, log) = (handler.clone(), accept.clone(), to.clone());
                let open = open.clone();
                open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    if let Some(connection) = accept(stream) {
                        // A client that hangs up ends the connection, which is no fault here.
                        let _ = serve(connection, &*handler, &log);
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            log,
            down,
            connections,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    #[cfg(any(
        feature = "rustls",
        feature = "rustls-aws-lc-rs",
        feature = "native-tls"
    ))]
    pub fn https(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// The requests for `path`, in order of their arrival.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        let log = self.log.0.lock().expect("a lock");
        log.iter().filter(|r| r.path == path).cloned().collect()
    }

    /// All requests, in order of their arrival.
    pub fn all(&self) -> Vec<Request> {
        self.log.0.lock().expect("a lock").clone()
    }

    /// Number of requests with any path.
    pub fn requests_in_all(&self) -> usize {
        self.log.0.lock().expect("a lock").len()
    }

    /// The form-encoded bodies of the requests for `path`, in the same order.
    pub fn forms(&self, path: &str) -> Vec<String> {
        self.requests(path).iter().map(Request::form).collect()
    }

    pub fn count(&self, path: &str) -> usize {
        self.requests(path).len()
    }

    /// Number of open connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The wait for `count` requests for `path`, which may be done on another thread.
    pub fn arrivals(&self, path: &'static str, count: usize) -> impl FnOnce() + Send + 'static {
        let log = self.log.clone();
        move || {
            let mut requests = log.0.lock().expect("a lock");
            while requests.iter().filter(|r| r.path == path).count() < count {
                requests = log.1.wait(requests).expect("a lock");
            }
        }
    }
}

/// Whether nobody listens any more where there was a listener: another test's server may have
/// the port by now.
#[allow(dead_code, reason = "not every test program needs it")]
pub fn has_closed(address: impl ToSocketAddrs) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return true;
    };
    let mut line = String::new();
    let answered = stream.write_all(b"GET / HTTP/1.1\r\nhost: another\r\n\r\n");
    let answered = answered.and_then(|()| BufReader::new(stream).read_line(&mut line));
    answered.is_ok() && line.trim_end().ends_with(REASON)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

pub trait Connection: Read + Write + Send {
    /// The socket below, for what is written to it raw.
    fn socket(&mut self) -> Option<&mut TcpStream>;

    /// The thumbprint of the certificate that the client presented.
    fn client_certificate(&self) -> Option<&str> {
        None
    }
}

impl Connection for TcpStream {
    fn socket(&mut self) -> Option<&mut TcpStream> {
        Some(self)
    }
}

fn serve(connection: Box<dyn Connection>, handler: &dyn Handler, log: &Log) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(mut request) = read_request(&mut reader)? {
        let certificate = reader.get_ref().client_certificate().map(str::to_owned);
        request.certificate = certificate;
        let head = request.method == "HEAD";
        let mut requests = log.0.lock().expect("a lock");
        requests.push(request.clone());
        drop(requests);
        log.1.notify_all();
        let reply = handler(&request);
        let connection = reader.get_mut();
        match reply {
            Reply::Raw(write) => {
                return match connection.socket() {
                    Some(socket) => write(socket),
                    None => Ok(()),
                };
            }
            Reply::Full {
                status,
                headers,
                body,
            } => {
                let mut head_text = format!("HTTP/1.1 {status} {REASON}\r\n");
                for (name, value) in headers {
                    head_text += &format!("{name}: {value}\r\n");
                }
                if status != 204 {
                    head_text += &format!("content-length: {}\r\n", body.len());
                }
                head_text += "\r\n";
                // In one piece: a second one would wait until the client has confirmed the first.
                let mut answer = head_text.into_bytes();
                if !head {
                    answer.extend(body);
                }
                connection.write_all(&answer)?;
                connection.flush()?;
            }
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path,
        query,
        headers,
        body: Vec::new(),
        certificate: None,
    };
    if request.header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            request.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        let mut body = vec![0; length.parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        request.body = body;
    }
    Ok(Some(request))
}
