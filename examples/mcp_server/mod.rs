//! An MCP server with one tool, and its authorization server, on loopback.

use std::collections::HashMap;

use http::Response;
use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use oauth_twin::{
    BoxError, InteractiveLogin, http_client_builder,
    url::{Url, form_urlencoded},
};
use serde_json::{Value, json};

const TOKEN: &str = "mcp-example-token";

/// The URL on the command line and the login of its user; or those of a server that is started here.
pub(crate) fn from_arguments() -> (Option<MockServer>, String, InteractiveLogin) {
    if let Some(url) = std::env::args().nth(1) {
        return (None, url, InteractiveLogin::new());
    }
    let server = MockServer::start();
    let base = server.url("");
    server.mock(|when, then| {
        when.any_request();
        then.respond_with(move |request| answer(&base, request));
    });
    let url = server.url("/mcp");
    // Without `open_with`, the user's own browser.
    (Some(server), url, InteractiveLogin::new().open_with(browse))
}

fn answer(base: &str, request: &HttpMockRequest) -> HttpMockResponse {
    match request.uri().path() {
        "/mcp" if is_authorized(request) => call(request),
        "/mcp" => {
            let place = format!("{base}/.well-known/oauth-protected-resource/mcp");
            let challenge = format!("Bearer resource_metadata=\"{place}\", scope=\"tools\"");
            reply(401, Value::Null, Some(("www-authenticate", challenge)))
        }
        "/.well-known/oauth-protected-resource/mcp" => {
            let metadata =
                json!({"resource": format!("{base}/mcp"), "authorization_servers": [base]});
            reply(200, metadata, None)
        }
        "/.well-known/oauth-authorization-server" => {
            let metadata = json!({
                "issuer": base,
                "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"),
                "registration_endpoint": format!("{base}/register"),
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": true,
            });
            reply(200, metadata, None)
        }
        "/register" => reply(201, json!({"client_id": "registered"}), None),
        "/authorize" => reply(302, Value::Null, callback(base, request)),
        "/token" => reply(
            200,
            json!({"access_token": TOKEN, "token_type": "Bearer"}),
            None,
        ),
        _ => reply(404, Value::Null, None),
    }
}

/// Answers a call of a method.
fn call(request: &HttpMockRequest) -> HttpMockResponse {
    // No events but the answers to calls.
    let Ok(call) = serde_json::from_slice::<Value>(request.body_ref()) else {
        return reply(405, Value::Null, None);
    };
    let result = match call["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": call["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "example", "version": "1"},
        }),
        Some("tools/list") => {
            json!({"tools": [{"name": "greet", "inputSchema": {"type": "object"}}]})
        }
        // A notification.
        _ => return reply(202, Value::Null, None),
    };
    let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": result});
    reply(200, answer, None)
}

fn is_authorized(request: &HttpMockRequest) -> bool {
    let header = request.headers_vec().iter();
    let mut header = header.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    header.any(|(_, value)| *value == format!("Bearer {TOKEN}"))
}

/// The user agrees to everything.
fn callback(base: &str, request: &HttpMockRequest) -> Option<(&'static str, String)> {
    let uri = request.uri();
    let asked = form_urlencoded::parse(uri.query()?.as_bytes());
    let asked: HashMap<_, _> = asked.into_owned().collect();
    let mut callback = Url::parse(asked.get("redirect_uri")?).ok()?;
    let parameters = [
        ("code", "code"),
        ("state", asked.get("state")?),
        ("iss", base),
    ];
    callback.query_pairs_mut().extend_pairs(parameters);
    Some(("location", callback.into()))
}

fn reply(status: u16, body: Value, header: Option<(&str, String)>) -> HttpMockResponse {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    let response = response.body(body.to_string());
    response.expect("a response").into()
}

/// Loads a page, as a browser does.
fn browse(url: &Url) -> Result<(), BoxError> {
    let response = http_client_builder().build()?.get(url.clone()).send()?;
    response.error_for_status()?;
    Ok(())
}
