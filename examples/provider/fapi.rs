//! A bank whose server and API follow the FAPI 2.0 Security Profile: requests have to be pushed, clients
//! authenticate by assertion, and tokens are bound to a key, whose possession each request proves.
//! The server and the API each have nonces of their own, which change.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Response};
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use oauth_twin::{
    jose::{Algorithm, Claims, ClaimsValidation, Jws, VerifyingKey},
    url::Url,
};
use serde_json::json;

use super::{
    answer, header, parameters,
    proofs::{ALGORITHMS, Proof, hash},
    random_text,
};

pub const CLIENT_ID: &str = "budget";

/// Lifetime of a token.
const LIFETIME: Duration = Duration::from_secs(300);

/// Proofs for which a nonce is good.
const NONCE_USES: usize = 2;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub struct Bank {
    server: MockServer,
    state: Arc<BankState>,
}

struct BankState {
    issuer: String,
    /// The key that is registered for the client.
    client_key: VerifyingKey,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    pushed: HashMap<String, Pushed>,
    codes: HashMap<String, Pushed>,
    /// The thumbprints of the keys that tokens are bound to.
    access_tokens: HashMap<String, String>,
    refresh_tokens: HashMap<String, String>,
    /// Identifiers of assertions and proofs, each good for one request.
    used: HashSet<String>,
    server_nonce: Nonce,
    api_nonce: Nonce,
    count: BankCount,
}

/// Counts of the bank.
#[derive(Clone, Copy, Debug, Default)]
pub struct BankCount {
    /// Authorization requests that were pushed.
    pub pushed: usize,
    /// Tokens that were issued.
    pub issued: usize,
    /// API calls with a valid token and proof.
    pub served: usize,
    /// Requests that were refused for the sake of their nonce.
    pub nonces_refused: usize,
}

struct Nonce {
    value: String,
    uses: usize,
}

impl Default for Nonce {
    fn default() -> Self {
        let (value, uses) = (random_text(), 0);
        Self { value, uses }
    }
}

/// Pushed authorization request.
#[derive(Clone)]
struct Pushed {
    parameters: HashMap<String, String>,
    /// The thumbprint of the key that the login is bound to.
    key: String,
}

/// Refusal of a request, with the reason in words.
struct Refused(&'static str, String);

type Checked<T> = Result<T, Refused>;

fn refused<T>(code: &'static str, reason: impl Into<String>) -> Checked<T> {
    Err(Refused(code, reason.into()))
}

impl Bank {
    /// Starts the bank on a free port of 127.0.0.1, with one client, which has this key.
    pub fn start(client_key: VerifyingKey) -> Self {
        let server = MockServer::start();
        let state = Arc::new(BankState {
            issuer: server.url(""),
            client_key,
            records: Mutex::default(),
        });
        type Endpoint = fn(&BankState, &HttpMockRequest) -> Response<String>;
        let endpoints: [(&str, Endpoint); 4] = [
            ("/.well-known/openid-configuration", BankState::metadata),
            ("/par", BankState::par),
            ("/token", BankState::token),
            ("/accounts", BankState::accounts),
        ];
        for (path, endpoint) in endpoints {
            let at = state.clone();
            server.mock(|when, then| {
                when.path(path);
                then.respond_with(move |request| -> HttpMockResponse {
                    endpoint(&at, request).into()
                });
            });
        }
        Self { server, state }
    }

    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Acts as the user's browser: opens the URL, logs in, consents, and returns the callback.
    pub fn user_logs_in(&self, url: &Url) -> Option<String> {
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let mut records = self.state.records();
        // Only a reference is in the URL, and it is good once.
        let pushed = records.pushed.remove(asked.get("request_uri")?)?;
        let is_alone = asked.len() == 2 && asked.get("client_id")? == CLIENT_ID;
        let code = random_text();
        let given = |name: &str| pushed.parameters.get(name).cloned();
        let mut callback = Url::parse(&given("redirect_uri")?).ok()?;
        callback
            .query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &given("state")?)
            .append_pair("iss", &self.state.issuer);
        records.codes.insert(code, pushed);
        is_alone.then(|| callback.into())
    }

    pub fn count(&self) -> BankCount {
        self.state.records().count
    }
}

