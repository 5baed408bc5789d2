//! Faults of the token endpoint that a client survives: the old token stays in use, the error is the
//! right one, nothing lasts, and the next call works.

use std::{
    error::Error as _,
    fmt::Write as _,
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_twin::{BoxError, Error, ErrorCode, ErrorKind, oauth2::EndpointRequest};

use super::support::chaos::{
    self, CLIENT_SECRET, Chaos, Gauge, MARK, OLD_REFRESH_TOKEN, OLD_TOKEN,
};
use super::{test, *};

/// No fault holds a call up for longer, with room for a slow machine.
const BOUND: Duration = Duration::from_secs(20);

/// A fault and its expected outcome.
struct Fault {
    answer: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    kind: ErrorKind,
    unknown: bool,
    transient: bool,
    repeated: bool,
    retry_after: Option<u64>,
    lasting: bool,
}

impl Fault {
    fn new(kind: ErrorKind, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            answer: Box::new(answer),
            kind,
            unknown: false,
            transient: false,
            repeated: false,
            retry_after: None,
            lasting: false,
        }
    }

    /// The network failed when the request was on its way.
    fn of_transport(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self::new(ErrorKind::Transport, move |_| answer())
            .unknown()
            .transient()
    }

    /// The same, and it would never end.
    fn endless(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self {
            lasting: true,
            ..Self::of_transport(answer)
        }
    }

    /// The server refuses.
    fn of_server(status: u16, body: &'static str) -> Self {
        Self::new(ErrorKind::Server, move |_| Reply::text(status, body))
    }

    /// A success status with an unusable body.
    fn of_answer(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let answer = move |_: &Request| {
            Reply::text(200, body.clone()).with("content-type", "application/json")
        };
        Self::new(ErrorKind::Answer, answer).unknown()
    }

    fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// The server certainly did nothing, so the request is sent again within the call.
    fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    fn with(self, name: &'static str, value: &'static str) -> Self {
        let answer = self.answer;
        Self {
            answer: Box::new(move |request| answer(request).with(name, value)),
            ..self
        }
    }

    fn retry_after(mut self, seconds: u64, value: &'static str) -> Self {
        self.retry_after = Some(seconds);
        self.with("retry-after", value)
    }

    fn expected(&self) -> Expected {
        Expected {
            kind: self.kind,
            unknown: self.unknown,
            transient: self.transient,
            repeated: self.repeated,
            retry_after: self.retry_after.map(Duration::from_secs),
        }
    }
}

/// A server is left alone for no longer than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

#[derive(Clone, Copy)]
struct Expected {
    kind: ErrorKind,
    unknown: bool,
    transient: bool,
    repeated: bool,
    retry_after: Option<Duration>,
}

impl Expected {
    fn check(self, error: &Error) {
        assert_eq!(error.kind(), self.kind, "{error:?}");
        assert_eq!(error.outcome_unknown(), self.unknown, "{error:?}");
        assert_eq!(error.is_transient(), self.transient, "{error:?}");
        assert_eq!(error.retry_after(), self.retry_after, "{error:?}");
        tells_no_secret(error);
    }

    /// The error of somebody for whom it is too early, or too late, to try again, if it is so.
    fn check_kept(self, error: &Error) -> bool {
        let kept = self.retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER));
        let is_kept = error.needs_login() || kept.is_some_and(|wait| !wait.is_zero());
        if is_kept {
            let retry_after = kept.filter(|_| !error.needs_login());
            Self {
                retry_after,
                ..self
            }
            .check(error);
        }
        is_kept
    }

    /// What may have been done is not sent twice within a call, and what the server certainly did
    /// not do is.
    fn check_sent(self, requests: usize) {
        let soon = self
            .retry_after
            .is_none_or(|wait| wait < Duration::from_secs(5));
        if self.repeated && soon {
            assert!(requests > 1 && requests < 10, "{requests} requests");
        } else {
            assert_eq!(requests, 1, "requests");
        }
    }
}

