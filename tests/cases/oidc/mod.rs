//! Logins by OpenID Connect at a provider that lies. The tests that begin with `oidcc_client_test`
//! have the names of the relying-party tests of the OpenID Foundation; what these leave to the
//! client is refused here.

mod back_channel;
mod hybrid;
mod id_token;
mod keys;
mod logout;
mod refresh;
mod requests;
mod userinfo;

use oauth_twin::oauth2::{AuthorizationRequest, AuthorizationUrl};

use super::{
    super::{
        mode::Login,
        support::provider::{CALLBACK, Lies, Provider, SECRET},
    },
    *,
};

/// A client of `provider`, registered with its metadata.
fn client_of(provider: &Provider) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .client_secret(SECRET)
        .server(provider.metadata())
        .redirect_uri(CALLBACK)
        .clock(provider.clock.clock())
}

fn openid() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid")
}

#[maybe_async]
async fn log_in(
    provider: &Provider,
    client: &OAuth2Client,
    request: AuthorizationRequest,
) -> Result<Login, Error> {
    let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
    client
        .complete_authorization(pending, &provider.authorize(&url))
        .await
}

/// A login at a truthful provider.
#[maybe_async]
async fn logged_in(provider: &Provider) -> Login {
    let client = client_of(provider).build().expect("a client");
    log_in(provider, &client, openid()).await.expect("a login")
}

/// The error of a login at a provider that lies.
#[maybe_async]
async fn refused(lie: impl FnOnce(&mut Lies), word: &str) {
    let provider = Provider::start();
    provider.lie(lie);
    let client = client_of(&provider).build().expect("a client");
    let error = log_in(&provider, &client, openid()).await;
    let error = error.expect_err(word);
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
    assert!(error.to_string().contains(word), "{word}: {error}");
    assert!(client.token().is_none());
}
