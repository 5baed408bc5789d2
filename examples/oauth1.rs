//! OAuth 1.0 in a web back end, async: one stateless client serves many users. Two logins overlap.
//! `oauth1_blocking.rs` is a script for a single user.
//!
//! ```sh
//! cargo run --example oauth1 --features blocking,async
//! ```

mod oauth1_provider;

use oauth_twin::{AsyncOAuth1Client, oauth1::TemporaryCredentials};
use oauth1_provider::{CLIENT_KEY, CLIENT_SECRET, Provider, REDIRECT_URI};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    let client = AsyncOAuth1Client::builder(CLIENT_KEY)
        .client_secret(CLIENT_SECRET)
        .request_token_endpoint(provider.url("/request_token"))
        .authorization_endpoint(provider.url("/authorize"))
        .access_token_endpoint(provider.url("/access_token"))
        .redirect_uri(REDIRECT_URI)
        .build()?;

    // Jane and Joe log in. The state of a login is kept in the user's session.
    let mut sessions = Vec::new();
    for name in ["Jane", "Joe"] {
        let temporary = client.request_temporary_credentials().await?;
        let url = client.authorization_url(&temporary)?;
        println!(
            "{name} is redirected to {}{}",
            url.origin().ascii_serialization(),
            url.path()
        );
        sessions.push((name, serde_json::to_string(&temporary)?, url));
    }

    // The callbacks, in reverse order.
    for (name, session, url) in sessions.into_iter().rev() {
        let callback = provider.user_agrees(&url);
        let temporary: TemporaryCredentials = serde_json::from_str(&session)?;
        let verified = temporary.authorization_response(&callback)?;
        let credentials = client.exchange(verified).await?;
        let row = serde_json::to_string(&credentials)?;
        println!(
            "{name} is logged in; {} bytes go into the database",
            row.len()
        );

        // A later request of the same user.
        let user = client.for_token(serde_json::from_str(&row)?);
        let photos = user.get(provider.url("/photos?size=original"));
        let photos = photos.send().await?.error_for_status()?;
        println!("{name} has {}", photos.text().await?);
    }

    // The client itself has no user.
    let refused = client.get(provider.url("/photos")).send().await?;
    println!(
        "without a user: {}, {}",
        refused.status(),
        refused.text().await?
    );
    client.close().await?;
    Ok(())
}
