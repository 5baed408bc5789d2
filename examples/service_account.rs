//! A service account: the grant is an assertion that is signed with the account's private key,
//! which itself is never sent. The example differs from `client_credentials.rs` by the lines that
//! build the client.
//!
//! ```sh
//! cargo run --example service_account --features blocking,async
//! ```

mod provider;

use oauth_twin::{
    AssertionClient, AsyncAssertionClient, ErrorKind, Result,
    jose::{Algorithm, SigningKey},
    oauth2::ServiceAccount,
};
use provider::{LIFETIME, Provider};

/// A key that the provider does not know.
const ANOTHER_KEY: &str = include_str!("../tests/vectors/rsa-2048.pkcs1.pem");

fn blocking(provider: &Provider) -> Result<String> {
    let client = AssertionClient::from_service_account(provider.service_account())?
        .scope("reports:read")
        .clock(provider.clock())
        .build()?;
    client.get(provider.url("/me")).send()?; // the token is fetched here
    provider.advance(LIFETIME); // it has expired
    let answer = client.get(provider.url("/me")).send()?; // another one, for a new assertion
    let me = answer.error_for_status()?.text()?;
    client.close()?;
    Ok(me)
}

async fn asynchronous(provider: &Provider) -> Result<String> {
    let client = AsyncAssertionClient::from_service_account(provider.service_account())?
        .scope("reports:read")
        .clock(provider.clock())
        .build()?;
    client.get(provider.url("/me")).send().await?; // the token is fetched here
    provider.advance(LIFETIME); // it has expired
    let answer = client.get(provider.url("/me")).send().await?; // another one, for a new assertion
    let me = answer.error_for_status()?.text().await?;
    client.close().await?;
    Ok(me)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    println!("{}", blocking(&provider)?);
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", runtime.block_on(asynchronous(&provider))?);
    let count = provider.count();
    println!(
        "{} tokens for {} assertions",
        count.issued, count.assertions
    );

    // An assertion by another key is refused, whatever its header and its claims say.
    let account = ServiceAccount::from_json(provider.service_account())?;
    let key_id = account.signing_key().key_id().ok_or("no key_id")?;
    let impostor = AssertionClient::from_service_account(provider.service_account())?
        .signing_key(SigningKey::from_pem(Algorithm::RS256, ANOTHER_KEY)?)
        .key_id(key_id)
        .scope("reports:read")
        .clock(provider.clock())
        .build()?;
    let error = impostor.ensure_active_token().expect_err("another key");
    assert_eq!(error.kind(), ErrorKind::Server);
    println!("with another key: {error}");
    Ok(())
}
