//! A provider and an API on loopback, with a thread for each connection: it rotates refresh tokens,
//! revokes the whole family if one is used twice, and has faults of all kinds.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use socket2::SockRef;

use crate::{CLIENT_TIMEOUT, EXPIRED_IN_TRANSIT, Soak, ledger::Ledger};

/// A fault of the token endpoint.
enum Fault {
    /// The answer comes after a while, perhaps later than the client waits.
    Delay(Duration),
    /// The connection is reset: before anything is issued, or instead of the response.
    Reset { issued: bool },
    /// 503 with `Retry-After`, by the server itself, or by a proxy after the server has answered.
    Unavailable { issued: bool },
    /// The answer comes byte by byte, so long apart.
    Drip(Duration),
}

/// Starts it on a free port of 127.0.0.1.
pub fn start(soak: &Arc<Soak>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let soak = soak.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let soak = soak.clone();
            // If there is no thread for it, the connection is closed.
            let _ = thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || {
                    // A client that hangs up ends the connection, which is no fault here.
                    let _ = serve(stream, &soak);
                });
        }
    });
    Ok(address)
}

fn serve(stream: TcpStream, soak: &Soak) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let stream = reader.get_mut();
        match &*request.path {
            "/token" => answer_token_request(stream, &request, soak)?,
            _ => answer_api_request(stream, &request, soak)?,
        }
    }
    Ok(())
}

fn answer_token_request(stream: &mut TcpStream, request: &Request, soak: &Soak) -> io::Result<()> {
    let form = url::form_urlencoded::parse(&request.body);
    let refresh_token = form
        .filter(|(name, _)| name == "refresh_token")
        .map(|(_, value)| value.into_owned())
        .next()
        .unwrap_or_default();
    let ledger = &soak.ledger;
    let user = ledger.note_request(&refresh_token);
    // Long enough for callers to find a renewal in flight.
    thread::sleep(soak.random.next("answer", user).millis(2, 30));
    match fault(user, soak) {
        None => respond(stream, &token_response(&refresh_token, ledger)),
        Some(Fault::Delay(time)) => {
            let response = token_response(&refresh_token, ledger);
            thread::sleep(time);
            respond(stream, &response)
        }
        Some(Fault::Reset { issued }) => {
            if issued {
                token_response(&refresh_token, ledger);
            }
            reset(stream)
        }
        Some(Fault::Unavailable { issued }) => {
            if issued {
                token_response(&refresh_token, ledger);
            }
            respond(stream, &response(503, "Retry-After: 1\r\n", ""))
        }
        Some(Fault::Drip(pause)) => {
            for byte in token_response(&refresh_token, ledger).as_bytes() {
                stream.write_all(&[*byte])?;
                thread::sleep(pause);
            }
            Ok(())
        }
    }
}

/// The fault that the random choose for the next token request of a user, if any.
fn fault(user: usize, soak: &Soak) -> Option<Fault> {
    if soak.faultless.load(Ordering::SeqCst) {
        return None;
    }
    let mut rng = soak.random.next("fault", user);
    Some(match rng.below(200) {
        0..10 => Fault::Delay(rng.millis(50, 800)),
        10..12 => Fault::Delay(CLIENT_TIMEOUT + rng.millis(0, 1000)),
        12..16 => Fault::Reset { issued: false },
        16..20 => Fault::Reset { issued: true },
        20..26 => Fault::Unavailable { issued: false },
        26..28 => Fault::Unavailable { issued: true },
        28..36 => Fault::Drip(Duration::from_millis(1)),
        36..38 => Fault::Drip(Duration::from_millis(20)),
        _ => return None,
    })
}

fn token_response(refresh_token: &str, ledger: &Ledger) -> String {
    let Some(renewed) = ledger.redeem(refresh_token) else {
        return response(400, "", r#"{"error":"invalid_grant"}"#);
    };
    let (user, number) = (renewed.user, renewed.number);
    let lifetime = renewed.lifetime.as_secs();
    let body = format!(
        r#"{{"access_token":"a-{user}-{number}","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"r-{user}-{number}"}}"#
    );
    response(200, "Cache-Control: no-store\r\n", &body)
}

fn answer_api_request(stream: &mut TcpStream, request: &Request, soak: &Soak) -> io::Result<()> {
    let token = request.authorization.strip_prefix("Bearer ");
    match soak.ledger.check(token.unwrap_or_default()) {
        Ok(()) => respond(stream, &response(200, "", "{}")),
        Err(expired) => {
            if expired.is_some_and(|time| time > EXPIRED_IN_TRANSIT) {
                soak.counters.expired_at_api.fetch_add(1, Ordering::SeqCst);
            }
            let challenge = "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";
            respond(stream, &response(401, challenge, ""))
        }
    }
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn respond(stream: &mut TcpStream, response: &str) -> io::Result<()> {
    stream.write_all(response.as_bytes())
}

fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

struct Request {
    path: String,
    authorization: String,
    body: Vec<u8>,
}

impl Request {
    /// The next one on a connection, if there is one.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let path = line.split_whitespace().nth(1).unwrap_or_default();
        let mut request = Self {
            path: path.to_owned(),
            authorization: String::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match &*name.to_ascii_lowercase() {
                "authorization" => value.trim().clone_into(&mut request.authorization),
                "content-length" => request.body = vec![0; value.trim().parse().unwrap_or(0)],
                _ => {}
            }
        }
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }
}
