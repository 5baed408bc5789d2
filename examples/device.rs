//! The device flow: the user logs in on another device, with a code.
//!
//! ```sh
//! cargo run --example device --features blocking,async
//! ```

mod provider;

use oauth_twin::{AsyncOAuth2Client, OAuth2Client, Result, oauth2::DeviceAuthorizationRequest};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider};

/// The blocking client, in a script.
fn blocking(provider: &Provider) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .device_authorization_endpoint(provider.url("/device_authorization"))
        .token_endpoint(provider.url("/token"))
        .build()?;
    let device = client.device_authorization(DeviceAuthorizationRequest::new())?;
    println!(
        "Open {} and enter {}",
        device.verification_uri(),
        device.user_code()
    );
    client.complete_device_authorization(device)?.keep()?;
    client
        .get(provider.url("/me"))
        .send()?
        .text()
        .map_err(Into::into)
}

/// The async client, in a larger program.
async fn asynchronous(provider: &Provider) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .device_authorization_endpoint(provider.url("/device_authorization"))
        .token_endpoint(provider.url("/token"))
        .build()?;
    let device = client
        .device_authorization(DeviceAuthorizationRequest::new())
        .await?;
    println!(
        "Open {} and enter {}",
        device.verification_uri(),
        device.user_code()
    );
    client
        .complete_device_authorization(device)
        .await?
        .keep()
        .await?;
    client
        .get(provider.url("/me"))
        .send()
        .await?
        .text()
        .await
        .map_err(Into::into)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    println!("{}", blocking(&provider)?);
    println!(
        "{}",
        tokio::runtime::Runtime::new()?.block_on(asynchronous(&provider))?
    );
    Ok(())
}
