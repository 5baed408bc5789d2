//! An OAuth 1.0 provider and an API on loopback, for the examples. It verifies each signature
//! (HMAC-SHA1) and each nonce, serves the three steps of a login, and lists photos.

#![allow(unreachable_pub, reason = "an example has no outside")]

#[path = "../../tests/support/signature.rs"]
mod signature;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use oauth_twin::reqwest::Url;
use ring::rand::{SecureRandom as _, SystemRandom};
use signature::Found;

pub const CLIENT_KEY: &str = "dpf43f3p2l4k3l03";
pub const CLIENT_SECRET: &str = "kd94hf93k423kf44";

/// Redirection URI of the client.
pub const REDIRECT_URI: &str = "https://printer.example.com/ready";

pub struct Provider {
    server: MockServer,
    records: Arc<Mutex<Records>>,
}

#[derive(Default)]
struct Records {
    /// Temporary and token credentials: the secret of each token.
    secrets: HashMap<String, String>,
    /// Verification codes of logins, by their temporary tokens.
    verifiers: HashMap<String, String>,
    nonces: HashSet<String>,
}

type Endpoint = fn(&mut Records, &Found) -> Result<String, &'static str>;

impl Provider {
    /// Starts the provider on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let records = Arc::new(Mutex::new(Records::default()));
        let server = MockServer::start();
        let endpoints: [(&str, Endpoint); 3] = [
            ("/request_token", Records::temporary_credentials),
            ("/access_token", Records::token_credentials),
            ("/photos", Records::photos),
        ];
        for (path, answer) in endpoints {
            let records = records.clone();
            server.mock(|when, then| {
                when.path(path);
                then.respond_with(move |request| respond(&mut lock(&records), request, answer));
            });
        }
        Self { server, records }
    }

    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Acts as the user's browser: opens the URL, logs in, consents, and returns the callback.
    pub fn user_agrees(&self, url: &Url) -> String {
        let (_, token) = url
            .query_pairs()
            .find(|(name, _)| name == "oauth_token")
            .expect("a token");
        let verifier = random_text();
        let callback = format!("{REDIRECT_URI}?oauth_token={token}&oauth_verifier={verifier}");
        lock(&self.records)
            .verifiers
            .insert(token.into_owned(), verifier);
        callback
    }
}

/// Verifies the signature and the nonce before anything else.
fn respond(records: &mut Records, request: &HttpMockRequest, answer: Endpoint) -> HttpMockResponse {
    let done = match records.verified(request) {
        Some(found) => answer(records, &found),
        None => Err("signature_invalid"),
    };
    let (status, body) = match done {
        Ok(body) => (200, body),
        Err(problem) => (401, format!("oauth_problem={problem}")),
    };
    let response = http::Response::builder().status(status).body(body);
    response.expect("a response").into()
}

impl Records {
    fn verified(&mut self, request: &HttpMockRequest) -> Option<Found> {
        let header = |name: &str| {
            let headers = request.headers();
            headers.get(name)?.to_str().ok().map(str::to_owned)
        };
        let url = Url::parse(&format!("http://{}/", header("host")?)).ok()?;
        let url = url.join(&request.uri().to_string()).ok()?;
        let authorization = header("authorization");
        let verify = |token_secret: &str| {
            let method = request.method().to_string();
            let secrets = [CLIENT_SECRET, token_secret];
            signature::verify(&method, url.as_str(), authorization.as_deref(), "", secrets)
        };
        // The first pass only reads the token.
        let token = verify("")?.own("oauth_token").map(str::to_owned);
        let secret = match token {
            Some(token) => self.secrets.get(&token)?,
            None => "",
        };
        let found = verify(secret)?;
        let is_new = self.nonces.insert(found.own("oauth_nonce")?.to_owned());
        (found.verified && is_new && found.own("oauth_consumer_key")? == CLIENT_KEY)
            .then_some(found)
    }

    fn temporary_credentials(&mut self, found: &Found) -> Result<String, &'static str> {
        if found.own("oauth_callback") != Some(REDIRECT_URI) {
            return Err("parameter_rejected");
        }
        Ok(self.issued("&oauth_callback_confirmed=true"))
    }

    fn token_credentials(&mut self, found: &Found) -> Result<String, &'static str> {
        let token = found.own("oauth_token").ok_or("parameter_absent")?;
        let verifier = self.verifiers.remove(token);
        if verifier.is_none() || verifier.as_deref() != found.own("oauth_verifier") {
            return Err("verifier_invalid");
        }
        self.secrets.remove(token);
        Ok(self.issued("&screen_name=jane"))
    }

    fn photos(&mut self, found: &Found) -> Result<String, &'static str> {
        found.own("oauth_token").ok_or("token_required")?;
        let size = found.parameters.iter().find(|(name, _)| name == "size");
        Ok(format!(
            "vacation.jpg ({})",
            size.map_or("small", |(_, size)| size)
        ))
    }

    fn issued(&mut self, more: &str) -> String {
        let (token, secret) = (random_text(), random_text());
        let answer = format!("oauth_token={token}&oauth_token_secret={secret}{more}");
        self.secrets.insert(token, secret);
        answer
    }
}

fn lock(records: &Mutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random_text() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