impl BankState {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn metadata(&self, _: &HttpMockRequest) -> Response<String> {
        let algorithms = ALGORITHMS.map(Algorithm::as_str);
        answer(
            200,
            &json!({
                "issuer": self.issuer,
                "authorization_endpoint": self.url("/authorize"),
                "token_endpoint": self.url("/token"),
                "pushed_authorization_request_endpoint": self.url("/par"),
                "require_pushed_authorization_requests": true,
                "authorization_response_iss_parameter_supported": true,
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": algorithms,
                "dpop_signing_alg_values_supported": algorithms,
            }),
        )
    }

    /// The endpoint for pushed authorization requests.
    fn par(&self, request: &HttpMockRequest) -> Response<String> {
        let form = parameters(request.body_ref());
        let mut records = self.records();
        let checked = self.check_client(&mut records, &form).and_then(|()| {
            let key = self.check_proof(&mut records, request, "/par", None)?;
            let given = |name: &str| form.get(name).map_or("", |value| value);
            let is_right = (given("response_type"), given("code_challenge_method"))
                == ("code", "S256")
                && given("client_id") == CLIENT_ID
                && !given("state").is_empty()
                && !given("redirect_uri").is_empty();
            match is_right {
                true => Ok(key),
                false => refused("invalid_request", "a parameter is missing"),
            }
        });
        let response = checked.map(|key| {
            let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", random_text());
            let parameters = form;
            let pushed = Pushed { parameters, key };
            records.pushed.insert(request_uri.clone(), pushed);
            records.count.pushed += 1;
            answer(201, &json!({"request_uri": request_uri, "expires_in": 60}))
        });
        self.complete(&mut records, response, true)
    }

    fn token(&self, request: &HttpMockRequest) -> Response<String> {
        let form = parameters(request.body_ref());
        let mut records = self.records();
        let checked = self.check_client(&mut records, &form).and_then(|()| {
            let key = self.check_proof(&mut records, request, "/token", None)?;
            let given = |name: &str| form.get(name).map_or("", |value| value);
            match given("grant_type") {
                "authorization_code" => {
                    let Some(login) = records.codes.remove(given("code")) else {
                        return refused("invalid_grant", "the code is not known");
                    };
                    let challenge = hash(given("code_verifier"));
                    let is_right = login.parameters.get("code_challenge") == Some(&challenge)
                        && login.parameters.get("redirect_uri").map(|uri| &**uri)
                            == Some(given("redirect_uri"))
                        && login.key == key;
                    if !is_right {
                        return refused("invalid_grant", "the code is that of another login");
                    }
                }
                // That of a confidential client is bound to the client, and not to the key.
                "refresh_token" if records.refresh_tokens.contains_key(given("refresh_token")) => {}
                _ => return refused("invalid_grant", "nothing is granted for it"),
            }
            Ok(key)
        });
        let response = checked.map(|key| {
            let [access_token, refresh_token] = [(); 2].map(|()| random_text());
            records
                .access_tokens
                .insert(access_token.clone(), key.clone());
            records.refresh_tokens.insert(refresh_token.clone(), key);
            records.count.issued += 1;
            answer(
                200,
                &json!({
                    "access_token": access_token, "token_type": "DPoP",
                    "refresh_token": refresh_token, "expires_in": LIFETIME.as_secs(),
                }),
            )
        });
        self.complete(&mut records, response, true)
    }

