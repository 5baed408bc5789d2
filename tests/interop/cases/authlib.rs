//! Features that only Authlib's server has: passwords, the implicit grant, tokens in the query and the
//! body; and client credentials there, where each client has the one method it is registered for.

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{
        AuthorizationRequest, ClientCredentials, ClientSecretBasic, ClientSecretPost, Password,
        PublicClient, ResponseType, TokenPlacement,
    },
};
use serde_json::Value;

use super::{
    TestResult,
    browser::Browser,
    logins::{Server, WEB, log_in},
};
use crate::mode::{OAuth2Client, OAuth2ClientBuilder, maybe_async, test};

/// As in the tests of the other server: every printable character, and what must not be decoded
/// twice.
const ODD: &str = "%41+%2B !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

const PASSWORD: &str = "wonder land+%&é";

fn client(id: &str) -> OAuth2ClientBuilder {
    Server::Authlib.client(id)
}

/// Response of the API to a request.
#[maybe_async]
async fn me(client: &OAuth2Client) -> Result<Value, Box<dyn std::error::Error>> {
    let url = format!("{}/api/me", Server::Authlib.issuer());
    let response = client.post(url).form(&[("a", "b c")]).send().await?;
    let answer = response.error_for_status()?.json().await?;
    Ok(answer)
}

#[maybe_async]
#[test]
async fn client_credentials_by_basic_and_post_with_any_characters() -> TestResult {
    for (id, post) in [
        ("basic".to_owned(), false),
        ("post".to_owned(), true),
        (format!("odd {ODD}"), false),
        (format!("odd-post {ODD}"), true),
    ] {
        let secret = match id.split_once(' ') {
            Some((prefix, odd)) => format!("{prefix}-secret {odd}"),
            None => format!("{id}-secret"),
        };
        let made = client(&id)
            .client_secret(secret)
            .grant(ClientCredentials::new());
        let made = match post {
            false => made.token_endpoint_auth_method(ClientSecretBasic),
            true => made.token_endpoint_auth_method(ClientSecretPost),
        };
        let answer = me(&made.build()?).await?;
        assert_eq!(answer["client_id"], id);
        assert_eq!(answer["placement"], "header");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_method_that_a_client_is_not_registered_for_is_refused() -> TestResult {
    let secret = |id: &str| client(id).client_secret(format!("{id}-secret"));
    let refused = [
        secret("basic").token_endpoint_auth_method(ClientSecretPost),
        secret("post").token_endpoint_auth_method(ClientSecretBasic),
        secret("basic").token_endpoint_auth_method(PublicClient),
        client("basic").client_secret("wrong"),
        client("nobody").client_secret("x"),
        client("public"),
    ];
    for refused in refused {
        let refused = refused.grant(ClientCredentials::new()).build()?;
        let error = refused.ensure_active_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{error}");
        assert!(!error.to_string().contains("secret\""), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_scope_that_the_server_does_not_know() -> TestResult {
    let unknown = client("basic")
        .client_secret("basic-secret")
        .scope("unknown")
        .build()?;
    let error = unknown
        .exchange(ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidScope), "{error}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_password_confidential_and_public() -> TestResult {
    for made in [
        client("password").client_secret("password-secret"),
        client("password-public"),
    ] {
        let made = made.build()?;
        let token = made.fetch_token(Password::new("alice", PASSWORD)).await?;
        assert!(token.refresh_token().is_some());
        let answer = me(&made).await?;
        assert_eq!(answer["sub"], "alice");
        let renewed = made.refresh_token().await?;
        assert_ne!(renewed.access_token(), token.access_token());
        let answer = me(&made).await?;
        assert_eq!(answer["sub"], "alice");

        let error = made
            .fetch_token(Password::new("alice", "wrong"))
            .await
            .unwrap_err();
        assert_eq!(
            error.code(),
            Some(&ErrorCode::InvalidRequest),
            "this server's word: {error}"
        );
        assert_eq!(made.token(), Some(renewed), "the old token is kept");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn tokens_in_the_query_and_the_body() -> TestResult {
    for (placement, name) in [
        (TokenPlacement::Query, "query"),
        (TokenPlacement::Body, "body"),
    ] {
        let made = client("basic")
            .client_secret("basic-secret")
            .grant(ClientCredentials::new())
            .token_placement(placement)
            .build()?;
        let answer = me(&made).await?;
        assert_eq!(
            (answer["placement"].as_str(), answer["method"].as_str()),
            (Some(name), Some("POST"))
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn an_implicit_token() -> TestResult {
    const LOOPBACK: &str = "http://127.0.0.1/callback";
    let made = client("implicit").redirect_uri(LOOPBACK).build()?;
    let request = AuthorizationRequest::new().response_type(ResponseType::Token);
    let created = made.create_authorization_url(request)?;
    let callback = log_in(Server::Authlib, &created.url, LOOPBACK).await;
    made.set_token(created.pending.token_from_fragment(&callback)?)?;
    let answer = me(&made).await?;
    assert_eq!(answer["sub"], "alice");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wrong_password_at_the_login_page_brings_nobody_back() -> TestResult {
    let made = Server::Authlib.web().build()?;
    let created = made.create_authorization_url(AuthorizationRequest::new())?;
    let mut browser = Browser::new();
    let login = browser.open(created.url, WEB).await.page();
    let user = [("username", "alice"), ("password", "wrong")];
    let page = browser.submit(&login, &user, WEB).await.page();
    assert!(page.html.contains("<form"), "the form is shown again");
    Ok(())
}
