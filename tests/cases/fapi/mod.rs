//! Logins with requests that are pushed or signed and with responses that are signed, at a provider
//! that lies. The tests that begin with `fapi2_security_profile_final_client_test` have the names of
//! the client tests of the OpenID Foundation.

mod clock;
mod details;
mod id_token;
mod introspection;
mod profile;
mod profile_login;
mod push;
mod request_object;
mod signed_response;

use oauth_twin::oauth2::{AuthorizationRequest, AuthorizationUrl, Push, ResponseMode};

use super::{
    super::{
        mode::Login,
        support::provider::{CALLBACK, Forgery, Lies, Provider, SECRET},
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

#[maybe_async]
async fn log_in(
    provider: &Provider,
    client: &OAuth2Client,
    request: AuthorizationRequest,
) -> Result<Login, Error> {
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    let callback = provider.authorize(&url);
    client.complete_authorization(pending, &callback).await
}

/// The error of a login by `request` at a provider that lies, which sends no code.
#[maybe_async]
async fn refused_before_the_code(
    request: AuthorizationRequest,
    lie: impl FnOnce(&mut Lies),
    word: &str,
) -> Error {
    let provider = Provider::start();
    provider.lie(lie);
    let client = client_of(&provider).build().expect("a client");
    let error = log_in(&provider, &client, request).await.expect_err(word);
    assert!(error.to_string().contains(word), "{word}: {error}");
    assert_eq!(provider.server.count("/token"), 0, "{word}");
    error
}
