//! A server that demands DPoP at its token endpoint and at its API, and checks each proof as
//! RFC 9449 section 4.3 says. What it would refuse as a violation is collected, for the test to
//! find.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::jose::{Jwk, Jws, VerifyingKey};
use serde_json::{Value, json};

use super::{
    clock::ManualClock,
    server::{Reply, Request, Server},
};

/// Nonces that one part of the server demands.
#[derive(Default)]
pub struct Nonces {
    /// Whether a proof needs one.
    pub demanded: bool,
    /// After how many requests it changes; never, if 0.
    pub every: usize,
    /// Whether a response to a good proof has one.
    pub in_every_response: bool,
    name: &'static str,
    count: usize,
    current: usize,
    /// Those in challenges, which are good whenever they come back.
    challenged: HashSet<String>,
}

impl Nonces {
    fn current(&self) -> String {
        format!("{}-{}", self.name, self.current)
    }

    /// Whether the nonce of a proof is good.
    fn accept(&mut self, given: Option<&str>) -> bool {
        if !self.demanded {
            return true;
        }
        self.count += 1;
        if self.every > 0 && self.count.is_multiple_of(self.every) {
            self.current += 1;
        }
        given.is_some_and(|given| given == self.current() || self.challenged.contains(given))
    }

    /// Changes the nonce.
    pub fn rotate(&mut self) {
        self.current += 1;
        self.challenged.clear();
    }

    fn challenge(&mut self) -> String {
        let nonce = self.current();
        self.challenged.insert(nonce.clone());
        nonce
    }
}

/// What the server does, and what it has seen.
pub struct State {
    pub token_type: &'static str,
    pub scheme: &'static str,
    pub at_server: Nonces,
    pub at_resource: Nonces,
    /// Whether a demand for a nonce at the API has no challenge, but a body.
    pub bare: bool,
    /// Whether a demand for a nonce at the token endpoint spends the refresh token.
    pub spends: bool,
    /// Whether its demands have no header with a nonce.
    pub without_header: bool,
    /// Access tokens that the API refuses as invalid.
    pub refused: HashSet<String>,
    /// Violations of RFC 9449 by the client.
    pub violations: Vec<String>,
    /// Proofs that were good, with the path that they were for.
    pub proofs: Vec<(String, Value)>,
    /// Thumbprints by token, access and refresh tokens alike.
    pub bound: HashMap<String, String>,
    /// Thumbprints by code.
    pub codes: HashMap<String, String>,
    /// The time of the server, if it is not the system's.
    pub clock: Option<ManualClock>,
    spent: HashSet<String>,
    seen: HashSet<String>,
    assertions: HashSet<String>,
    issued: usize,
}

pub struct DpopServer {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

impl DpopServer {
    /// A server with nonces at both ends.
    pub fn start() -> Self {
        let server = Self::without_nonces();
        let mut state = server.state();
        state.at_server.demanded = true;
        state.at_resource.demanded = true;
        drop(state);
        server
    }