/// Neither an error nor anything below it tells what was planted.
fn tells_no_secret(error: &Error) {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(told, " {cause} {cause:?}").expect("a string takes all");
        source = cause.source();
    }
    assert!(!told.contains(MARK), "{told}");
    let basic = STANDARD.encode(format!("id:{CLIENT_SECRET}"));
    assert!(!told.contains(&basic), "{told}");
}

/// A client whose token is due for renewal and good for hours yet.
fn client(
    chaos: &Chaos,
    clock: &ManualClock,
    timeout: Duration,
) -> oauth_twin::Result<OAuth2Client> {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let token = Token::new(OLD_TOKEN)
        .with_refresh_token(OLD_REFRESH_TOKEN)
        .with_issued_at(clock.now() - hours(10))
        .with_expires_at(clock.now() + hours(8));
    OAuth2Client::builder("id")
        .client_secret(CLIENT_SECRET)
        .token_endpoint(chaos.server.url("/token"))
        .token(token)
        .leeway(hours(9))
        .clock(clock.clock())
        .timeout(timeout)
        .build()
}

/// The answer of the API to a request.
#[maybe_async]
async fn call(client: &OAuth2Client, chaos: &Chaos) -> oauth_twin::Result<String> {
    let response = client.get(chaos.server.url("/api")).send().await?;
    Ok(response.text().await?)
}

/// A request to the API that runs beside the test.
#[maybe_async]
fn spawn_call(client: &OAuth2Client, chaos: &Arc<Chaos>) -> Task<oauth_twin::Result<String>> {
    let (client, chaos) = (client.clone(), chaos.clone());
    spawn(move || async move { call(&client, &chaos).await })
}

fn held(client: &OAuth2Client) -> String {
    let token = client.token().expect("a token");
    token.access_token().expose_secret().to_owned()
}

/// The life of a client whose token endpoint begins to fail.
#[maybe_async]
async fn survive(fault: Fault) -> TestResult {
    let expected = fault.expected();
    let lasting = fault.lasting;
    let clock = ManualClock::new();
    let chaos = Chaos::start(fault.answer);
    let timeout = Duration::from_millis(if lasting { 3000 } else { 20_000 });
    let client = client(&chaos, &clock, timeout)?;

    // An early renewal that fails costs the caller nothing but time.
    let begun = Instant::now();
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, format!("Bearer {OLD_TOKEN}"));
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    let asked = chaos.asked();
    expected.check_sent(asked);
    // The next callers do not even wait.
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, format!("Bearer {OLD_TOKEN}"));
    assert_eq!(chaos.asked(), asked);

    // The caller of `refresh_token` gets the error.
    let begun = Instant::now();
    let refreshed = client.refresh_token().await;
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    let error = refreshed.expect_err("a fault");
    match expected.check_kept(&error) {
        true => assert_eq!(chaos.asked(), asked),
        false => {
            expected.check(&error);
            expected.check_sent(chaos.asked() - asked);
        }
    }
    assert_eq!(held(&client), OLD_TOKEN);
    assert!(!format!("{client:?}").contains(MARK));
    if error.needs_login() {
        // The user has logged in again.
        let login = Token::new("planted-access-5").with_refresh_token(OLD_REFRESH_TOKEN);
        client.set_token(login.with_expires_at(clock.now()))?;
    }

    // The next call works, with what there is: the same refresh token.
    chaos.heal();
    clock.advance(Duration::from_secs(2 * 3600));
    let asked = chaos.asked();
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    assert_eq!(chaos.asked(), asked + 1);
    for request in chaos.server.requests("/token") {
        let refresh_token = request.parameter("refresh_token");
        assert_eq!(refresh_token.as_deref(), Some(OLD_REFRESH_TOKEN));
    }

    // The same on a connection that has been good.
    if !lasting {
        chaos.relapse();
        let asked = chaos.asked();
        let refreshed = client.refresh_token().await;
        let error = refreshed.expect_err("a fault");
        expected.check(&error);
        expected.check_sent(chaos.asked() - asked);
        assert_eq!(held(&client), "planted-access-1");
        chaos.heal();
        if error.needs_login() {
            client.close().await?;
            return Ok(());
        }
        clock.advance(LONGEST_RETRY_AFTER);
        let token = client.refresh_token().await?;
        assert_eq!(token.access_token().expose_secret(), "planted-access-2");
    }
    client.close().await?;
    Ok(())
}

