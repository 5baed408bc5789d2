//! An OAuth provider and an API on loopback, for the examples. It checks the client's secret and a
//! user's code with its PKCE verifier, a service account's assertion or the token of a workload; issues random tokens that
//! expire, rotates refresh tokens, introspects and revokes, checks tokens at the API, counts requests,
//! and is an OpenID provider.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each example uses a part of it, and an example has no outside"
)]

pub mod devices;
pub mod fapi;
pub mod openid;
pub mod proofs;
pub mod service_accounts;
pub mod workloads;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use devices::{DEVICE_CODE, Devices};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE},
};
use httpmock::{HttpMockRequest, HttpMockResponse, Method::POST, MockServer};
use oauth_twin::{BoxError, Clock, jose::ClaimsValidation, url::Url};
use openid::OpenId;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use serde_json::{Value, json};
use service_accounts::{ACCOUNT, JWT_BEARER, SCOPE, ServiceAccounts};
use workloads::Workloads;

pub const CLIENT_ID: &str = "quickstart";
pub const CLIENT_SECRET: &str = "correct horse battery staple";

/// Lifetime of a token.
pub const LIFETIME: Duration = Duration::from_secs(10);

/// Redirection URI of the client.
pub const REDIRECT_URI: &str = "https://app.example/callback";

pub struct Provider {
    server: MockServer,
    state: Arc<ProviderState>,
}

/// State that the endpoints share.
struct ProviderState {
    issuer: String,
    token_endpoint: String,
    time: Arc<Time>,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    /// Valid access tokens.
    tokens: HashMap<String, Issued>,
    /// Valid refresh tokens, with their resource owners.
    refresh_tokens: HashMap<String, &'static str>,
    /// Codes that were not exchanged yet.
    codes: HashMap<String, Code>,
    openid: OpenId,
    service_accounts: ServiceAccounts,
    workloads: Workloads,
    devices: Devices,
    count: Count,
}

type Endpoint = fn(&ProviderState, &HttpMockRequest) -> HttpMockResponse;

/// Login that a code stands for.
struct Code {
    /// The PKCE challenge.
    challenge: String,
    /// The nonce of the ID token, if the scope had `openid`.
    nonce: Option<String>,
}

struct Issued {
    whose: &'static str,
    until: SystemTime,
}

/// Counts of the provider.
#[derive(Clone, Copy, Default)]
pub struct Count {
    /// Issued tokens.
    pub issued: usize,
    /// API calls with a valid token.
    pub served: usize,
    /// API calls that were refused with a 401.
    pub refused: usize,
    /// Valid assertions, each used once.
    pub assertions: usize,
    /// Users who logged in with a browser.
    pub logins: usize,
    /// Requests for the keys of the provider.
    pub key_requests: usize,
}