    pub fn without_nonces() -> Self {
        let state = State::new();
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let server = Server::start(move |request: &Request| {
            let mut state = lock(&shared);
            match &*request.path {
                "/token" => state.token(request),
                "/to" => {
                    let status = request.query.parse().unwrap_or(307);
                    match state.api(request) {
                        Ok(()) => Reply::text(status, "").with("location", "/api/there?x=1"),
                        Err(reply) => reply,
                    }
                }
                "/away" => Reply::text(307, "").with("location", "http://127.0.0.2:1/"),
                _ => match state.api(request) {
                    Ok(()) => state.noted(Reply::text(200, request.body.clone())),
                    Err(reply) => reply,
                },
            }
        });
        Self { server, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Asserts that no proof was wrong.
    pub fn assert_sound(&self) {
        let state = self.state();
        assert!(state.violations.is_empty(), "{:?}", state.violations);
    }
}

/// The claims of a proof, which is not verified.
pub fn claims_of(proof: &str) -> Value {
    let claims = proof.split('.').nth(1).expect("a proof");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    serde_json::from_slice(&claims).expect("claims")
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("a lock")
}

impl State {
    /// A server without nonces.
    pub fn new() -> Self {
        let nonces = |name| Nonces {
            name,
            in_every_response: true,
            ..Nonces::default()
        };
        Self {
            token_type: "DPoP",
            scheme: "DPoP",
            at_server: nonces("as"),
            at_resource: nonces("rs"),
            bare: false,
            spends: false,
            without_header: false,
            refused: HashSet::new(),
            violations: Vec::new(),
            proofs: Vec::new(),
            bound: HashMap::new(),
            codes: HashMap::new(),
            clock: None,
            spent: HashSet::new(),
            seen: HashSet::new(),
            assertions: HashSet::new(),
            issued: 0,
        }
    }

    /// A server with nonces at both ends.
    pub fn with_nonces() -> Self {
        let mut state = Self::new();
        state.at_server.demanded = true;
        state.at_resource.demanded = true;
        state
    }

    fn violated(&mut self, what: impl Into<String>) -> Reply {
        self.violations.push(what.into());
        Reply::error(400, "invalid_dpop_proof")
    }

    /// Adds the nonce of the API.
    pub fn noted(&self, reply: Reply) -> Reply {
        match self.at_resource.demanded && self.at_resource.in_every_response {
            true => reply.with("DPoP-Nonce", &self.at_resource.current()),
            false => reply,
        }
    }

    /// The thumbprint of the key of a token request, or the refusal.
    pub fn proved(&mut self, request: &Request) -> Result<String, Reply> {
        if let Some(assertion) = request.parameter("client_assertion")
            && !self.assertions.insert(assertion)
        {
            return Err(self.violated("a client assertion was sent twice"));
        }
        let (claims, thumbprint) = match self.proof(request, None) {
            Ok(proof) => proof,
            Err(problem) => return Err(self.violated(problem)),
        };
        if self.at_server.accept(claims["nonce"].as_str()) {
            return Ok(thumbprint);
        }
        let refresh_token = request.parameter("refresh_token");
        if let Some(token) = refresh_token.filter(|_| self.spends) {
            self.spent.insert(token);
        }
        let body = json!({"error": "use_dpop_nonce", "error_description": "use as-header"});
        let reply = Reply::json(400, body);
        let nonce = self.at_server.challenge();
        Err(match self.without_header {
            true => reply,
            false => reply.with("DPoP-Nonce", &nonce),
        })
    }

    /// A token response with the n-th tokens, bound to a key.
    pub fn issued(&mut self, n: usize, mut answer: Value, thumbprint: &str) -> Reply {
        for token in [format!("t{n}"), format!("r{n}")] {
            self.bound.insert(token, thumbprint.to_owned());
        }
        answer["token_type"] = self.token_type.into();
        let reply = Reply::json(200, answer);
        match self.at_server.demanded && self.at_server.in_every_response {
            true => reply.with("DPoP-Nonce", &self.at_server.current()),
            false => reply,
        }
    }

    fn token(&mut self, request: &Request) -> Reply {
        let thumbprint = match self.proved(request) {
            Ok(thumbprint) => thumbprint,
            Err(reply) => return reply,
        };
        let refresh_token = request.parameter("refresh_token");
        let exchanged = refresh_token.or_else(|| request.parameter("code"));
        if let Some(exchanged) = &exchanged {
            if !self.spent.insert(exchanged.clone()) {
                return Reply::error(400, "invalid_grant");
            }
            let known = self.bound.get(exchanged).or(self.codes.get(exchanged));
            let is_public = request.parameter("client_assertion").is_none()
                && request.header("authorization").is_none();
            if known.is_some_and(|known| *known != thumbprint)
                && (is_public || self.codes.contains_key(exchanged))
            {
                return Reply::error(400, "invalid_grant");
            }
        }
        self.issued += 1;
        let n = self.issued;
        let answer = json!({
            "access_token": format!("t{n}"), "refresh_token": format!("r{n}"), "expires_in": 600,
        });
        self.issued(n, answer, &thumbprint)
    }

    /// Whether a request to the API is authorised, or its refusal.
    pub fn api(&mut self, request: &Request) -> Result<(), Reply> {
        let authorization = request.header("authorization").unwrap_or_default();
        let Some(token) = authorization.strip_prefix("DPoP ").map(str::to_owned) else {
            return Err(self.violated(format!("the header {authorization:?}")));
        };
        let (claims, thumbprint) = match self.proof(request, Some(&token)) {
            Ok(proof) => proof,
            Err(problem) => return Err(self.violated(problem)),
        };
        if !self.at_resource.accept(claims["nonce"].as_str()) {
            let nonce = self.at_resource.challenge();
            let reply = match self.bare {
                true => Reply::error(401, "use_dpop_nonce"),
                false => Reply::text(401, "a nonce, please").with(
                    "www-authenticate",
                    &format!("{} error=\"use_dpop_nonce\"", self.scheme),
                ),
            };
            return Err(match self.without_header {
                true => reply,
                false => reply.with("DPoP-Nonce", &nonce),
            });
        }
        let key = self.bound.get(&token).cloned();
        if self.refused.contains(&token) {
            let challenge = format!("{} error=\"invalid_token\"", self.scheme);
            return Err(self.noted(Reply::text(401, "").with("www-authenticate", &challenge)));
        }
        match key {
            Some(key) if key != thumbprint => Err(self.violated("a proof by another key")),
            _ => Ok(()),
        }
    }

    /// The claims of a good proof, and the thumbprint of its key.
    fn proof(&mut self, request: &Request, token: Option<&str>) -> Result<(Value, String), String> {
        let proofs: Vec<_> = request
            .headers
            .iter()
            .filter(|(name, _)| name == "dpop")
            .collect();
        let [(_, proof)] = proofs.as_slice() else {
            return Err(format!("{} proofs for {}", proofs.len(), request.path));
        };
        let jws = Jws::parse(proof).map_err(|error| error.to_string())?;
        let header = jws.header();
        if header.typ() != Some("dpop+jwt") {
            return Err(format!("the type {:?}", header.typ()));
        }
        let jwk = header.get("jwk").ok_or("no key")?.clone();
        let jwk: Jwk = serde_json::from_value(jwk).map_err(|error| error.to_string())?;
        if jwk.is_private() {
            return Err("a private key in a proof".to_owned());
        }
        let key = VerifyingKey::from_jwk(header.algorithm(), &jwk);
        let key = key.map_err(|error| error.to_string())?;
        let claims = jws.verify(&key).map_err(|error| error.to_string())?;
        let claims: Value = serde_json::from_slice(claims).map_err(|error| error.to_string())?;
        let host = request.header("host").unwrap_or_default();
        let target = format!("http://{host}{}", request.path);
        for (name, expected) in [
            ("htm", Some(request.method.clone())),
            ("htu", Some(target)),
            ("ath", token.map(hash)),
        ] {
            if claims[name].as_str() != expected.as_deref() {
                return Err(format!("{name} is {} for {expected:?}", claims[name]));
            }
        }
        let now = self
            .clock
            .as_ref()
            .map_or_else(SystemTime::now, ManualClock::now);
        let now = now.duration_since(UNIX_EPOCH).expect("after 1970");
        let issued_at = claims["iat"].as_u64().ok_or("no iat")?;
        if issued_at.abs_diff(now.as_secs()) > 300 {
            return Err(format!("iat is {issued_at}"));
        }
        let id = claims["jti"].as_str().ok_or("no jti")?;
        if !self.seen.insert(id.to_owned()) {
            return Err("a proof was sent twice".to_owned());
        }
        let thumbprint = jwk.thumbprint().map_err(|error| error.to_string())?;
        self.proofs.push((request.path.clone(), claims.clone()));
        Ok((claims, thumbprint))
    }
}

fn hash(token: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}
