use super::*;

fn receiver(uri: &str) -> Receiver {
    let uri = LoopbackUri::parse(uri).expect(uri).expect(uri);
    Receiver::bind(uri).expect("a port")
}

fn is_answer(callback: &str) -> bool {
    callback.contains("state=S")
}

/// A browser's connection.
fn connect(receiver: &Receiver) -> TcpStream {
    let address = receiver.listeners[0].local_addr().expect("an address");
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nonblocking(true).expect("a socket");
    stream
}

/// The reply on a connection, while the receiver serves, and the answer if there was one.
fn reply(receiver: &mut Receiver, stream: &mut TcpStream) -> (String, Option<String>) {
    let (mut reply, mut answer) = (Vec::new(), None);
    let begun = Instant::now();
    loop {
        answer = answer.or(receiver.step(is_answer));
        match stream.read_to_end(&mut reply) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&reply)),
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no reply");
        std::thread::yield_now();
    }
    let answer = answer.map(|answer| answer.expose_secret().to_owned());
    (String::from_utf8(reply).expect("text"), answer)
}

/// The status and the answer after a request.
fn ask(receiver: &mut Receiver, request: &str) -> (String, Option<String>) {
    let mut stream = connect(receiver);
    stream.write_all(request.as_bytes()).expect("a request");
    let (reply, answer) = reply(receiver, &mut stream);
    let status = reply.split(' ').nth(1).unwrap_or_default();
    (status.to_owned(), answer)
}

/// A request for `target` by `method`, with the right host.
fn request(receiver: &Receiver, method: &str, target: &str) -> String {
    let port = receiver.state.port;
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n")
}

fn get(receiver: &mut Receiver, target: &str) -> (String, Option<String>) {
    let request = request(receiver, "GET", target);
    ask(receiver, &request)
}

const CALLBACK: &str = "/cb?code=c&state=S";
const ANSWER: &str = "?code=c&state=S";

/// The login is still there to be completed.
fn completes(receiver: &mut Receiver) {
    assert!(!receiver.state.is_answered);
    let (status, answer) = get(receiver, CALLBACK);
    assert_eq!((&*status, answer.as_deref()), ("303", Some(ANSWER)));
}

#[test]
fn the_answer_leads_to_a_clean_page_and_counts_once() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    let request = request(&receiver, "GET", CALLBACK);
    let mut stream = connect(&receiver);
    stream.write_all(request.as_bytes()).expect("a request");
    let (text, answer) = reply(&mut receiver, &mut stream);
    assert_eq!(answer.as_deref(), Some(ANSWER));
    assert!(text.contains("\r\nLocation: /cb\r\n"), "{text}");
    assert!(!text.contains("code=c"), "{text}");
    assert!(!receiver.is_finished());
    // The page is loaded again, and then the clean one.
    assert_eq!(get(&mut receiver, CALLBACK), ("303".to_owned(), None));
    assert_eq!(get(&mut receiver, "/cb"), ("200".to_owned(), None));
    assert!(receiver.is_finished());
}

#[test]
fn what_is_not_the_answer_neither_ends_nor_consumes_the_login() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    for (method, target, status) in [
        ("GET", "/cb", "400"),
        ("GET", "/cb?", "400"),
        ("GET", "/cb?code=c&state=T", "400"),
        ("GET", "/cb?error=access_denied", "400"),
        ("GET", "/", "404"),
        ("GET", "/favicon.ico", "404"),
        ("GET", "/other?code=c&state=S", "404"),
        ("GET", "/cb/?code=c&state=S", "404"),
        ("GET", "//cb?code=c&state=S", "404"),
        // Chrome asks whether a page may reach a private network; scanners look at links.
        ("OPTIONS", CALLBACK, "204"),
        ("OPTIONS", "*", "204"),
        ("HEAD", CALLBACK, "204"),
        ("POST", CALLBACK, "405"),
        ("PUT", CALLBACK, "405"),
        ("DELETE", CALLBACK, "405"),
        ("CONNECT", "evil.example:443", "400"),
    ] {
        let request = request(&receiver, method, target);
        let (given, answer) = ask(&mut receiver, &request);
        assert_eq!((&*given, answer), (status, None), "{method} {target}");
    }
    completes(&mut receiver);
}

#[test]
fn a_preflight_is_granted_nothing() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    let request = request(&receiver, "OPTIONS", CALLBACK).replace(
        "Accept",
        "Origin: https://id.example\r\nAccess-Control-Request-Private-Network: true\r\nAccept",
    );
    let mut stream = connect(&receiver);
    stream.write_all(request.as_bytes()).expect("a request");
    let (text, answer) = reply(&mut receiver, &mut stream);
    assert_eq!(answer, None);
    assert!(!text.contains("Access-Control"), "{text}");
    completes(&mut receiver);
}

