//! A job in a cluster: the token that the platform writes into a file authenticates the client instead
//! of a secret, and is read anew for each request. The example differs from `client_credentials.rs` by
//! the lines that build the client.
//!
//! ```sh
//! cargo run --example workload --features blocking,async
//! ```

mod provider;

use std::{fs, path::Path};

use oauth_twin::{
    AsyncOAuth2Client, OAuth2Client, Result,
    oauth2::{ClientCredentials, FederatedAssertion},
};
use provider::{CLIENT_ID, LIFETIME, Provider};

fn blocking(provider: &Provider, file: &Path) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .token_endpoint(provider.url("/token"))
        .token_endpoint_auth_method(FederatedAssertion::file(file))
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    client.get(provider.url("/me")).send()?; // the token is fetched here
    rotate(provider, file); // both tokens have expired, and the platform has replaced its own
    let answer = client.get(provider.url("/me")).send()?;
    let me = answer.error_for_status()?.text()?;
    client.close()?;
    Ok(me)
}

async fn asynchronous(provider: &Provider, file: &Path) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .token_endpoint(provider.url("/token"))
        .token_endpoint_auth_method(FederatedAssertion::file(file))
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    client.get(provider.url("/me")).send().await?; // the token is fetched here
    rotate(provider, file); // both tokens have expired, and the platform has replaced its own
    let answer = client.get(provider.url("/me")).send().await?;
    let me = answer.error_for_status()?.text().await?;
    client.close().await?;
    Ok(me)
}

/// Acts as the platform, later.
fn rotate(provider: &Provider, file: &Path) {
    provider.advance(LIFETIME);
    fs::write(file, provider.workload_token()).expect("a file");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    let file = std::env::temp_dir().join(format!("oauth-twin-workload-{}", std::process::id()));
    rotate(&provider, &file);
    println!("{}", blocking(&provider, &file)?);
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", runtime.block_on(asynchronous(&provider, &file))?);

    // A file that the platform no longer replaces.
    provider.advance(LIFETIME);
    let client = OAuth2Client::builder(CLIENT_ID)
        .token_endpoint(provider.url("/token"))
        .token_endpoint_auth_method(FederatedAssertion::file(&file))
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    let error = client.ensure_active_token().expect_err("a stale file");
    assert!(error.to_string().contains("stale"));
    println!("later: {error}");
    fs::remove_file(file)?;
    Ok(())
}