    /// The API.
    fn accounts(&self, request: &HttpMockRequest) -> Response<String> {
        let authorization = header(request, "authorization").unwrap_or_default();
        let token = authorization.strip_prefix("DPoP ").unwrap_or_default();
        let mut records = self.records();
        let checked = match records.access_tokens.get(token).cloned() {
            None => refused("invalid_token", "the token is not known"),
            Some(bound) => self
                .check_proof(&mut records, request, "/accounts", Some(token))
                .and_then(|key| match key == bound {
                    true => Ok(()),
                    false => refused("invalid_token", "the token is bound to another key"),
                }),
        };
        let response = checked.map(|()| {
            records.count.served += 1;
            answer(
                200,
                &json!({"accounts": [{"iban": "DE75512108001245126199"}]}),
            )
        });
        self.complete(&mut records, response, false)
    }

    /// Checks the client's assertion.
    ///
    /// [RFC 7523 section 3](https://www.rfc-editor.org/rfc/rfc7523#section-3)
    fn check_client(&self, records: &mut Records, form: &HashMap<String, String>) -> Checked<()> {
        let given = |name: &str| form.get(name).map_or("", |value| value);
        let claims = Jws::parse(given("client_assertion"))
            .and_then(|jws| Claims::from_slice(jws.verify(&self.client_key)?));
        let claims = claims.map_err(|error| Refused("invalid_client", error.to_string()))?;
        let expected = ClaimsValidation::new()
            .issuer(CLIENT_ID)
            .subject(CLIENT_ID)
            .audience(&self.issuer);
        let validated = claims.validate(&expected);
        validated.map_err(|error| Refused("invalid_client", error.to_string()))?;
        let is_new = claims
            .id()
            .is_some_and(|id| records.used.insert(id.to_owned()));
        match is_new && given("client_assertion_type") == JWT_BEARER {
            true => Ok(()),
            false => refused("invalid_client", "the assertion was used before"),
        }
    }

    /// Checks the proof of a request, and returns the thumbprint of its key.
    ///
    /// [RFC 9449 section 4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3)
    fn check_proof(
        &self,
        records: &mut Records,
        request: &HttpMockRequest,
        path: &str,
        token: Option<&str>,
    ) -> Checked<String> {
        let proof = header(request, "dpop").unwrap_or_default();
        let proof = Proof::read(&proof)
            .and_then(|proof| {
                proof.check(request.method_str(), &self.url(path), token)?;
                match records.used.insert(proof.id()?.to_owned()) {
                    true => Ok(proof),
                    false => Err("it was used before".into()),
                }
            })
            .map_err(|error| Refused("invalid_dpop_proof", error.to_string()))?;
        let nonce = match token {
            Some(_) => &mut records.api_nonce,
            None => &mut records.server_nonce,
        };
        if proof.nonce() != Some(&*nonce.value) {
            records.count.nonces_refused += 1;
            return refused(
                "use_dpop_nonce",
                "the nonce is missing, or not good any more",
            );
        }
        nonce.uses += 1;
        if nonce.uses == NONCE_USES {
            *nonce = Nonce::default();
        }
        Ok(proof.thumbprint)
    }

    /// The response with the nonce for the next request.
    fn complete(
        &self,
        records: &mut Records,
        response: Checked<Response<String>>,
        is_server: bool,
    ) -> Response<String> {
        let mut response = response.unwrap_or_else(|Refused(code, reason)| {
            let is_unauthorized = !is_server || code == "invalid_client";
            let status = if is_unauthorized { 401 } else { 400 };
            let body = json!({"error": code, "error_description": reason});
            let mut response = answer(status, &body);
            if !is_server {
                let challenge = format!("DPoP error=\"{code}\", algs=\"PS256 ES256 EdDSA\"");
                insert(&mut response, "www-authenticate", &challenge);
            }
            response
        });
        let nonce = match is_server {
            true => &records.server_nonce.value,
            false => &records.api_nonce.value,
        };
        insert(&mut response, "dpop-nonce", nonce);
        response
    }
}

fn insert(response: &mut Response<String>, name: &'static str, value: &str) {
    let value = HeaderValue::try_from(value).expect("ASCII");
    response.headers_mut().insert(name, value);
}
