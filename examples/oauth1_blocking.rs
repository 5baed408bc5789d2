//! OAuth 1.0 in a script, blocking: the client keeps the credentials of a single user, and the next
//! run restores them. `oauth1.rs` is a web back end for many users.
//!
//! ```sh
//! cargo run --example oauth1_blocking --features blocking,async
//! ```

mod oauth1_provider;

use oauth_twin::{Error, OAuth1Client, OAuth1ClientBuilder};
use oauth1_provider::{CLIENT_KEY, CLIENT_SECRET, Provider, REDIRECT_URI};

fn builder(provider: &Provider) -> OAuth1ClientBuilder {
    OAuth1Client::builder(CLIENT_KEY)
        .client_secret(CLIENT_SECRET)
        .request_token_endpoint(provider.url("/request_token"))
        .authorization_endpoint(provider.url("/authorize"))
        .access_token_endpoint(provider.url("/access_token"))
        .redirect_uri(REDIRECT_URI)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();

    // The first run: three steps.
    let client = builder(&provider).build()?;
    client.fetch_request_token()?;
    let url = client.create_authorization_url()?;
    println!("open {}{}", url.origin().ascii_serialization(), url.path());
    let callback = provider.user_agrees(&url);
    client.parse_authorization_response(&callback)?;
    let credentials = client.fetch_access_token()?;
    let name = credentials
        .get("screen_name")
        .and_then(|name| name.as_str());
    println!(
        "logged in as {}",
        name.ok_or("the response has no screen name")?
    );
    let stored = serde_json::to_string(&*credentials)?;
    client.close()?;

    // All further runs use the stored credentials.
    let client = builder(&provider)
        .token(serde_json::from_str(&stored)?)
        .build()?;
    let photos = client.with(|client| -> Result<String, Error> {
        let photos = client
            .get(provider.url("/photos"))
            .query(&[("size", "original")]);
        Ok(photos.send()?.error_for_status()?.text()?)
    })?;
    println!("{photos}");

    // The error for a wrong secret.
    let forger = builder(&provider).client_secret("a guess").build()?;
    let error = forger.fetch_request_token().expect_err("a wrong secret");
    println!("with a wrong secret: {error}");
    Ok(())
}
