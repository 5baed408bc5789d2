//! Custom client authentication, for a provider that requires the credentials and all parameters in
//! the URL. The example differs from `client_credentials.rs` by [`in_the_uri`] and the line that
//! uses it.
//!
//! ```sh
//! cargo run --example custom_client_auth --features blocking,async
//! ```

mod provider;

use oauth_twin::{
    AsyncOAuth2Client, BoxError, OAuth2Client,
    oauth2::{ClientCredentials, EndpointRequest, Form},
};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider};

/// The authentication: a function on the request, the same in both modes.
fn in_the_uri(request: &mut EndpointRequest) -> Result<(), BoxError> {
    let mut form = std::mem::take(request.form_mut());
    form.set("client_id", request.client_id().to_owned());
    form.set("client_secret", request.client_secret().ok_or("no secret")?);
    request
        .url_mut()
        .set_query(Some(form.encode().expose_secret()));
    *request.form_mut() = Form::new();
    Ok(())
}

fn blocking(provider: &Provider) -> oauth_twin::Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(provider.url("/token-by-uri"))
        .token_endpoint_auth_method(in_the_uri)
        .grant(ClientCredentials::new())
        .clock(provider.clock())
        .build()?;
    let answer = client.get(provider.url("/reports/7")).send()?;
    Ok(answer.error_for_status()?.text()?)
}

async fn asynchronous(provider: &Provider) -> oauth_twin::Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .token_endpoint(provider.url("/token-by-uri"))
        .token_endpoint_auth_method(in_the_uri)
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
    Ok(())
}
