//! From the URL of an MCP server to its tools; the user logs in on the way. Without a URL, a server of
//! the example's own is used, whose user logs in by itself.
//!
//! ```sh
//! cargo run --example mcp_login --features blocking,async,login -- https://mcp.example.com/mcp
//! ```

mod mcp_server;

use oauth_twin::{OAuth2Client, oauth2::ClientMetadata};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_server, url, login) = mcp_server::from_arguments();
    let client = OAuth2Client::for_resource(&url)
        .client_metadata(ClientMetadata::native("MCP login"))
        .interactive_login(login) // InteractiveLogin::new()
        .build()?;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let request = client.post(&url).json(&list);
    let request = request.header("accept", "application/json, text/event-stream");
    println!("{}", request.send()?.error_for_status()?.text()?);
    Ok(client.close()?)
}
