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
    oauth2::{
        ClientCredentials, ClientMetadata, DpopKey, FederatedAssertion, FederatedGrant, IdJag,
        PrivateKeyJwt,
    },
    reqwest::{
        header::{HeaderMap, HeaderValue, LOCATION},
        redirect::Policy,
    },
    url::Url,
};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The first protocol version without a session.
const STATELESS: &str = "2026-07-28";

/// The settings of a client of either mode, by the credentials that the suite gives it.
macro_rules! configured {
    ($client:ident, $url:expr, $context:expr) => {{
        let given = |name: &str| $context[name].as_str().unwrap_or_default().to_owned();
        let mut builder = $client::for_resource($url)
            .client_metadata_document("https://conformance-test.local/client-metadata.json")
            .client_metadata(ClientMetadata::native("MCP example"));
        if !given("client_id").is_empty() {
            builder = builder.client_id(given("client_id"));
        }
        if !given("client_secret").is_empty() {
            builder = builder.client_secret(given("client_secret"));
        }
        if !given("issuer").is_empty() {
            builder = builder.issuer(given("issuer"));
        }
        match &*env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default() {
            "auth/client-credentials-basic" => builder.grant(ClientCredentials::new()),
            "auth/client-credentials-jwt" => {
                let algorithm: Algorithm = given("signing_algorithm").parse()?;
                let key = SigningKey::from_pem(algorithm, given("private_key_pem"))?;
                let auth = PrivateKeyJwt::new(key);
                builder
                    .token_endpoint_auth_method(auth)
                    .grant(ClientCredentials::new())
            }
            "auth/enterprise-managed-authorization" => {
                let provider = $client::builder(given("idp_client_id"))
                    .issuer(given("idp_issuer"))
                    .token_endpoint(given("idp_token_endpoint"))
                    .build()?;
                let grant = IdJag::new(given("idp_id_token")).resource($url);
                builder.id_jag_from(&provider, grant)
            }
            "auth/wif-jwt-bearer" => {
                let assertion = given("valid_jwt");
                let assertion = FederatedAssertion::from_fn(move || Ok(assertion.as_str().into()));
                builder.grant(FederatedGrant::new(assertion))
            }
            "auth/dpop" | "auth/dpop-nonce" => builder.dpop(DpopKey::generate(Algorithm::ES256)?),
            name if name.contains("2025-03-26") => builder.mcp_2025_03_26(),
            _ => builder,
        }
    }};
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
    let client = configured!(OAuth2Client, url, context)
        .login_with(|page: Url| {
            let browser = http_client_builder().redirect(Policy::none()).build()?;
            callback(browser.get(page).send()?.headers().get(LOCATION))
        })
        .build()?;
    let mut conversation = Conversation::new();
    while let Some((headers, message)) = conversation.next() {
        let response = client.post(url).headers(headers).json(&message).send()?;
        let status = response.status().as_u16();
        conversation.answer(status, &response.text()?)?;
    }
    Ok(client.close()?)
}

async fn asynchronously(url: &str, context: &Value) -> Result<()> {
    let client = configured!(AsyncOAuth2Client, url, context)
        .login_with(|page: Url| async move {
            let browser = async_http_client_builder()
                .redirect(Policy::none())
                .build()?;
            callback(browser.get(page).send().await?.headers().get(LOCATION))
        })
        .build()?;
    let mut conversation = Conversation::new();
    while let Some((headers, message)) = conversation.next() {
        let request = client.post(url).headers(headers).json(&message);
        let response = request.send().await?;
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

    fn next(&mut self) -> Option<(HeaderMap, Value)> {
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
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert("accept", accept);
        headers.insert("mcp-protocol-version", self.version.parse().ok()?);
        Some((headers, json))
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