impl Provider {
    /// Starts the provider on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let server = MockServer::start();
        let state = Arc::new(ProviderState {
            issuer: server.url(""),
            token_endpoint: server.url("/token"),
            time: Arc::new(Time::new()),
            records: Mutex::default(),
        });
        let at = state.clone();
        server.mock(|when, then| {
            when.method(POST).path("/token");
            // Long enough for other callers to find a renewal in progress.
            then.delay(Duration::from_millis(100))
                .respond_with(move |request| at.token(request));
        });
        // One that requires everything in the URL, and one that responds with a form.
        let (at, form) = (state.clone(), state.clone());
        server.mock(|when, then| {
            when.method(POST).path("/token-by-uri");
            then.respond_with(move |request| at.token_by_uri(request));
        });
        server.mock(|when, then| {
            when.method(POST).path("/token-as-form");
            then.respond_with(move |request| form.token_as_form(request));
        });
        let endpoints: [(&str, Endpoint); 9] = [
            ("/.well-known/openid-configuration", ProviderState::metadata),
            ("/keys", ProviderState::keys),
            ("/device_authorization", ProviderState::authorize_device),
            ("/authorize", ProviderState::authorize),
            ("/introspect", ProviderState::introspect),
            ("/revoke", ProviderState::revoke),
            ("/reports/7", ProviderState::report),
            ("/me", ProviderState::report),
            ("/userinfo", ProviderState::report),
        ];
        for (path, answer) in endpoints {
            let at = state.clone();
            server.mock(|when, then| {
                when.path(path);
                then.respond_with(move |request| answer(&at, request));
            });
        }
        Self { server, state }
    }

    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Acts as the user's browser: opens the URL, logs in, consents, and returns the callback.
    pub fn user_logs_in(&self, url: &Url) -> String {
        let asked = url.query_pairs().into_owned().collect();
        self.state.logged_in(&asked).expect("a login")
    }

    /// Acts as the user's browser: opens the URL, logs out, and returns the callback.
    pub fn user_logs_out(&self, url: &Url) -> String {
        openid::logged_out(url).expect("a logout")
    }

    /// A user's browser, which logs in at any address that it opens and loads the callback by `load`.
    pub fn browser(
        &self,
        load: fn(String) -> Result<(), BoxError>,
    ) -> impl Fn(&Url) -> Result<(), BoxError> + Send + Sync + use<> {
        let state = self.state.clone();
        move |url| {
            let asked = url.query_pairs().into_owned().collect();
            load(state.logged_in(&asked).ok_or("no login")?)
        }
    }

    /// The clock that tokens expire by.
    pub fn clock(&self) -> Clock {
        self.state.clock()
    }

    pub fn advance(&self, time: Duration) {
        self.state.time.advance(time);
    }

    /// Replaces the key that signs ID tokens.
    pub fn rotate_keys(&self) {
        self.state.records().openid.rotate_keys();
    }

    /// Makes all tokens invalid, whatever their expiry.
    pub fn revoke_all(&self) {
        self.state.records().tokens.clear();
    }

    pub fn count(&self) -> Count {
        self.state.records().count
    }

    /// The token of a workload, as its platform writes it into a file now.
    pub fn workload_token(&self) -> String {
        let (records, now) = (self.state.records(), self.state.time.now());
        records.workloads.token(&self.state.token_endpoint, now)
    }

    /// The key file of a service account.
    pub fn service_account(&self) -> String {
        service_accounts::file(&self.state.token_endpoint)
    }
}

impl ProviderState {
    /// The token endpoint.
    fn token(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let asked = parameters(request.body_ref());
        if asked.get("grant_type").is_some_and(|it| it == JWT_BEARER) {
            return self.token_for_assertion(&asked);
        }
        let here_and_now = ClaimsValidation::new()
            .audience(&self.token_endpoint)
            .clock(self.clock());
        if !is_client(&header(request, "authorization").unwrap_or_default())
            && !self.records().workloads.is_workload(&asked, here_and_now)
        {
            return refusal(401, "invalid_client", "Basic");
        }
        match self.granted(&asked) {
            Ok(token) => answer(200, &token).into(),
            Err(error) => refusal(400, error, ""),
        }
    }

    /// The token endpoint for the assertions of a service account.
    fn token_for_assertion(&self, asked: &HashMap<String, String>) -> HttpMockResponse {
        let assertion = asked.get("assertion").map_or("", |assertion| assertion);
        let here_and_now = ClaimsValidation::new()
            .audience(&self.token_endpoint)
            .clock(self.clock());
        let mut records = self.records();
        let claims = match records.service_accounts.check(assertion, here_and_now) {
            Ok(claims) => claims,
            Err(problem) => {
                let problem = problem.to_string();
                let body = json!({ "error": "invalid_grant", "error_description": problem });
                return answer(400, &body).into();
            }
        };
        records.count.assertions += 1;
        if claims.get("scope").is_none_or(|scope| scope != SCOPE) {
            return refusal(400, "invalid_scope", "");
        }
        answer(200, &self.issued(&mut records, ACCOUNT)).into()
    }

