//! ID tokens of a refresh.

use std::time::Duration;

use oauth_twin::Token;

use super::{super::TestResult, *};
use crate::mode::{sleep, test};

/// Both servers count in whole seconds.
const A_SECOND: Duration = Duration::from_millis(1100);

fn id_token(token: &Token) -> &str {
    token.id_token().expect("an ID token").expose_secret()
}

#[maybe_async]
#[test]
async fn a_refresh_brings_a_new_id_token() -> TestResult {
    let server = Server::OidcProvider;
    for alg in ["RS256", "ES256"] {
        let registration = json!({ "id_token_signed_response_alg": alg });
        let id = registered(server, &format!("refresh-{alg}"), registration).await;
        let client = discovered(&server.issuer(), &id).await?.build()?;
        let login = logged_in(server, &client, openid()).await?;
        // Two of the same second are equal by RS256.
        sleep(A_SECOND).await;
        let renewed = login.client.refresh_token().await?;
        // One that is not verified would have been dropped.
        assert!(id_token(&renewed) != id_token(&login.token), "{alg}");
        assert_ne!(renewed.refresh_token(), login.token.refresh_token());
        let profile = login.userinfo().await?;
        assert_eq!(profile.subject(), "alice");
        let counted = server.counted(&id, "refresh_token").await;
        assert_eq!(counted, (1, 0));
    }
    Ok(())
}

/// Authlib says that the user has authenticated at the time of the refresh, which is not so. The
/// login goes on without that ID token.
#[maybe_async]
#[test]
async fn an_id_token_with_another_auth_time_costs_no_login() -> TestResult {
    let server = Server::Authlib;
    let id = registered(server, "auth-time", json!({})).await;
    let client = discovered(&server.issuer(), &id).await?.build()?;
    let login = logged_in(server, &client, openid()).await?;
    sleep(A_SECOND).await;
    let renewed = login.client.refresh_token().await?;
    assert_ne!(renewed.access_token(), login.token.access_token());
    assert!(id_token(&renewed) == id_token(&login.token));
    let profile = login.userinfo().await?;
    assert_eq!(profile.subject(), "alice");
    Ok(())
}
