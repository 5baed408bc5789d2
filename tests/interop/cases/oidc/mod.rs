//! Logins by OpenID Connect at both servers, which the clients discover.

mod callbacks;
mod logins;
mod logout;
mod refresh;
mod rotation;

use oauth_twin::{
    Result,
    jose::{Algorithm, Jws},
    oauth2::{AuthorizationRequest, AuthorizationUrl},
    oidc::IdToken,
};
use serde_json::{Value, json};

use super::logins::{BOTH, Server, WEB, log_in};
use crate::mode::{CLIENT, Login, OAuth2Client, OAuth2ClientBuilder, maybe_async};

const SECRET: &str = "its-secret";
/// Address at which users arrive after a logout.
const GOODBYE: &str = "https://app.example/goodbye";

/// Registers a client of this test alone, with this metadata beside those of all. Returns its
/// identifier.
#[maybe_async]
async fn registered(server: Server, test: &str, more: Value) -> String {
    let id = format!("oidc-{test}-{CLIENT}");
    let mut metadata = json!({
        "client_id": id, "client_secret": SECRET, "redirect_uris": [WEB],
        "grant_types": ["authorization_code", "refresh_token"],
        "post_logout_redirect_uris": [GOODBYE],
    });
    let members = metadata.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    server.register(&metadata).await;
    id
}

/// A client that knows no more of the server than its issuer.
#[maybe_async]
async fn discovered(issuer: &str, id: &str) -> Result<OAuth2ClientBuilder> {
    let builder = OAuth2Client::builder(id).client_secret(SECRET);
    Ok(builder.discover(issuer).await?.redirect_uri(WEB))
}

fn openid() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid email")
}

#[maybe_async]
async fn logged_in(
    server: Server,
    client: &OAuth2Client,
    request: AuthorizationRequest,
) -> Result<Login> {
    let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
    let callback = log_in(server, &url, WEB).await;
    client.complete_authorization(pending, &callback).await
}

/// The algorithm that has signed an ID token.
fn algorithm(id_token: &IdToken) -> Algorithm {
    let jws = Jws::parse(id_token.encoded().expose_secret()).expect("a JWS");
    jws.header().algorithm()
}
