//! Client credentials: the baseline of the examples, in both modes.
//!
//! ```sh
//! cargo run --example client_credentials --features blocking,async
//! ```

mod provider;

use oauth_twin::{AsyncOAuth2Client, OAuth2Client, Result, oauth2::ClientCredentials};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider};

/// The blocking client, in a script.
fn blocking(token_endpoint: &str, api: &str) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(token_endpoint)
        .grant(ClientCredentials::new())
        .build()?;
    let answer = client.get(api).send()?; // the token is fetched here
    let report = answer.error_for_status()?.text()?;
    client.close()?;
    Ok(report)
}

/// The async client, in a service.
async fn asynchronous(token_endpoint: &str, api: &str) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(token_endpoint)
        .grant(ClientCredentials::new())
        .build()?;
    let answer = client.get(api).send().await?; // the token is fetched here
    let report = answer.error_for_status()?.text().await?;
    client.close().await?;
    Ok(report)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    let (token_endpoint, api) = (provider.url("/token"), provider.url("/reports/7"));
    println!("{}", blocking(&token_endpoint, &api)?);
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", runtime.block_on(asynchronous(&token_endpoint, &api))?);
    Ok(())
}
