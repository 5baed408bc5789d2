//! Logins in a web back end, where one stateless client serves many users, and in a script, where
//! the client keeps the token of a single user.
//!
//! ```sh
//! cargo run --example authorization_code --features blocking,async
//! ```

mod back_end;
mod provider;

use back_end::{Rows, Session};
use oauth_twin::{
    AsyncOAuth2Client, BoxError, ErrorKind, OAuth2Client, TokenUpdate,
    oauth2::{AuthorizationRequest, AuthorizationUrl},
    url::Url,
};
use provider::{CLIENT_ID, CLIENT_SECRET, LIFETIME, Provider, REDIRECT_URI};
use serde_json::Value;

type Outcome = Result<(), BoxError>;

/// A web back end: one client for all users, which writes renewed tokens back to their rows.
struct BackEnd {
    client: AsyncOAuth2Client,
    rows: Rows,
    /// URL of an API.
    me: String,
}

impl BackEnd {
    fn new(provider: &Provider) -> oauth_twin::Result<Self> {
        let rows = Rows::default();
        let table = rows.clone();
        let client = AsyncOAuth2Client::builder(CLIENT_ID)
            .client_secret(CLIENT_SECRET)
            .issuer(provider.url(""))
            .authorization_endpoint(provider.url("/authorize"))
            .token_endpoint(provider.url("/token"))
            .redirect_uri(REDIRECT_URI)
            .clock(provider.clock())
            .update_token(move |update: TokenUpdate| {
                let rows = table.clone();
                async move { rows.write_back(&update) }
            })
            .build()?;
        let me = provider.url("/me");
        Ok(Self { client, rows, me })
    }

    /// The user clicks "Log in", in one tab or in several: redirect to the URL. State and PKCE are
    /// included.
    fn log_in(&self, session: &mut Session) -> Result<Url, BoxError> {
        let request = AuthorizationRequest::new().scope("profile");
        session.keep_pending(&self.client.create_authorization_url(request)?)
    }

    /// The user returns: the pending login is taken from the session, the callback is checked, its
    /// code is exchanged, and the token is stored. Returns the user.
    async fn callback(&self, session: &mut Session, callback: &str) -> Result<String, BoxError> {
        let pending = session.take_pending(callback)?;
        let login = self
            .client
            .complete_authorization(pending, callback)
            .await?;
        let answer = login.client.get(&self.me).send().await?;
        let profile: Value = answer.error_for_status()?.json().await?;
        let user = profile["name"].as_str().ok_or("the API names no user")?;
        self.rows.insert(user, &login.token)?;
        Ok(user.to_owned())
    }

    /// A later request of the same user. Requests that load the same row share one renewal.
    async fn profile(&self, user: &str) -> Result<String, BoxError> {
        let client = self.client.for_token(self.rows.load(user)?);
        let answer = client.get(&self.me).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// Two tabs of one browser, and a day in the life of their user's token.
async fn web(provider: &Provider) -> Outcome {
    let back_end = BackEnd::new(provider)?;
    let mut session = Session::default();
    let tabs = [
        back_end.log_in(&mut session)?,
        back_end.log_in(&mut session)?,
    ];
    let callbacks = tabs.map(|url| provider.user_logs_in(&url));

    let forged = format!("{REDIRECT_URI}?code=stolen&state=forged");
    let error = back_end.callback(&mut session, &forged).await;
    println!("web: a forged callback: {}", error.expect_err("a refusal"));

    let mut user = String::new();
    for callback in &callbacks {
        user = back_end.callback(&mut session, callback).await?;
        println!("web: logged in {user}");
    }
    let error = back_end.callback(&mut session, &callbacks[0]).await;
    println!(
        "web: a callback used twice: {}",
        error.expect_err("a refusal")
    );

    // Each renewal uses up the refresh token of the one before.
    for _ in 0..2 {
        provider.advance(LIFETIME);
        println!("web: {}", back_end.profile(&user).await?);
    }
    back_end.client.close().await?;
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

    client.complete_authorization(pending, &callback)?.keep()?;
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
