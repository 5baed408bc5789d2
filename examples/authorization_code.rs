//! Logins in a web back end, where one stateless client serves many users, and in a script, where
//! the client keeps the token of a single user.
//!
//! ```sh
//! cargo run --example authorization_code --features blocking,async
//! ```

mod provider;

use std::collections::HashMap;

use oauth_twin::{
    AsyncOAuth2Client, ErrorKind, OAuth2Client, Token,
    oauth2::{AuthorizationRequest, AuthorizationUrl},
};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider, REDIRECT_URI};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A web back end: one client for all users.
async fn web(provider: &Provider) -> Outcome {
    let client = AsyncOAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .issuer(provider.url(""))
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .redirect_uri(REDIRECT_URI)
        .clock(provider.clock())
        .build()?;
    // State of the web framework: a session for each browser, a row for each user.
    let mut session: HashMap<&str, String> = HashMap::new();
    let mut rows: HashMap<&str, String> = HashMap::new();

    // The user clicks "Log in": state and PKCE are included.
    let AuthorizationUrl { url, pending, .. } =
        client.create_authorization_url(AuthorizationRequest::new().scope("profile"))?;
    session.insert("login", serde_json::to_string(&pending)?);
    let callback = provider.user_logs_in(&url); // redirect to `url`, then the callback

    // A forged callback is refused.
    let forged = format!("{REDIRECT_URI}?code=stolen&state=forged");
    let pending = serde_json::from_str(&session["login"])?;
    let error = client
        .complete_authorization(pending, &forged)
        .await
        .expect_err("a forged callback");
    println!("web: a forged callback: {error}");

    // The right one: removed from the session, checked, exchanged.
    let pending = session.remove("login").ok_or("no login in progress")?;
    let pending = serde_json::from_str(&pending)?;
    let login = client.complete_authorization(pending, &callback).await?;
    rows.insert("alice", serde_json::to_string(&login.token)?);

    // A later request of the same user.
    let row: Token = serde_json::from_str(&rows["alice"])?;
    let answer = client
        .for_token(row)
        .get(provider.url("/me"))
        .send()
        .await?;
    println!("web: {}", answer.error_for_status()?.text().await?);
    client.close().await?;
    Ok(())
}

/// A script: one user, whose token the client keeps.
fn script(provider: &Provider) -> Outcome {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .authorization_endpoint(provider.url("/authorize"))
        .token_endpoint(provider.url("/token"))
        .redirect_uri(REDIRECT_URI)
        .clock(provider.clock())
        .build()?;
    let AuthorizationUrl { url, pending, .. } =
        client.create_authorization_url(AuthorizationRequest::new())?;
    let callback = provider.user_logs_in(&url); // open `url`, paste the callback

    client.fetch_token(pending.authorization_response(&callback)?)?;
    let answer = client.get(provider.url("/me")).send()?;
    println!("script: {}", answer.error_for_status()?.text()?);

    client.close()?;
    let closed = client
        .get(provider.url("/me"))
        .send()
        .expect_err("a closed client");
    assert_eq!(closed.kind(), ErrorKind::Closed);
    Ok(())
}

fn main() -> Outcome {
    let provider = Provider::start();
    tokio::runtime::Runtime::new()?.block_on(web(&provider))?;
    script(&provider)
}
