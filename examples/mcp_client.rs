//! A client of an MCP server: lists the tools and calls each of them. The library does the rest,
//! from the server's URL to the token.
//!
//! It is judged by the public suite for MCP clients (`tests/interop/mcp`), whose user logs in by
//! himself: each request to the authorization endpoint is answered by a redirect.
//!
//! ```text
//! cargo run --features blocking,async --example mcp_client blocking http://localhost:3000/mcp
//! ```

use std::{collections::VecDeque, env, error::Error};

use oauth_twin::{
    AsyncOAuth2Client, BoxError, OAuth2Client, Secret, async_http_client_builder,
    http_client_builder,
    jose::{Algorithm, SigningKey},
    oauth2::{ClientCredentials, ClientMetadata, PrivateKeyJwt},
    reqwest::{
        header::{HeaderMap, HeaderValue, LOCATION},
        redirect::Policy,
    },
    url::Url,
};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The URL of the client's metadata document.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// The first protocol version without a session.
const STATELESS: &str = "2026-07-28";

/// The settings of a client of either mode, by the credentials that the suite gives it.
macro_rules! configured {
    ($builder:expr, $context:expr) => {{
        let (context, mut builder) = ($context, $builder);
        let given = |name: &str| context[name].as_str().map(str::to_owned);
        if let Some(client_id) = given("client_id") {
            builder = builder.client_id(client_id);
        }
        if let Some(secret) = given("client_secret") {
            builder = builder.client_secret(secret);
        }
        if let Some(issuer) = given("issuer") {
            builder = builder.issuer(issuer);
        }
        match scenario().as_str() {
            "auth/client-credentials-basic" => builder.grant(ClientCredentials::new()),
            "auth/client-credentials-jwt" => {
                let algorithm: Algorithm =
                    given("signing_algorithm").unwrap_or_default().parse()?;
                let pem = given("private_key_pem").unwrap_or_default();
                let key = SigningKey::from_pem(algorithm, pem)?;
                builder
                    .token_endpoint_auth_method(PrivateKeyJwt::new(key))
                    .grant(ClientCredentials::new())
            }
            name if name.contains("2025-03-26") => builder.mcp_2025_03_26(),
            _ => builder,
        }
        .client_metadata_document(DOCUMENT)
        .client_metadata(ClientMetadata::native("MCP example"))
    }};
}

fn scenario() -> String {
    env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default()
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [mode, url] = &*arguments else {
        return Err("usage: mcp_client blocking|async URL".into());
    };
    let context = env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
    let context: Value = serde_json::from_str(&context)?;
    match &**mode {
        "async" => tokio::runtime::Runtime::new()?.block_on(asynchronously(url, &context)),
        _ => blockingly(url, &context),
    }
}

fn blockingly(url: &str, context: &Value) -> Result<()> {
    let client = configured!(OAuth2Client::for_resource(url), context)
        .login_with(|page: Url| {
            let browser = http_client_builder().redirect(Policy::none()).build()?;
            callback(browser.get(page).send()?.headers().get(LOCATION))
        })
        .build()?;
    let mut conversation = Conversation::new();
    while let Some(message) = conversation.next() {
        let request = client.post(url).headers(message.headers());
        let response = request.json(&message.json).send()?;
        let status = response.status().as_u16();
        conversation.answer(status, &response.text()?)?;
    }
    Ok(client.close()?)
}

async fn asynchronously(url: &str, context: &Value) -> Result<()> {
    let client = configured!(AsyncOAuth2Client::for_resource(url), context)
        .login_with(|page: Url| async move {
            let browser = async_http_client_builder()
                .redirect(Policy::none())
                .build()?;
            callback(browser.get(page).send().await?.headers().get(LOCATION))
        })
        .build()?;
    let mut conversation = Conversation::new();
    while let Some(message) = conversation.next() {
        let request = client.post(url).headers(message.headers());
        let response = request.json(&message.json).send().await?;
        let status = response.status().as_u16();
        conversation.answer(status, &response.text().await?)?;
    }
    Ok(client.close().await?)
}

/// The URL that the authorization endpoint redirects the user to.
fn callback(location: Option<&HeaderValue>) -> std::result::Result<Secret, BoxError> {
    let location = location.ok_or("the user was not redirected")?;
    Ok(Secret::from(location.to_str()?))
}

/// The messages to the server, and what it has answered.
struct Conversation {
    version: String,
    sent: u64,
    /// The methods to call, with their parameters. Notifications have no identifier.
    next: VecDeque<(&'static str, Value)>,
}

impl Conversation {
    fn new() -> Self {
        let version = env::var("MCP_CONFORMANCE_PROTOCOL_VERSION");
        let version = version.unwrap_or_else(|_| "2025-11-25".to_owned());
        let mut next = VecDeque::from([("tools/list", json!({}))]);
        if *version < *STATELESS {
            next.push_front(("notifications/initialized", json!({})));
            let client = json!({"name": "mcp_client", "version": "1"});
            let parameters =
                json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
            next.push_front(("initialize", parameters));
        }
        Self {
            version,
            sent: 0,
            next,
        }
    }

    fn next(&mut self) -> Option<Message> {
        let (method, mut params) = self.next.pop_front()?;
        if *self.version >= *STATELESS {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        self.sent += 1;
        let mut json = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if !method.starts_with("notifications/") {
            json["id"] = self.sent.into();
        }
        let version = self.version.clone();
        Some(Message { json, version })
    }

    /// Reads an answer, which may be an event stream of one event.
    fn answer(&mut self, status: u16, text: &str) -> Result<()> {
        if !(200..300).contains(&status) {
            return Err(format!("the server has answered {status}").into());
        }
        let event = text.lines().find_map(|line| line.strip_prefix("data:"));
        let answer: Value = serde_json::from_str(event.unwrap_or(text)).unwrap_or_default();
        if let Some(error) = answer.get("error") {
            return Err(format!("the server has refused the call: {error}").into());
        }
        for tool in answer["result"]["tools"].as_array().into_iter().flatten() {
            println!("{}", tool["name"]);
            let call = json!({"name": tool["name"], "arguments": {}});
            self.next.push_back(("tools/call", call));
        }
        Ok(())
    }
}

struct Message {
    json: Value,
    version: String,
}

impl Message {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert("accept", accept);
        if let Ok(version) = HeaderValue::try_from(&self.version) {
            headers.insert("mcp-protocol-version", version);
        }
        headers
    }
}