    /// The token endpoint for a client that sends everything in the URL.
    fn token_by_uri(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let uri = request.uri();
        let parameters = parameters(uri.query().unwrap_or_default().as_bytes());
        let given = |name: &str| parameters.get(name).map_or("", |value| value);
        if (given("client_id"), given("client_secret")) != (CLIENT_ID, CLIENT_SECRET) {
            return refusal(401, "invalid_client", "");
        }
        match self.granted(&parameters) {
            Ok(token) => answer(200, &token).into(),
            Err(error) => refusal(400, error, ""),
        }
    }

    /// The token endpoint that responds with a form.
    fn token_as_form(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let Ok(token) = self.granted(&parameters(request.body_ref())) else {
            return refusal(400, "invalid_request", "");
        };
        let body = format!(
            "access_token={}&expires={}",
            token["access_token"].as_str().unwrap_or_default(),
            token["expires_in"]
        );
        Response::new(body).into()
    }

    /// A token for the grant, or the error code.
    fn granted(&self, asked: &HashMap<String, String>) -> Result<Value, &'static str> {
        let given = |name: &str| asked.get(name).map_or("", |value| value);
        let mut records = self.records();
        let mut nonce = None;
        let whose = match given("grant_type") {
            "client_credentials" => "the client",
            "authorization_code" => {
                let code = records.codes.remove(given("code")).ok_or("invalid_grant")?;
                let hash = digest(&SHA256, given("code_verifier").as_bytes());
                if code.challenge != BASE64_URL_SAFE_NO_PAD.encode(hash) {
                    return Err("invalid_grant");
                }
                nonce = code.nonce;
                "alice"
            }
            DEVICE_CODE => {
                records.devices.poll(given("device_code"))?;
                "alice"
            }
            "refresh_token" => records
                .refresh_tokens
                .remove(given("refresh_token"))
                .ok_or("invalid_grant")?,
            _ => return Err("unsupported_grant_type"),
        };
        let mut body = self.issued(&mut records, whose);
        if whose != "the client" {
            let refresh_token = random_text();
            records.refresh_tokens.insert(refresh_token.clone(), whose);
            body["refresh_token"] = refresh_token.into();
        }
        if let Some(nonce) = nonce {
            let now = self.time.now();
            let id_token = records.openid.id_token(&self.issuer, whose, &nonce, now);
            body["id_token"] = id_token.into();
        }
        Ok(body)
    }

    /// A new token.
    fn issued(&self, records: &mut Records, whose: &'static str) -> Value {
        records.count.issued += 1;
        let token = random_text();
        let until = self.time.now() + LIFETIME;
        records
            .tokens
            .insert(token.clone(), Issued { whose, until });
        json!({
            "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME.as_secs(),
        })
    }

    /// The authorization endpoint, where every user is Alice and consents.
    fn authorize(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let uri = request.uri();
        let asked = parameters(uri.query().unwrap_or_default().as_bytes());
        let Some(callback) = self.logged_in(&asked) else {
            return refusal(400, "invalid_request", "");
        };
        let mut answer = answer(302, &Value::Null);
        let location = HeaderValue::try_from(callback).expect("a URL");
        answer.headers_mut().insert(LOCATION, location);
        answer.into()
    }

    /// The callback URL of a login.
    fn logged_in(&self, asked: &HashMap<String, String>) -> Option<String> {
        let given = |name: &str| asked.get(name).map_or("", |value| value);
        let redirect_uri = given("redirect_uri");
        // The port of loopback is any (RFC 8252 section 7.3).
        let is_registered =
            redirect_uri == REDIRECT_URI || redirect_uri.starts_with("http://127.0.0.1:");
        let right = given("client_id") == CLIENT_ID
            && is_registered
            && (given("response_type"), given("code_challenge_method")) == ("code", "S256");
        let code = random_text();
        let is_openid = given("scope").split(' ').any(|scope| scope == "openid");
        let challenge = given("code_challenge").to_owned();
        let nonce = is_openid.then(|| given("nonce").to_owned());
        let mut records = self.records();
        records
            .codes
            .insert(code.clone(), Code { challenge, nonce });
        records.count.logins += 1;
        let state = given("state");
        right.then(|| format!("{redirect_uri}?code={code}&state={state}"))
    }

    /// The metadata.
    fn metadata(&self, _: &HttpMockRequest) -> HttpMockResponse {
        cacheable(&openid::metadata(&self.issuer))
    }

    /// The `jwks_uri`.
    fn keys(&self, _: &HttpMockRequest) -> HttpMockResponse {
        let mut records = self.records();
        records.count.key_requests += 1;
        cacheable(&records.openid.keys())
    }

    /// The device authorization endpoint.
    fn authorize_device(&self, request: &HttpMockRequest) -> HttpMockResponse {
        if !is_client(&header(request, "authorization").unwrap_or_default()) {
            return refusal(401, "invalid_client", "Basic");
        }
        let device_code = random_text();
        let body = self.records().devices.issue(&device_code);
        answer(200, &body).into()
    }

    /// The introspection endpoint.
    fn introspect(&self, request: &HttpMockRequest) -> HttpMockResponse {
        if !is_client(&header(request, "authorization").unwrap_or_default()) {
            return refusal(401, "invalid_client", "Basic");
        }
        let asked = parameters(request.body_ref());
        let token = asked.get("token").map_or("", |token| token);
        let body = match self.records().tokens.get(token) {
            Some(issued) if self.time.now() < issued.until => {
                json!({ "active": true, "username": issued.whose, "client_id": CLIENT_ID })
            }
            _ => json!({ "active": false }),
        };
        answer(200, &body).into()
    }

    /// The revocation endpoint, which revokes all tokens of a user together.
    fn revoke(&self, request: &HttpMockRequest) -> HttpMockResponse {
        if !is_client(&header(request, "authorization").unwrap_or_default()) {
            return refusal(401, "invalid_client", "Basic");
        }
        let asked = parameters(request.body_ref());
        let token = asked.get("token").map_or("", |token| token);
        let mut records = self.records();
        if let Some(whose) = records.refresh_tokens.remove(token) {
            records.tokens.retain(|_, issued| issued.whose != whose);
        }
        records.tokens.remove(token);
        answer(200, &Value::Null).into()
    }

    /// The API, and the UserInfo endpoint.
    fn report(&self, request: &HttpMockRequest) -> HttpMockResponse {
        let now = self.time.now();
        let authorization = header(request, "authorization").unwrap_or_default();
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let mut records = self.records();
        let whose = match records.tokens.get(token) {
            Some(issued) if now < issued.until => issued.whose,
            _ => {
                records.count.refused += 1;
                return refusal(401, "invalid_token", r#"Bearer error="invalid_token""#);
            }
        };
        records.count.served += 1;
        let body = match request.uri().path() {
            "/me" => json!({ "name": whose }),
            "/userinfo" => openid::claims(whose),
            _ => json!({ "id": 7, "title": "Harvest" }),
        };
        answer(200, &body).into()
    }

    fn clock(&self) -> Clock {
        let time = self.time.clone();
        Clock::from_fn(move || time.now())
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that is advanced by hand, so that no example waits for a token to expire.
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

fn parameters(form: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(form).into_owned().collect()
}

/// 256 random bits.
fn random_text() -> String {
    let mut random = [0; 32];
    SystemRandom::new().fill(&mut random).expect("randomness");
    BASE64_URL_SAFE_NO_PAD.encode(random)
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

/// A response that is good for an hour.
fn cacheable(body: &Value) -> HttpMockResponse {
    let mut answer = answer(200, body);
    let an_hour = HeaderValue::from_static("max-age=3600");
    answer.headers_mut().insert(CACHE_CONTROL, an_hour);
    answer.into()
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