/// One test per fault.
macro_rules! faults {
    ($($name:ident: $fault:expr;)+) => {
        $(
            #[maybe_async]
            #[test]
            async fn $name() -> TestResult {
                survive($fault).await
            }
        )+
    };
}

const PAGE: &str = "<!DOCTYPE html><html>planted-access-8</html>";
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

// The network.
faults! {
    an_answer_that_never_comes: Fault::endless(|| Reply::raw(chaos::stall));
    a_drip_of_headers: Fault::endless(|| chaos::drip("HTTP/1.1 200 OK\r\nx-planted: "));
    a_drip_of_a_body: Fault::endless(|| chaos::drip(&format!("{HEAD}content-length: 900000\r\n\r\n")));
    a_drip_of_an_error_page: Fault::endless(|| chaos::drip("HTTP/1.1 400 Bad\r\n\r\n"));
    a_body_that_breaks_off: Fault::of_transport(chaos::break_off);
    a_body_that_is_reset: Fault::of_transport(chaos::reset);
    a_connection_closed_without_an_answer: Fault::of_transport(|| Reply::raw(|_| Ok(())));
    what_is_not_http: Fault::of_transport(|| {
        Reply::raw(|stream| stream.write_all(b"planted-access-7\r\n\r\n"))
    });
}

