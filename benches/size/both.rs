//! The same with the clients of both modes.

use oauth_twin::{AsyncOAuth2Client, OAuth2Client, oauth2::ClientCredentials};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("the endpoint?")?;
    let client = OAuth2Client::builder("id").client_secret("secret");
    let client = client.token_endpoint(&endpoint).build()?;
    println!("{:?}", client.fetch_token(ClientCredentials::new())?);
    asynchronous(endpoint)
}

#[tokio::main(flavor = "current_thread")]
async fn asynchronous(endpoint: String) -> Result<(), Box<dyn std::error::Error>> {
    let client = AsyncOAuth2Client::builder("id").client_secret("secret");
    let client = client.token_endpoint(endpoint).build()?;
    let token = client.fetch_token(ClientCredentials::new()).await?;
    println!("{token:?}");
    Ok(())
}
