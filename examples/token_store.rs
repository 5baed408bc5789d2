//! A token in a file, for a program that stays logged in between runs and may run several times at
//! once, in both modes.
//!
//! ```sh
//! cargo run --example token_store --features blocking,async
//! ```

mod provider;

use std::path::Path;

use oauth_twin::{
    AsyncOAuth2Client, Clock, FileTokenStore, OAuth2Client, Result, oauth2::ClientCredentials,
};
use provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider};

/// A run with the blocking client.
fn blocking(token_endpoint: &str, api: &str, clock: &Clock, file: &Path) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(token_endpoint)
        .grant(ClientCredentials::new())
        .token_store(FileTokenStore::new(file))
        .clock(clock.clone()) // only so that the example need not wait
        .build()?;
    let report = client.get(api).send()?.error_for_status()?.text()?;
    client.close()?;
    Ok(report)
}

/// A run with the async client.
async fn asynchronous(
    token_endpoint: String,
    api: String,
    clock: Clock,
    file: impl AsRef<Path>,
) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(token_endpoint)
        .grant(ClientCredentials::new())
        .token_store(FileTokenStore::new(file.as_ref()))
        .clock(clock)
        .build()?;
    let answer = client.get(api).send().await?;
    let report = answer.error_for_status()?.text().await?;
    client.close().await?;
    Ok(report)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    let (token_endpoint, api) = (provider.url("/token"), provider.url("/reports/7"));
    let clock = provider.clock();
    let folder = std::env::temp_dir().join(format!("oauth-twin-{}", std::process::id()));
    let file = folder.join("token.json");

    for run in 1..=3 {
        let report = blocking(&token_endpoint, &api, &clock, &file)?;
        println!("run {run}: {report}");
    }
    println!("tokens issued: {}", provider.count().issued);
    assert_eq!(provider.count().issued, 1);

    provider.advance(LIFETIME);
    println!("the token has expired; now eight runs at once");
    let runtime = tokio::runtime::Runtime::new()?;
    let runs: Vec<_> = (0..8)
        .map(|_| {
            let (token_endpoint, api) = (token_endpoint.clone(), api.clone());
            runtime.spawn(asynchronous(
                token_endpoint,
                api,
                clock.clone(),
                file.clone(),
            ))
        })
        .collect();
    for run in runs {
        runtime.block_on(run)??;
    }
    println!("tokens issued: {}", provider.count().issued);
    assert_eq!(provider.count().issued, 2);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
