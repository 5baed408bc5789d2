//! Logins by OpenID Connect: in a web back end, whose provider changes its keys in the meantime, and
//! in a script. Who has logged in is in the ID token, which the client verifies by itself.
//!
//! ```sh
//! cargo run --example openid_connect --features blocking,async
//! ```

mod provider;

use oauth_twin::{
    AsyncLogin, AsyncOAuth2Client, BoxError, OAuth2Client,
    oauth2::{AuthorizationRequest, AuthorizationUrl},
    oidc::{IdToken, LogoutRequest, LogoutUrl},
};
use provider::{CLIENT_ID, CLIENT_SECRET, Provider, REDIRECT_URI};

type Outcome = Result<(), BoxError>;

/// Address at which users arrive after a logout, as registered at the provider.
const GOODBYE: &str = "https://app.example/goodbye";

/// A web back end. It knows the issuer, and nothing else of the provider.
struct BackEnd {
    client: AsyncOAuth2Client,
}

impl BackEnd {
    /// The metadata are fetched with the first login, so that the back end starts while its provider
    /// is down.
    fn new(provider: &Provider) -> oauth_twin::Result<Self> {
        let client = AsyncOAuth2Client::builder(CLIENT_ID)
            .client_secret(CLIENT_SECRET)
            .clock(provider.clock())
            .discover_later(provider.url(""))
            .redirect_uri(REDIRECT_URI)
            .build()?;
        Ok(Self { client })
    }

    /// A user clicks "Log in", is redirected, and returns. State, nonce and PKCE are included.
    async fn log_in(&self, provider: &Provider) -> oauth_twin::Result<AsyncLogin> {
        let request = AuthorizationRequest::new().scope("openid email");
        // `pending` belongs into the session of the browser, as `authorization_code` shows.
        let AuthorizationUrl { url, pending } = self.client.begin_authorization(request).await?;
        let callback = provider.user_logs_in(&url);
        // The keys are fetched before the code is sent, if they are not in memory.
        self.client.complete_authorization(pending, &callback).await
    }
}

/// The key of a user in a table. An e-mail address may get another owner.
fn key(id_token: &IdToken) -> (String, String) {
    let subject = id_token.claims().subject();
    (id_token.issuer().to_owned(), subject.to_owned())
}

async fn web(provider: &Provider) -> Outcome {
    let back_end = BackEnd::new(provider)?;

    let login = back_end.log_in(provider).await?;
    let id_token = login.id_token.as_ref().ok_or("no ID token")?;
    let user = key(id_token);
    println!("web: {} of {} has logged in", user.1, user.0);
    let profile = login.userinfo().await?;
    if profile.email_verified() != Some(true) {
        return Err("the address is not verified".into());
    }
    println!("web: UserInfo says {:?}", profile.email().unwrap_or("none"));

    // The keys that are in memory are good for an hour: no other request for the same ones.
    back_end.log_in(provider).await?;
    println!(
        "web: two logins, {} request for keys",
        provider.count().key_requests
    );

    // The next ID token is by a key that the client has never seen: it fetches the keys again.
    provider.rotate_keys();
    let again = back_end.log_in(provider).await?;
    let again = again.id_token.as_ref().ok_or("no ID token")?;
    assert_eq!(key(again), user);
    println!(
        "web: the same user with a new key of the provider, {} requests for keys",
        provider.count().key_requests
    );
    assert_eq!(provider.count().key_requests, 2);

    // The token is revoked, and the user is logged out at the provider.
    let request = LogoutRequest::new().post_logout_redirect_uri(GOODBYE);
    let LogoutUrl { url, pending } = login.client.logout(request).await?;
    pending.logout_response(&provider.user_logs_out(&url))?;
    println!("web: logged out");
    assert!(login.client.token().is_none());
    back_end.client.close().await?;
    Ok(())
}

/// A script: the provider is discovered at once, and the client keeps the token of its one user.
fn script(provider: &Provider) -> Outcome {
    let client = OAuth2Client::builder(CLIENT_ID)
        .client_secret(CLIENT_SECRET)
        .clock(provider.clock())
        .discover(provider.url(""))?
        .redirect_uri(REDIRECT_URI)
        .build()?;
    let request = AuthorizationRequest::new().scope("openid email");
    let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
    let callback = provider.user_logs_in(&url); // open `url`, paste the callback
    let login = client.complete_authorization(pending, &callback)?;
    let id_token = login.id_token.clone().ok_or("no ID token")?;
    login.keep()?;
    let profile = client.userinfo(id_token.claims().subject())?;
    println!("script: {}", profile.name().unwrap_or("without a name"));
    client.close()?;
    Ok(())
}

fn main() -> Outcome {
    let provider = Provider::start();
    tokio::runtime::Runtime::new()?.block_on(web(&provider))?;
    script(&provider)
}
