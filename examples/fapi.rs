//! A client of a bank by the FAPI 2.0 Security Profile: its requests are pushed, it authenticates by a
//! signed assertion, and its tokens are bound to a key, whose possession each request proves.
//!
//! ```sh
//! cargo run --example fapi --features blocking,async
//! ```

mod provider;

use oauth_twin::{
    AsyncOAuth2Client, BoxError, OAuth2Client, Token,
    jose::{Algorithm, SigningKey},
    oauth2::{AuthorizationRequest, AuthorizationUrl, DpopKey, PrivateKeyJwt, Profile},
};
use provider::fapi::{Bank, CLIENT_ID};
use serde_json::Value;

type Outcome = Result<(), BoxError>;

/// The key that is registered at the bank.
fn client_key() -> oauth_twin::Result<SigningKey> {
    let pem = include_str!("../tests/vectors/p-256.pkcs8.pem");
    SigningKey::from_pem(Algorithm::ES256, pem)
}

fn client(bank: &Bank, tokens: DpopKey) -> oauth_twin::Result<OAuth2Client> {
    OAuth2Client::builder(CLIENT_ID)
        .discover(bank.url(""))?
        .redirect_uri("https://app.example/callback")
        .scope("accounts")
        .token_endpoint_auth_method(PrivateKeyJwt::new(client_key()?))
        .dpop(tokens)
        // All that the profile demands is on, and a setting that contradicts it is an error here.
        .profile(Profile::Fapi2)
        .build()
}

fn log_in(bank: &Bank) -> Outcome {
    // A stored token needs its key after a restart: keep the PEM as safe as the token.
    let pem = DpopKey::generate_pem(Algorithm::ES256)?;
    let key = || DpopKey::from_pem(Algorithm::ES256, pem.expose_secret());
    let client = client(bank, key()?)?;

    // The request is pushed; the URL has only a reference to it.
    let AuthorizationUrl { url, pending, .. } =
        client.begin_authorization(AuthorizationRequest::new())?;
    println!("the user is redirected to {}", shortened(url.as_str()));
    let callback = bank.user_logs_in(&url).ok_or("no login")?;
    let login = client.complete_authorization(pending, &callback)?;

    // Nonces are remembered, and a request that lacks the right one is sent once more.
    for _ in 0..5 {
        let response = login.client.get(bank.url("/accounts")).send()?;
        let accounts: Value = response.error_for_status()?.json()?;
        println!("the bank says {accounts}");
    }
    login.client.refresh_token()?;
    println!("{:?}", bank.count());

    // Whoever has stolen the token, but not its key, gets nothing for it.
    let thief = self::client(bank, DpopKey::generate(Algorithm::ES256)?)?;
    let token = Token::new(login.token.access_token().clone()).with_token_type("DPoP");
    match thief.for_token(token).get(bank.url("/accounts")).send() {
        Ok(response) if response.status() != 401 => return Err("a thief was served".into()),
        Ok(response) => println!("the bank says to a thief: {}", response.status()),
        Err(error) => println!("a thief's client says: {error}"),
    }

    // After a restart, with the same key.
    let restarted = self::client(bank, key()?)?.for_token(login.client.token().ok_or("no token")?);
    let response = restarted.get(bank.url("/accounts")).send()?;
    println!("after a restart: {}", response.status());
    Ok(())
}

/// The same in async code: a profile names what is missing.
async fn settings(bank: &Bank) -> Outcome {
    let built = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret("secret")
        .discover_later(bank.url(""))
        .profile(Profile::Fapi2)
        .build();
    match built {
        Ok(_) => Err("a client with a secret was built".into()),
        Err(error) => {
            println!("a client with a secret: {error}");
            Ok(())
        }
    }
}

/// A URL without most of its random part.
fn shortened(url: &str) -> &str {
    url.get(..110).unwrap_or(url)
}

fn main() -> Outcome {
    let bank = Bank::start(client_key()?.verifying_key());
    log_in(&bank)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(settings(&bank))
}
