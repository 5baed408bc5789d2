//! A provider that deviates from the standard: it responds to token requests with a form, and with
//! `expires` instead of `expires_in`. The example differs from `client_credentials.rs` by the fix,
//! ready-made or custom.
//!
//! ```sh
//! cargo run --example compliance_fix --features blocking,async
//! ```

mod provider;

use oauth_twin::{
    AsyncOAuth2Client, ErrorKind, OAuth2Client, Result,
    oauth2::{ClientCredentials, Hook, compliance},
};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider};

/// A client with the ready-made fix.
fn blocking(provider: &Provider) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(provider.url("/token-as-form"))
        .compliance_fix(compliance::facebook())
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    let answer = client.get(provider.url("/reports/7")).send()?;
    Ok(answer.error_for_status()?.text()?)
}

/// A client with a custom fix, which does the same.
async fn asynchronous(provider: &Provider) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(provider.url("/token-as-form"))
        .compliance_hook(Hook::access_token_response(|response| {
            response.form_to_json();
            let mut members = response.json().ok_or("neither a form nor JSON")?;
            if let Some(seconds) = members.remove("expires") {
                members.insert("expires_in".to_owned(), seconds);
            }
            response.set_json(&members);
            Ok(())
        }))
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    let answer = client.get(provider.url("/reports/7")).send().await?;
    Ok(answer.error_for_status()?.text().await?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    println!("{}", blocking(&provider)?);
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", runtime.block_on(asynchronous(&provider))?);

    // Without a fix the response is refused with an error that names the problem.
    let client = OAuth2Client::builder(CLIENT_ID)
        .token_endpoint(provider.url("/token-as-form"))
        .build()?;
    let error = client
        .fetch_token(ClientCredentials::new())
        .expect_err("a form");
    assert_eq!(error.kind(), ErrorKind::Answer);
    println!("without a fix: {error}");
    Ok(())
}
