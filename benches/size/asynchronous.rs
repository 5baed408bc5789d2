//! A token by client credentials, with the async client.

use oauth_twin::{AsyncOAuth2Client, oauth2::ClientCredentials};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("the endpoint?")?;
    let client = AsyncOAuth2Client::builder("id").client_secret("secret");
    let client = client.token_endpoint(endpoint).build()?;
    let token = client.fetch_token(ClientCredentials::new()).await?;
    println!("{token:?}");
    Ok(())
}
