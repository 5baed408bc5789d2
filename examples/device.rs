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
    let (page, code) = (device.verification_uri(), device.user_code());
    println!("Open {page} and enter {code}");
    client.complete_device_authorization(device)?.keep()?;
    let answer = client.get(provider.url("/me")).send()?;
    Ok(answer.text()?)
}

/// The async client, in a larger program.
async fn asynchronous(provider: &Provider) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .device_authorization_endpoint(provider.url("/device_authorization"))
        .token_endpoint(provider.url("/token"))
        .build()?;
    let request = DeviceAuthorizationRequest::new();
    let device = client.device_authorization(request).await?;
    let (page, code) = (device.verification_uri(), device.user_code());
    println!("Open {page} and enter {code}");
    let login = client.complete_device_authorization(device).await?;
    login.keep().await?;
    let answer = client.get(provider.url("/me")).send().await?;
    Ok(answer.text().await?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    println!("{}", blocking(&provider)?);
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", runtime.block_on(asynchronous(&provider))?);
    Ok(())
}