#[test]
fn another_host_is_not_served() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    for host in [
        "Host: evil.example",
        "Host: localhost:7",
        "Host:",
        "Hostess: 127.0.0.1",
    ] {
        let request = format!("GET {CALLBACK} HTTP/1.1\r\n{host}\r\n\r\n");
        assert_eq!(
            ask(&mut receiver, &request),
            ("421".to_owned(), None),
            "{host}"
        );
    }
    // As little as HTTP/1.0 has it.
    let request = format!("GET {CALLBACK} HTTP/1.0\r\n\r\n");
    assert_eq!(ask(&mut receiver, &request), ("421".to_owned(), None));
    let port = receiver.state.port;
    let request = format!("GET {CALLBACK} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let (status, answer) = ask(&mut receiver, &request);
    assert_eq!((&*status, answer.as_deref()), ("303", Some(ANSWER)));
}

#[test]
fn garbage_and_what_is_too_large_are_turned_away() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    for (bytes, status) in [
        ("\u{16}\u{3}\u{1}\u{2}", "400"),
        ("GET /cb HTTP/1.1\r\nHost\r\n\r\n", "400"),
        (&format!("GET /cb?{}", "a".repeat(20_000)), "431"),
    ] {
        assert_eq!(
            ask(&mut receiver, bytes),
            (status.to_owned(), None),
            "{bytes:.20}"
        );
    }
    completes(&mut receiver);
}

#[test]
fn slow_half_open_and_parallel_connections_delay_no_other() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    // One that sends nothing, one that closes, one that closes its half in mid request.
    let silent = connect(&receiver);
    drop(connect(&receiver));
    let mut half = connect(&receiver);
    half.write_all(b"GET /cb?code=c&sta").expect("a part");
    half.shutdown(Shutdown::Write).expect("a socket");
    let text = request(&receiver, "GET", CALLBACK);
    let mut slow = connect(&receiver);
    for byte in &text.as_bytes()[..text.len() - 1] {
        slow.write_all(&[*byte]).expect("a byte");
        assert!(receiver.step(is_answer).is_none());
    }
    // More than are kept at once.
    let crowd: Vec<_> = (0..2 * CONNECTIONS).map(|_| connect(&receiver)).collect();
    assert!(receiver.step(is_answer).is_none());
    assert!(
        receiver.connections.len() <= CONNECTIONS,
        "{}",
        receiver.connections.len()
    );
    slow.write_all(b"\n").expect("the last byte");
    let (_, answer) = reply(&mut receiver, &mut slow);
    assert_eq!(answer.as_deref(), Some(ANSWER));
    drop((silent, half, crowd));
}

/// A client that sends its request and then its end is answered all the same.
#[test]
fn a_request_before_the_end_of_a_connection_counts() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    let text = request(&receiver, "GET", CALLBACK);
    let mut stream = connect(&receiver);
    stream.write_all(text.as_bytes()).expect("a request");
    stream.shutdown(Shutdown::Write).expect("a socket");
    let (text, answer) = reply(&mut receiver, &mut stream);
    assert!(text.starts_with("HTTP/1.1 303 "), "{text}");
    assert_eq!(answer.as_deref(), Some(ANSWER));
}

#[test]
fn a_form_answers_only_where_it_was_asked_for() {
    let form = |receiver: &Receiver, kind: &str| {
        let port = receiver.state.port;
        format!(
            "POST /cb HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {kind}\r\n\
             Content-Length: 14\r\n\r\ncode=c&state=S"
        )
    };
    let kind = "application/x-www-form-urlencoded";
    let mut receiver = receiver("http://127.0.0.1/cb");
    let request = form(&receiver, kind);
    assert_eq!(ask(&mut receiver, &request), ("405".to_owned(), None));
    receiver.take_posts();
    let request = form(&receiver, "text/plain");
    assert_eq!(ask(&mut receiver, &request), ("405".to_owned(), None));
    let request = form(&receiver, kind);
    let (status, answer) = ask(&mut receiver, &request);
    assert_eq!((&*status, answer.as_deref()), ("303", Some(ANSWER)));
}

#[test]
fn the_user_s_own_page_is_shown() {
    let mut receiver = receiver("http://127.0.0.1/cb");
    receiver.set_page("<p>Thanks".to_owned());
    get(&mut receiver, CALLBACK);
    let request = request(&receiver, "GET", "/cb");
    let mut stream = connect(&receiver);
    stream.write_all(request.as_bytes()).expect("a request");
    let (text, _) = reply(&mut receiver, &mut stream);
    assert!(text.ends_with("\r\n\r\n<p>Thanks"), "{text}");
}

#[test]
fn a_port_is_free_again_as_soon_as_it_is_dropped() {
    let first = receiver("http://127.0.0.1/cb");
    let uri = first.redirect_uri();
    assert!(Receiver::bind(LoopbackUri::parse(&uri).expect("a URI").expect("loopback")).is_err());
    let connection = connect(&first);
    drop(first);
    let second = receiver(&uri);
    assert_eq!(second.redirect_uri(), uri);
    drop(connection);
}

#[test]
fn localhost_is_served_in_each_family_that_there_is() {
    let mut receiver = receiver("http://localhost/cb");
    let port = receiver.state.port;
    let families = receiver.listeners.len();
    for index in 0..families {
        let address = receiver.listeners[index].local_addr().expect("an address");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_nonblocking(true).expect("a socket");
        let request = format!("GET /cb?x HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let (text, _) = reply(&mut receiver, &mut stream);
        assert!(text.starts_with("HTTP/1.1 400 "), "{address} {text}");
    }
}
