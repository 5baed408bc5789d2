//! The login of a command line: a browser, a port of this machine, a file for the token. The next run
//! needs no login.
//!
//! ```sh
//! cargo run --example cli_login --features blocking,async,login
//! ```

mod provider;

use oauth_twin::{
    AsyncOAuth2Client, BoxError, FileTokenStore, InteractiveLogin, OAuth2Client, Result,
    http_client_builder,
};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider};

/// The blocking client, in a script.
fn blocking(provider: &Provider, file: &str, login: InteractiveLogin) -> Result<String> {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .token_store(FileTokenStore::new(file))
        .build()?;
    client.ensure_login(login)?; // nothing to do if the user is logged in
    let answer = client.get(provider.url("/me")).send()?;
    let profile = answer.error_for_status()?.text()?;
    client.close()?;
    Ok(profile)
}

/// The async client, in a larger program.
async fn asynchronous(provider: &Provider, file: &str, login: InteractiveLogin) -> Result<String> {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .token_store(FileTokenStore::new(file))
        .build()?;
    client.ensure_login(login).await?; // nothing to do if the user is logged in
    let answer = client.get(provider.url("/me")).send().await?;
    let profile = answer.error_for_status()?.text().await?;
    client.close().await?;
    Ok(profile)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = Provider::start();
    let folder = std::env::temp_dir().join(format!("cli-login-{}", std::process::id()));
    let file = |name: &str| folder.join(name).display().to_string();
    let runtime = tokio::runtime::Runtime::new()?;
    for _run in 0..2 {
        // Without `open_with`, the user's own browser.
        let login = InteractiveLogin::new().open_with(provider.browser(load));
        println!("{}", blocking(&provider, &file("blocking"), login.clone())?);
        println!(
            "{}",
            runtime.block_on(asynchronous(&provider, &file("async"), login))?
        );
    }
    assert_eq!(provider.count().logins, 2);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Loads a page, as a browser does.
fn load(url: String) -> Result<(), BoxError> {
    let answer = http_client_builder().build()?.get(url).send()?;
    answer.error_for_status()?;
    Ok(())
}
