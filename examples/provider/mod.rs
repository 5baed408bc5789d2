//! An OAuth provider and an API on loopback, for the examples: it checks the client's secret,
//! issues random tokens that expire, checks them at the API, and counts what it is asked.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each example uses a part of it, and an example has no outside"
)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use httpmock::{HttpMockRequest, HttpMockResponse, Method::POST, MockServer};
use oauth_twin::Clock;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

pub const CLIENT_ID: &str = "quickstart";
pub const CLIENT_SECRET: &str = "correct horse battery staple";

/// How long a token lives.
pub const LIFETIME: Duration = Duration::from_secs(10);

pub struct Provider {
    server: MockServer,
    desk: Arc<Desk>,
}

/// What the endpoints share.
struct Desk {
    time: Time,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// The tokens that are valid, and until when.
    tokens: HashMap<String, SystemTime>,
    count: Count,
}

/// How often the provider was asked.
#[derive(Clone, Copy, Default)]
pub struct Count {
    /// Tokens that were issued.
    pub issued: usize,
    /// API calls that were answered.
    pub served: usize,
    /// API calls that were refused with a 401.
    pub refused: usize,
}

impl Provider {
    /// Starts it on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let desk = Arc::new(Desk {
            time: Time::new(),
            book: Mutex::default(),
        });
        let server = MockServer::start();
        let at = desk.clone();
        server.mock(|when, then| {
            when.method(POST).path("/token");
            // Long enough for callers to find a renewal under way.
            then.delay(Duration::from_millis(100))
                .respond_with(move |request| at.token(request));
        });
        let at = desk.clone();
        server.mock(|when, then| {
            when.path("/reports/7");
            then.respond_with(move |request| at.report(request));
        });
        Self { server, desk }
    }

    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// The time that tokens expire by.
    pub fn clock(&self) -> Clock {
        let desk = self.desk.clone();
        Clock::from_fn(move || desk.time.now())
    }

    pub fn advance(&self, time: Duration) {
        self.desk.time.advance(time);
    }

    /// Makes all tokens invalid, whatever their expiry.
    pub fn revoke_all(&self) {
        self.desk.book().tokens.clear();
    }

    pub fn count(&self) -> Count {
        self.desk.book().count
    }
}

impl Desk {
    /// The token endpoint.
    fn token(&self, request: &HttpMockRequest) -> HttpMockResponse {
        if !is_client(&header(request, "authorization").unwrap_or_default()) {
            return refusal(401, "invalid_client", "Basic");
        }
        let grant_type = ("grant_type", "client_credentials");
        if !url::form_urlencoded::parse(request.body_ref()).any(|(k, v)| (&*k, &*v) == grant_type) {
            return refusal(400, "unsupported_grant_type", "");
        }
        let mut random = [0; 32];
        SystemRandom::new().fill(&mut random).expect("randomness");
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        let mut book = self.book();
        book.count.issued += 1;
        book.tokens
            .insert(token.clone(), self.time.now() + LIFETIME);
        let body = json!({
            "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs(),
        });
        answer(200, &body).into()
    }

    /// The API.
    fn report(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let now = self.time.now();
        let authorization = header(request, "authorization").unwrap_or_default();
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let mut book = self.book();
        if book.tokens.get(token).is_none_or(|until| now >= *until) {
            book.count.refused += 1;
            return refusal(401, "invalid_token", r#"Bearer error="invalid_token""#);
        }
        book.count.served += 1;
        answer(200, &json!({ "id": 7, "title": "Harvest" })).into()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that stands until it is moved, so that nobody has to wait for a token to expire.
struct Time {
    start: SystemTime,
    passed: AtomicU64,
}

impl Time {
    fn new() -> Self {
        Self {
            start: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            passed: AtomicU64::new(0),
        }
    }

    fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.passed.load(Ordering::SeqCst))
    }

    fn advance(&self, time: Duration) {
        self.passed.fetch_add(time.as_secs(), Ordering::SeqCst);
    }
}

fn header(request: &HttpMockRequest, name: &str) -> Option<String> {
    let headers = request.headers();
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn answer(status: u16, body: &Value) -> Response<String> {
    let mut answer = Response::new(body.to_string());
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn refusal(status: u16, error: &str, challenge: &'static str) -> HttpMockResponse {
    let mut answer = answer(status, &json!({ "error": error }));
    if !challenge.is_empty() {
        let challenge = HeaderValue::from_static(challenge);
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer.into()
}

/// Whether these are the client's credentials, form-encoded within `Basic`.
///
/// [RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)
fn is_client(authorization: &str) -> bool {
    let decoded = authorization
        .strip_prefix("Basic ")
        .and_then(|credentials| STANDARD.decode(credentials).ok())
        .and_then(|credentials| String::from_utf8(credentials).ok());
    // The client sends `id:secret`; as a form this reads `id=secret`.
    let form = decoded.unwrap_or_default().replacen(':', "=", 1);
    url::form_urlencoded::parse(form.as_bytes()).eq([(CLIENT_ID.into(), CLIENT_SECRET.into())])
}
