//! The tools of an MCP server by `rmcp`, whose HTTP client is an `AsyncOAuth2Client`: the login, its
//! renewals and further scopes are none of rmcp's business. Without a URL, a server of the example's
//! own is used, whose user logs in by itself.
//!
//! ```sh
//! cargo run --manifest-path examples/rmcp/Cargo.toml -- https://mcp.example.com/mcp
//! ```

mod adapter;
// The files of another package, which formats them.
#[rustfmt::skip]
#[path = "../../mcp_server/mod.rs"]
mod mcp_server;

use adapter::AuthorizedHttp;
use oauth_twin::{AsyncOAuth2Client, BoxError, oauth2::ClientMetadata};
use rmcp::{
    ServiceExt,
    transport::{
        StreamableHttpClientTransport as Transport,
        streamable_http_client::StreamableHttpClientTransportConfig as Config,
    },
};

fn main() -> Result<(), BoxError> {
    let (_server, url, login) = mcp_server::from_arguments();
    let client = AsyncOAuth2Client::for_resource(&url)
        .client_metadata(ClientMetadata::native("MCP by rmcp"))
        .interactive_login(login) // InteractiveLogin::new()
        .build()?;
    tokio::runtime::Runtime::new()?.block_on(print_tools(client, url))
}

async fn print_tools(client: AsyncOAuth2Client, url: String) -> Result<(), BoxError> {
    let http = AuthorizedHttp(client.clone());
    let server = ().serve(Transport::with_client(http, Config::with_uri(url))).await?;
    for tool in server.list_all_tools().await? {
        println!("{}", tool.name);
    }
    server.cancel().await?;
    client.close().await?;
    Ok(())
}
