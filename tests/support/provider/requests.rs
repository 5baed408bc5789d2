//! Authorization requests and responses of the provider.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::reqwest::Url;
use serde_json::{Value, json};

use super::{CALLBACK, Forgery, Provider, State, lock, tokens, with};
use crate::support::server::{Reply, Request};

/// Deviations of authorization responses.
pub struct Response {
    /// Changes of the claims of a signed one.
    pub claims: Value,
    pub forgery: Forgery,
    /// Changes the text of the claims.
    pub text: fn(String) -> String,
    /// Whether one is signed, if not as asked.
    pub is_signed: Option<bool>,
    /// Parameters beside a signed one.
    pub beside: &'static str,
    /// Error instead of a code.
    pub error: Option<&'static str>,
}

impl Response {
    pub fn truthful() -> Self {
        Self {
            claims: json!({}),
            forgery: Forgery::Genuine,
            text: |text| text,
            is_signed: None,
            beside: "",
            error: None,
        }
    }
}

impl Provider {
    /// Publishes a request object under a URI, as a client does.
    pub fn publish(&self, request_uri: &str, request: &str) {
        let parameters = in_request_object(request);
        let mut state = lock(&self.state);
        state.requests.insert(request_uri.to_owned(), parameters);
    }

    /// The parameters of the request in `url`, wherever they are. A `request_uri` is used once.
    pub fn parameters(&self, url: &Url) -> HashMap<String, String> {
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let mut state = lock(&self.state);
        let parameters = match (asked.get("request_uri"), asked.get("request")) {
            (Some(uri), _) => state.requests.remove(uri).expect("a request"),
            (_, Some(request)) => in_request_object(request),
            _ => return asked,
        };
        assert_eq!(asked["client_id"], parameters["client_id"]);
        parameters
    }

    /// The callback of an end-user who consents to the request in `url`.
    pub fn authorize(&self, url: &Url) -> String {
        let asked = self.parameters(url);
        let mut state = lock(&self.state);
        state.count += 1;
        let code = format!("code-{}", state.count);
        let nonce = asked.get("nonce").cloned();
        state.codes.insert(code.clone(), nonce.clone());
        let mut response = json!({"state": asked["state"]});
        let response_type = &asked["response_type"];
        if let Some(error) = state.lies.response.error {
            response["error"] = error.into();
        } else {
            if response_type.contains("code") {
                response["code"] = code.as_str().into();
            }
            if response_type.contains("id_token") {
                let base = state.claims(&self.issuer(), &self.clock, nonce.as_deref());
                let mut base = with(base, &json!({"at_hash": null}));
                if response_type.contains("code") {
                    base["c_hash"] = tokens::half_hash(&code).into();
                    base["s_hash"] = tokens::half_hash(&asked["state"]).into();
                }
                let claims = with(base, &state.lies.front_channel);
                response["id_token"] = state.lies.sign(&claims).into();
            }
        }
        let mode = asked.get("response_mode").map_or("", String::as_str);
        let (mode, is_signed) = match mode.strip_suffix("jwt") {
            Some(mode) => (mode.trim_end_matches('.'), true),
            None => (mode, false),
        };
        let lies = &state.lies.response;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        if lies.is_signed.unwrap_or(is_signed) {
            let now = tokens::seconds(&self.clock);
            let claims = json!({"iss": self.issuer(), "aud": "id", "exp": now + 60});
            let claims = with(with(claims, &response), &lies.claims);
            let text = (lies.text)(claims.to_string());
            let jwt = state.lies.sign_text(lies.forgery, &text);
            form.append_pair("response", &jwt);
        } else {
            for (name, value) in response.as_object().expect("an object") {
                form.append_pair(name, value.as_str().expect("text"));
            }
        }
        let beside = lies.beside;
        let response = format!("{}{}{beside}", form.finish(), state.lies.callback);
        match mode {
            "form_post" => response,
            "" if response_type != "code" => format!("{CALLBACK}#{response}"),
            "fragment" => format!("{CALLBACK}#{response}"),
            _ => format!("{CALLBACK}?{response}"),
        }
    }
}

impl State {
    /// The answer to a request that is pushed.
    pub(super) fn push(&mut self, request: &Request) -> Reply {
        if let Some(dpop) = &mut self.lies.dpop
            && let Err(reply) = dpop.proved(request)
        {
            return reply;
        }
        if let Some((status, body)) = &self.lies.pushed {
            return Reply::json(*status, body.clone());
        }
        let parameters = match request.parameter("request") {
            Some(object) => in_request_object(&object),
            None => url::form_urlencoded::parse(&request.body)
                .into_owned()
                .collect(),
        };
        self.count += 1;
        let uri = format!("urn:ietf:params:oauth:request_uri:{}", self.count);
        self.requests.insert(uri.clone(), parameters);
        Reply::json(201, json!({"request_uri": uri, "expires_in": 30}))
    }
}

/// The claims of a request object, whose signature tests check.
fn in_request_object(request: &str) -> HashMap<String, String> {
    let payload = request.split('.').nth(1).expect("three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: HashMap<String, Value> = serde_json::from_slice(&payload).expect("claims");
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let claims = claims.into_iter();
    claims.map(|(name, value)| (name, text(value))).collect()
}