// The server fails.
faults! {
    a_500_with_a_page: Fault::of_server(500, PAGE).unknown().transient();
    a_500_with_a_token: Fault::of_server(500, r#"{"access_token":"planted-access-7"}"#)
        .unknown().transient();
    a_502_with_a_page: Fault::of_server(502, PAGE).unknown().transient();
    a_504_without_a_body: Fault::of_server(504, "").unknown().transient();
    a_503_with_a_page: Fault::of_server(503, PAGE).transient().unknown();
    a_503_for_an_hour: Fault::of_server(503, PAGE).transient().unknown().retry_after(3600, "3600");
    a_429: Fault::of_server(429, "").transient().repeated();
    a_429_for_no_time: Fault::of_server(429, "").transient().repeated().retry_after(0, "0");
    a_429_until_a_past_date: Fault::of_server(429, "").transient().repeated()
        .retry_after(0, "Wed, 21 Oct 2015 07:28:00 GMT");
    a_429_for_an_hour: Fault::of_server(429, "{}").transient().retry_after(3600, " 3600 ");
    a_429_for_nobody_knows_how_long: Fault::of_server(429, "").transient().repeated().with("retry-after", "soon");
    temporarily_unavailable: Fault::of_server(400, r#"{"error":"temporarily_unavailable"}"#)
        .transient();
}

// The server refuses.
faults! {
    a_400_with_a_page: Fault::of_server(400, PAGE);
    a_401: Fault::of_server(401, r#"{"error":"invalid_client"}"#)
        .with("www-authenticate", "Basic realm=planted");
    a_403_with_a_page: Fault::of_server(403, PAGE);
    a_404: Fault::of_server(404, "");
    a_200_with_an_error: Fault::of_server(200, r#"{"error":"invalid_scope"}"#);
    a_200_with_an_error_and_a_token: Fault::of_server(
        200, r#"{"access_token":"planted-access-7","token_type":"bearer","error":"invalid_grant"}"#);
    a_200_with_an_object_as_error: Fault::of_server(
        200, r#"{"error":{"message":"no","type":"OAuthException","code":190}}"#);
    an_error_that_repeats_all_it_got: Fault::new(ErrorKind::Server, |request: &Request| {
        let told = format!(
            "{} {CLIENT_SECRET} {}",
            request.form(),
            request.parameter("refresh_token").unwrap_or_default(),
        );
        Reply::json(400, json!({"error": told, "error_description": told, "error_uri": told}))
            .with("set-cookie", "id=planted")
    });
}

// The response is invalid.
faults! {
    a_200_with_a_page: Fault::of_answer(PAGE).with("content-type", "text/html");
    a_200_without_a_body: Fault::of_answer("");
    a_204: Fault::new(ErrorKind::Answer, |_| Reply::text(204, "")).unknown();
    json_that_breaks_off: Fault::of_answer(r#"{"access_token":"planted-access-7","#);
    json_with_a_tail: Fault::of_answer(r#"{"access_token":"planted-access-7"} planted"#);
    json_in_single_quotes: Fault::of_answer("{'access_token':'planted-access-7'}");
    deep_arrays: Fault::of_answer("[".repeat(500_000));
    deep_objects: Fault::of_answer(r#"{"access_token":"planted-access-7","x":"#.to_owned()
        + &r#"{"x":"#.repeat(100_000));
    an_array: Fault::of_answer(r#"[{"access_token":"planted-access-7"}]"#);
    a_string: Fault::of_answer(r#""planted-access-7""#);
    null: Fault::of_answer("null");
    a_form: Fault::of_answer("access_token=planted-access-7&token_type=bearer");
    no_access_token: Fault::of_answer(r#"{"token_type":"bearer","refresh_token":"planted"}"#);
    an_empty_access_token: Fault::of_answer(r#"{"access_token":"","refresh_token":"planted"}"#);
    an_access_token_that_is_a_number: Fault::of_answer(r#"{"access_token":7,"x":"planted"}"#);
    an_access_token_that_is_an_object: Fault::of_answer(r#"{"access_token":{"planted":1}}"#);
    a_token_type_that_is_an_object: Fault::of_answer(
        r#"{"access_token":"planted-access-7","token_type":{"planted":1}}"#);
    two_access_tokens: Fault::of_answer(
        r#"{"access_token":"planted-access-7","access_token":"planted-access-8"}"#);
    two_refresh_tokens: Fault::of_answer(
        r#"{"access_token":"planted-access-7","refresh_token":"planted","refresh_token":"planted"}"#);
    invalid_utf8: Fault::of_answer(*b"{\"access_token\":\"planted\xff\"}");
    utf16: Fault::of_answer(
        "{\"access_token\":\"planted\"}".encode_utf16().flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>());
    what_is_not_gzip: Fault::of_answer(r#"{"access_token":"planted-access-7"}"#)
        .with("content-encoding", "gzip");
    gzip_that_breaks_off: {
        let packed = packed(br#"{"access_token":"planted-access-7"}"#);
        Fault::of_answer(&packed[..packed.len() / 2]).with("content-encoding", "gzip")
    };
    a_compressed_body_that_is_cut_off: Fault::of_transport(|| {
        let packed = packed(br#"{"access_token":"planted-access-7"}"#);
        Reply::raw(move |stream| {
            let length = packed.len();
            let head = format!("{HEAD}content-encoding: gzip\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            stream.write_all(&packed[..length / 2])
        })
    });
    a_bomb: Fault::of_answer(packed(&vec![b' '; 16 * 1024 * 1024])).with("content-encoding", "gzip");
    a_bomb_with_a_token: {
        let token = br#"{"access_token":"planted-access-7"}"#;
        let mut body = vec![b' '; 4 * 1024 * 1024];
        body[..token.len()].copy_from_slice(token);
        Fault::of_answer(packed(&body)).with("content-encoding", "gzip")
    };
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A hundred megabytes, of which hardly more than the limit may leave the server: the limit, and
/// what the buffers of both sockets hold.
const FLOOD: usize = 100 * 1024 * 1024;
const HELD: usize = 20 * 1024 * 1024;

/// The life of a client whose token endpoint floods it, behind `head`.
#[maybe_async]
async fn survive_flood(
    kind: ErrorKind,
    head: String,
    chunked: bool,
    change: fn(Fault) -> Fault,
) -> TestResult {
    let gauge = Gauge::new();
    let flood = gauge.clone();
    let answer = move |_: &Request| flood.flood(&head, FLOOD, chunked);
    survive(change(Fault::new(kind, answer))).await?;
    let most = run_blocking(move || gauge.most()).await;
    assert!(most < HELD, "{most} bytes");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_hundred_megabytes_are_not_taken_in() -> TestResult {
    survive_flood(ErrorKind::Answer, HEAD.into(), false, Fault::unknown).await
}

#[maybe_async]
#[test]
async fn chunks_without_an_end_are_not_taken_in() -> TestResult {
    survive_flood(ErrorKind::Answer, HEAD.into(), true, Fault::unknown).await
}

/// A page of any size does not hide that it is an error, and which.
#[maybe_async]
#[test]
async fn a_hundred_megabytes_of_an_error_page_are_that_error() -> TestResult {
    let bad = |status: u16| format!("HTTP/1.1 {status} Bad\r\n");
    survive_flood(ErrorKind::Server, bad(500), false, |fault| {
        fault.transient().unknown()
    })
    .await?;
    survive_flood(ErrorKind::Server, bad(503), false, |fault| {
        fault.transient().unknown()
    })
    .await
}

#[maybe_async]
#[test]
async fn a_redirect_to_another_host_is_not_followed() -> TestResult {
    for status in [301, 302, 303, 307, 308] {
        let other = Server::start(|_: &Request| chaos::issue(7));
        let location = other.url("/token?planted");
        let answer = move |_: &Request| Reply::text(status, "").with("location", &location);
        survive(Fault::new(ErrorKind::Answer, answer)).await?;
        assert_eq!(other.connections(), 0);
        assert_eq!(other.count("/token"), 0, "{status}");
    }
    Ok(())
}

/// Remedy of the fault within the call.
#[maybe_async]
#[test]
async fn a_server_that_recovers_at_once_is_asked_again_within_the_call() -> TestResult {
    for (status, retry_after) in [(429, None), (429, Some("0")), (429, Some("1"))] {
        let clock = ManualClock::new();
        let chaos = Chaos::start(move |_: &Request| {
            let reply = Reply::text(status, PAGE);
            match retry_after {
                Some(wait) => reply.with("retry-after", wait),
                None => reply,
            }
        });
        let client = client(&chaos, &clock, BOUND)?;
        chaos.ill_for(1);
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, "Bearer planted-access-1", "{status}");
        assert_eq!(chaos.asked(), 2);
        chaos.ill_for(2);
        let token = client.refresh_token().await?;
        assert_eq!(token.access_token().expose_secret(), "planted-access-2");
        assert_eq!(chaos.asked(), 5);
    }
    Ok(())
}

/// A request that may have been carried out is left to the next call.
#[maybe_async]
#[test]
async fn a_server_error_then_ok_works_at_the_next_call() -> TestResult {
    for status in [500, 502, 504, 599] {
        let clock = ManualClock::new();
        let chaos = Chaos::start(move |_: &Request| Reply::text(status, PAGE));
        let client = client(&chaos, &clock, BOUND)?;
        chaos.ill_for(1);
        let refreshed = client.refresh_token().await;
        let error = refreshed.expect_err("a fault");
        assert!(error.outcome_unknown() && error.is_transient(), "{error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(chaos.asked(), 1);
        let token = client.refresh_token().await?;
        assert_eq!(token.access_token().expose_secret(), "planted-access-1");
        assert_eq!(chaos.asked(), 2);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_asks_for_an_hour_is_left_alone_for_five_minutes() -> TestResult {
    let clock = ManualClock::new();
    let chaos = Chaos::start(|_: &Request| Reply::text(429, "").with("retry-after", "3600"));
    let client = client(&chaos, &clock, BOUND)?;
    for _ in 0..4 {
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, format!("Bearer {OLD_TOKEN}"));
        assert_eq!(chaos.asked(), 1);
        clock.advance(Duration::from_secs(74));
    }
    clock.advance(Duration::from_secs(80));
    chaos.heal();
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    Ok(())
}

/// An absurd wait overflows nothing, and ends with the old token.
#[maybe_async]
#[test]
async fn a_server_that_asks_for_ever_is_asked_when_the_old_token_has_expired() -> TestResult {
    let clock = ManualClock::new();
    let ever = u64::MAX;
    let chaos = Chaos::start(move |_: &Request| {
        Reply::text(503, "").with("retry-after", &ever.to_string())
    });
    let client = client(&chaos, &clock, BOUND)?;
    for _ in 0..2 {
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, format!("Bearer {OLD_TOKEN}"));
        assert_eq!(chaos.asked(), 1);
    }
    clock.advance(Duration::from_secs(14 * 3600));
    let sent = call(&client, &chaos).await;
    let error = sent.expect_err("a fault");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(ever)));
    assert_eq!(chaos.asked(), 2);
    chaos.heal();
    clock.advance(LONGEST_RETRY_AFTER * 5 / 4);
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    Ok(())
}

/// Without a token that could be used the fault is the caller's answer, and nothing goes out.
#[maybe_async]
#[test]
async fn with_an_expired_token_the_fault_is_told_and_nothing_is_sent() -> TestResult {
    for (status, body, kind, requests) in [
        (500, PAGE, ErrorKind::Server, 1),
        (503, PAGE, ErrorKind::Server, 1),
        (429, PAGE, ErrorKind::Server, 3),
        (200, PAGE, ErrorKind::Answer, 1),
        (400, r#"{"error":"invalid_scope"}"#, ErrorKind::Server, 1),
    ] {
        let clock = ManualClock::new();
        let chaos = Chaos::start(move |_: &Request| Reply::text(status, body));
        let client = client(&chaos, &clock, BOUND)?;
        clock.advance(Duration::from_secs(9 * 3600));
        let sent = call(&client, &chaos).await;
        let error = sent.expect_err("a fault");
        assert_eq!(error.kind(), kind);
        tells_no_secret(&error);
        assert_eq!((chaos.asked(), chaos.server.count("/api")), (requests, 0));
        assert_eq!(held(&client), OLD_TOKEN);
        chaos.heal();
        clock.advance(Duration::from_secs(2));
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, "Bearer planted-access-1");
    }
    Ok(())
}

/// One caller waits for a slow answer, which is good when it comes; nobody else does.
#[maybe_async]
#[test]
async fn a_slow_answer_holds_up_one_caller() -> TestResult {
    let (gate, clock) = (Gate::new(), ManualClock::new());
    let chaos = Arc::new(Chaos::start_at(&gate, |_: &Request| chaos::issue(1)));
    let client = client(&chaos, &clock, Duration::from_secs(60))?;
    let leader = spawn_call(&client, &chaos);
    run_blocking(chaos.server.arrivals("/token", 1)).await;
    for _ in 0..3 {
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, format!("Bearer {OLD_TOKEN}"));
    }
    gate.open();
    let sent_with = leader.join().await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    assert_eq!(chaos.asked(), 1);
    Ok(())
}

/// Some servers mark their tokens as HTML, or as nothing.
#[maybe_async]
#[test]
async fn a_wrong_content_type_does_not_matter() -> TestResult {
    for content_type in ["text/html; charset=utf-8", "text/plain", "image/png", ""] {
        let clock = ManualClock::new();
        let chaos = Chaos::start(move |_: &Request| {
            Reply::text(200, r#"{"access_token":"planted-access-1"}"#)
                .with("content-type", content_type)
        });
        let client = client(&chaos, &clock, BOUND)?;
        let sent_with = call(&client, &chaos).await?;
        assert_eq!(sent_with, "Bearer planted-access-1", "{content_type}");
        let token = client.token().expect("a token");
        let kept = token.refresh_token().expect("the old one").expose_secret();
        assert_eq!(kept, OLD_REFRESH_TOKEN);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn odd_members_do_not_cost_the_token() -> TestResult {
    for odd in [
        json!({"expires_in": "soon"}),
        json!({"expires_in": 1e300}),
        json!({"expires_in": u64::MAX}),
        json!({"expires_in": null, "scope": null, "token_type": null}),
        json!({"scope": ["a", "b"]}),
        json!({"": "", "\u{0}": {}, "id_token": "not.a.jwt"}),
        json!({"error": null, "error_description": 7}),
    ] {
        let clock = ManualClock::new();
        let mut members = odd.clone();
        members["access_token"] = "planted-access-1".into();
        let chaos = Chaos::start(move |_: &Request| Reply::json(200, members.clone()));
        let client = client(&chaos, &clock, BOUND)?;
        for _ in 0..2 {
            let sent_with = call(&client, &chaos).await?;
            assert_eq!(sent_with, "Bearer planted-access-1", "{odd}");
        }
        assert_eq!(chaos.asked(), 1, "{odd}");
        assert!(!format!("{client:?}").contains(MARK));
    }
    Ok(())
}

/// Compressed answers are read, up to the same size.
#[maybe_async]
#[test]
async fn a_compressed_token_is_a_token() -> TestResult {
    let clock = ManualClock::new();
    let body = packed(br#"{"access_token":"planted-access-1","token_type":"bearer"}"#);
    let chaos = Chaos::start(move |_: &Request| {
        Reply::text(200, body.clone()).with("content-encoding", "gzip")
    });
    let client = client(&chaos, &clock, BOUND)?;
    let sent_with = call(&client, &chaos).await?;
    assert_eq!(sent_with, "Bearer planted-access-1");
    Ok(())
}

/// Nobody listens, until the second attempt is on its way.
#[maybe_async]
#[test]
async fn a_refused_connection_is_tried_again() -> TestResult {
    let clock = ManualClock::new();
    let api = Chaos::start(|_: &Request| Reply::text(500, ""));
    let port = ClosedPort::new();
    let address = port.address();
    let attempts = Arc::new(AtomicUsize::new(0));
    // From which attempt on there is a server.
    let from = Arc::new(AtomicUsize::new(usize::MAX));
    let server = Arc::new(Mutex::new(None));
    let (made, wanted, started) = (attempts.clone(), from.clone(), server.clone());
    let auth = move |_: &mut EndpointRequest| -> Result<(), BoxError> {
        let mut server = started.lock().expect("a lock");
        let attempt = made.fetch_add(1, Ordering::SeqCst) + 1;
        if attempt >= wanted.load(Ordering::SeqCst) && server.is_none() {
            *server = Some(Server::start_on(
                port.listen()?,
                |_: &Request| chaos::issue(1),
                |stream| Some(Box::new(stream)),
            ));
        }
        Ok(())
    };
    let client = OAuth2Client::builder("id")
        .token_endpoint(format!("http://{address}/token"))
        .token_endpoint_auth_method(auth)
        .token(first_token(&clock, 3600).with_issued_at(clock.now() - Duration::from_secs(3600)))
        .leeway(Duration::from_secs(3600))
        .clock(clock.clock())
        .build()?;
    clock.advance(Duration::from_secs(60));
    let sent_with = call(&client, &api).await?;
    assert_eq!(sent_with, "Bearer t0");
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    let refreshed = client.refresh_token().await;
    let expected = Expected {
        kind: ErrorKind::Transport,
        unknown: false,
        repeated: true,
        transient: true,
        retry_after: None,
    };
    expected.check(&refreshed.expect_err("nobody there"));
    assert_eq!(attempts.load(Ordering::SeqCst), 6);
    from.store(8, Ordering::SeqCst);
    let token = client.refresh_token().await?;
    assert_eq!(token.access_token().expose_secret(), "planted-access-1");
    assert_eq!(attempts.load(Ordering::SeqCst), 8);
    let server = server.lock().expect("a lock");
    assert_eq!(
        server.as_ref().map(|server| server.count("/token")),
        Some(1)
    );
    Ok(())
}

/// All that waited get the one error; each of them may look into it.
#[maybe_async]
#[test]
async fn waiting_callers_share_the_error() -> TestResult {
    let (gate, clock) = (Gate::new(), ManualClock::new());
    let chaos = Arc::new(Chaos::start_at(&gate, |_: &Request| {
        Reply::json(
            400,
            json!({"error": "invalid_grant", "error_description": "gone"}),
        )
    }));
    let client = client(&chaos, &clock, Duration::from_secs(60))?;
    clock.advance(Duration::from_secs(9 * 3600));
    let leader = spawn_call(&client, &chaos);
    run_blocking(chaos.server.arrivals("/token", 1)).await;
    let waiter = spawn_call(&client, &chaos);
    sleep(Duration::from_millis(50)).await;
    gate.open();
    let leader = leader.join().await;
    let waiter = waiter.join().await;
    for error in [leader, waiter].map(|result| result.expect_err("a fault")) {
        assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
        assert!(error.needs_login());
        tells_no_secret(&error);
    }
    assert_eq!(chaos.server.count("/api"), 0);
    Ok(())
}
