//! Google's credentials of the machine (Application Default Credentials): a key file, the login of
//! gcloud, workload identity federation, or the metadata server. The program is the same for all.
//!
//! ```sh
//! cargo run --example google_adc --features blocking,async
//! ```
//!
//! With `GOOGLE_APPLICATION_CREDENTIALS` and `API` set, it calls that API with the credentials that
//! the variable names. Without, it starts a provider on loopback and runs itself with the key file of
//! an account there.

mod provider;

use std::{
    env, fs,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use oauth_twin::{
    AssertionClient, AsyncAssertionClient, Clock, Result, google::ApplicationDefault,
};
use provider::Provider;

fn blocking(api: &str) -> Result<String> {
    let client = AssertionClient::google(ApplicationDefault::new()?)
        .scope("reports:read")
        .clock(clock())
        .build()?;
    client.with(|client| Ok(client.get(api).send()?.error_for_status()?.text()?))
}

async fn asynchronous(api: &str) -> Result<String> {
    let client = AsyncAssertionClient::google(ApplicationDefault::new()?)
        .scope("reports:read")
        .clock(clock())
        .build()?;
    let call = async |client: &AsyncAssertionClient| -> Result<String> {
        let answer = client.get(api).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    };
    client.with(call).await
}

/// The clock of the provider that the example started, or that of the system.
fn clock() -> Clock {
    match env::var("NOW").ok().and_then(|now| now.parse().ok()) {
        Some(now) => Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(now)),
        None => Clock::system(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Ok(api) = env::var("API") {
        println!("{:?}", ApplicationDefault::new()?);
        println!("{}", blocking(&api)?);
        let runtime = tokio::runtime::Runtime::new()?;
        println!("{}", runtime.block_on(asynchronous(&api))?);
        return Ok(());
    }
    let provider = Provider::start();
    // Its clock is one of its own.
    let now = provider.clock().now().duration_since(UNIX_EPOCH)?;
    let file = env::temp_dir().join(format!("google-adc-{}.json", std::process::id()));
    fs::write(&file, provider.service_account())?;
    let status = Command::new(env::current_exe()?)
        .env("GOOGLE_APPLICATION_CREDENTIALS", &file)
        .env("API", provider.url("/me"))
        .env("NOW", now.as_secs().to_string())
        .status();
    fs::remove_file(&file)?;
    let count = provider.count();
    println!(
        "{} tokens for {} assertions",
        count.issued, count.assertions
    );
    assert!(status?.success());
    assert_eq!((count.issued, count.assertions), (2, 2));
    Ok(())
}
