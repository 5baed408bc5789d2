//! An OpenID provider that lies as a test tells it to: it signs any claims by any key, changes its
//! keys, and says in its metadata what is not so.

mod requests;
mod tokens;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use oauth_twin::{jose::SigningKey, oauth2::AuthorizationServer};
use serde_json::{Value, json};

use super::{
    clock::ManualClock,
    dpop,
    keys::{Published, new_key},
    server::{Reply, Request, Server},
};

pub use requests::Response;
pub use tokens::{Forgery, UserInfo};

/// Secret of the client, as long as HS256 needs.
pub const SECRET: &str = "a secret of at least thirty-two bytes";
/// Registered redirection URI.
pub const CALLBACK: &str = "https://app.example/callback";

/// The provider, whose clock is that of its clients.
pub struct Provider {
    pub server: Server,
    pub clock: ManualClock,
    pub keys: Published,
    state: Arc<Mutex<State>>,
}

/// Deviations of the provider from a correct one.
pub struct Lies {
    /// The key that signs, with its `kid` in the header unless `without_kid`.
    pub key: SigningKey,
    pub without_kid: bool,
    pub typ: Option<&'static str>,
    pub forgery: Forgery,
    /// Changes of the claims of an ID token of the token endpoint, `null` for none.
    pub id_token: Value,
    /// The same of one in the callback.
    pub front_channel: Value,
    /// The same of one of a refresh; without them there is none.
    pub refreshed: Option<Value>,
    /// Whether there is an ID token at all.
    pub is_missing: bool,
    pub metadata: Value,
    pub userinfo: UserInfo,
    /// Parameters that are added to the callback.
    pub callback: String,
    /// Authorization responses.
    pub response: Response,
    /// Answer to a pushed request.
    pub pushed: Option<(u16, Value)>,
    /// Other keys that are published as an ID token is signed, which is done with the last of them.
    pub rotates_while_signing: Vec<SigningKey>,
    /// The demands for proofs of possession, and the violations, if it supports DPoP.
    pub dpop: Option<dpop::State>,
}

struct State {
    lies: Lies,
    /// Nonces by code.
    codes: HashMap<String, Option<String>>,
    /// Nonces are not repeated in a refresh.
    count: usize,
    /// Requests that were pushed or published, by their URIs.
    requests: HashMap<String, HashMap<String, String>>,
}

impl Provider {
    pub fn start() -> Self {
        let key = new_key("1");
        let keys = Published::new(&[&key]);
        let clock = ManualClock::new();
        let state = Arc::new(Mutex::new(State {
            lies: Lies::none(key),
            codes: HashMap::new(),
            count: 0,
            requests: HashMap::new(),
        }));
        let (served, at, shared) = (keys.clone(), clock.clone(), state.clone());
        let server = Server::start(move |request: &Request| {
            let issuer = format!("http://{}", request.header("host").expect("a host"));
            match &*request.path {
                "/keys" => served.reply(),
                "/token" => lock(&shared).token(request, &issuer, &at, &served),
                "/userinfo" => lock(&shared).userinfo(request, &issuer, &at),
                "/.well-known/openid-configuration" => {
                    Reply::json(200, lock(&shared).metadata(&issuer))
                }
                "/par" => lock(&shared).push(request),
                "/revoke" => Reply::text(200, ""),
                "/api" => lock(&shared).api(request),
                _ => Reply::text(404, ""),
            }
        });
        Self {
            server,
            clock,
            keys,
            state,
        }
    }

    pub fn issuer(&self) -> String {
        self.server.url("")
    }

    /// Lies from now on.
    pub fn lie(&self, lie: impl FnOnce(&mut Lies)) {
        lie(&mut lock(&self.state).lies);
    }

    /// The metadata, with the lies in them.
    pub fn metadata(&self) -> AuthorizationServer {
        let metadata = lock(&self.state).metadata(&self.issuer());
        serde_json::from_value(metadata).expect("metadata")
    }

    /// A logout token with these changes.
    pub fn logout_token(&self, changes: Value) -> String {
        let now = tokens::seconds(&self.clock);
        let claims = json!({
            "iss": self.issuer(), "aud": "id", "iat": now, "exp": now + 120, "jti": "1",
            "sub": "alice", "sid": "session-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        lock(&self.state).lies.sign(&with(claims, &changes))
    }
}

impl State {
    fn metadata(&self, issuer: &str) -> Value {
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "end_session_endpoint": format!("{issuer}/logout"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "jwks_uri": format!("{issuer}/keys"),
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256"],
            "response_modes_supported": [
                "query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt",
                "form_post.jwt",
            ],
            "authorization_signing_alg_values_supported": ["RS256", "ES256"],
            "pushed_authorization_request_endpoint": format!("{issuer}/par"),
        });
        with(metadata, &self.lies.metadata)
    }
}

/// `claims` with `changes`, of which `null` removes.
pub fn with(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    claims
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("a lock")
}
