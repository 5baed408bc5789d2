//! RP-initiated logout.

use oauth_twin::{
    ErrorKind,
    oauth2::TokenTypeHint,
    oidc::{LogoutRequest, LogoutUrl},
};

use super::{
    super::{TestResult, browser::Browser, logins::log_in_with},
    *,
};
use crate::mode::test;

/// Follows a logout URL to the callback. The OpenID provider asks the user for confirmation.
#[maybe_async]
async fn log_out(server: Server, browser: &mut Browser, url: LogoutUrl) -> String {
    let outcome = browser.open(url.url.clone(), GOODBYE).await;
    let outcome = match server {
        Server::OidcProvider | Server::Fapi => {
            let confirm = outcome.page();
            browser
                .submit(&confirm, &[("logout", "yes")], GOODBYE)
                .await
        }
        Server::Authlib => outcome,
    };
    let callback = outcome.callback();
    url.pending.logout_response(&callback).expect("its state");
    callback
}

#[maybe_async]
#[test]
async fn a_user_logs_out_and_comes_back() -> TestResult {
    for server in BOTH {
        let id = registered(server, "logout", json!({})).await;
        let client = discovered(&server.issuer(), &id).await?.build()?;
        let begun = client.create_authorization_url(openid())?;
        let mut browser = Browser::new();
        let callback = log_in_with(&mut browser, server, &begun.url, WEB).await;
        let login = client
            .complete_authorization(begun.pending, &callback.callback())
            .await?;

        let request = LogoutRequest::new().post_logout_redirect_uri(GOODBYE);
        let url = login.client.logout(request).await?;
        // The token is revoked before the user is redirected.
        assert!(login.client.token().is_none());
        let refresh_token = login.token.refresh_token().expect("a refresh token");
        let said = client
            .introspect(refresh_token, Some(TokenTypeHint::RefreshToken))
            .await?;
        assert!(!said.is_active(), "{server:?}");
        let callback = log_out(server, &mut browser, url).await;
        assert!(callback.starts_with(GOODBYE), "{server:?}");

        // The session at the server is over: the same browser has to log in again.
        let begun = client.create_authorization_url(openid())?;
        let page = browser.open(begun.url, WEB).await.page();
        assert!(page.html.contains("password"), "{server:?}: {}", page.html);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_return_from_another_logout_is_refused() -> TestResult {
    for server in BOTH {
        let id = registered(server, "logout-state", json!({})).await;
        let client = discovered(&server.issuer(), &id).await?.build()?;
        let begun = client.create_authorization_url(openid())?;
        let mut browser = Browser::new();
        let callback = log_in_with(&mut browser, server, &begun.url, WEB).await;
        let login = client
            .complete_authorization(begun.pending, &callback.callback())
            .await?;
        let request = || {
            LogoutRequest::new()
                .post_logout_redirect_uri(GOODBYE)
                .id_token_hint(&login.token)
        };
        let other = client.create_logout_url(request())?;
        let url = client.create_logout_url(request())?;
        let callback = log_out(server, &mut browser, url).await;
        let error = other.pending.logout_response(&callback).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{server:?}: {error}");
    }
    Ok(())
}
