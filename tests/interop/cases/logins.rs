//! Logins of users against both servers: a form filled in, consent given or refused, a callback.

use oauth_twin::{
    Error, ErrorCode, ErrorKind, Token,
    oauth2::{
        AuthorizationCode, AuthorizationRequest, AuthorizationUrl, ClientSecretPost, TokenTypeHint,
    },
    reqwest::Url,
};

use super::{
    TestResult, address,
    browser::{Browser, Outcome, Page},
};
use crate::mode::{OAuth2Client, OAuth2ClientBuilder, at_once, maybe_async, test};

/// A real server, and how a user logs in there.
#[derive(Clone, Copy, Debug)]
pub enum Server {
    OidcProvider,
    Authlib,
    /// `oidc-provider` behind TLS, set up for FAPI 2.0.
    Fapi,
}

pub const BOTH: [Server; 2] = [Server::OidcProvider, Server::Authlib];

pub const WEB: &str = "https://app.example/callback";

impl Server {
    pub fn issuer(self) -> String {
        address(match self {
            Self::OidcProvider => "OIDC_PROVIDER",
            Self::Authlib => "AUTHLIB_SERVER",
            Self::Fapi => "FAPI_PROVIDER",
        })
    }

    /// A client of this server with every endpoint.
    pub fn client(self, id: &str) -> OAuth2ClientBuilder {
        let issuer = self.issuer();
        let [authorize, token, revoke, introspect] = match self {
            Self::OidcProvider | Self::Fapi => [
                "/auth",
                "/token",
                "/token/revocation",
                "/token/introspection",
            ],
            Self::Authlib => ["/authorize", "/token", "/revoke", "/introspect"],
        };
        OAuth2Client::builder(id)
            .authorization_endpoint(format!("{issuer}{authorize}"))
            .token_endpoint(format!("{issuer}{token}"))
            .revocation_endpoint(format!("{issuer}{revoke}"))
            .introspection_endpoint(format!("{issuer}{introspect}"))
            .issuer(issuer)
            .scope("reports:read")
    }

    /// The confidential client for web back ends.
    pub fn web(self) -> OAuth2ClientBuilder {
        self.client("web")
            .client_secret("web-secret")
            .redirect_uri(WEB)
    }

    /// The fields of the login form, filled in.
    fn credentials(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::OidcProvider | Self::Fapi => [("login", "alice"), ("password", "any")],
            Self::Authlib => [("username", "alice"), ("password", "wonder land+%&é")],
        }
    }
}

/// Logs a user in up to the consent page.
#[maybe_async]
async fn consent_page(
    server: Server,
    url: &Url,
    redirect_uri: &str,
    browser: &mut Browser,
) -> Page {
    let login = browser.open(url.clone(), redirect_uri).await.page();
    browser
        .submit(&login, &server.credentials(), redirect_uri)
        .await
        .page()
}

/// Logs a user in and gives consent; what comes back is the callback.
#[maybe_async]
pub async fn log_in(server: Server, url: &Url, redirect_uri: &str) -> String {
    let mut browser = Browser::new();
    let outcome = log_in_with(&mut browser, server, url, redirect_uri).await;
    outcome.callback()
}

/// The same in this browser, up to what comes after the consent.
#[maybe_async]
pub async fn log_in_with(
    browser: &mut Browser,
    server: Server,
    url: &Url,
    redirect_uri: &str,
) -> Outcome {
    let consent = consent_page(server, url, redirect_uri, browser).await;
    let decision: &[_] = match server {
        Server::OidcProvider | Server::Fapi => &[],
        Server::Authlib => &[("decision", "allow")],
    };
    browser.submit(&consent, decision, redirect_uri).await
}

/// Logs a user in who refuses.
#[maybe_async]
async fn refuse(server: Server, url: &Url) -> String {
    let mut browser = Browser::new();
    let consent = consent_page(server, url, WEB, &mut browser).await;
    let outcome: Outcome = match server {
        Server::OidcProvider | Server::Fapi => browser.click(&consent, "/abort", WEB).await,
        Server::Authlib => browser.submit(&consent, &[("decision", "deny")], WEB).await,
    };
    outcome.callback()
}

fn created(client: &OAuth2Client) -> AuthorizationUrl {
    client
        .create_authorization_url(AuthorizationRequest::new())
        .expect("a URL")
}

/// The token of a user who has just logged in.
#[maybe_async]
pub async fn logged_in(server: Server, client: &OAuth2Client, redirect_uri: &str) -> Token {
    let url = created(client);
    let callback = log_in(server, &url.url, redirect_uri).await;
    let login = client.complete_authorization(url.pending, &callback).await;
    login.expect("a login").token.clone()
}

/// The code in a callback.
fn code_of(callback: &str) -> &str {
    let (_, rest) = callback.split_once("code=").expect("a code");
    rest.split('&').next().unwrap_or_default()
}

/// Asserts that the server answered with this error.
#[track_caller]
fn assert_code(server: Server, error: &Error, code: &ErrorCode) {
    assert_eq!(error.code(), Some(code), "{server:?}: {error}");
}

#[maybe_async]
pub async fn me(server: Server, client: &OAuth2Client) -> u16 {
    let url = format!("{}/api/me", server.issuer());
    let response = client.get(url).send().await.expect("an answer");
    response.status().as_u16()
}

#[maybe_async]
#[test]
async fn code_with_pkce_and_iss_from_url_to_api() -> TestResult {
    for server in BOTH {
        let client = server.web().build()?;
        let url = created(&client);
        let callback = log_in(server, &url.url, WEB).await;
        assert!(callback.contains("iss="), "{server:?} names itself");
        let login = client
            .complete_authorization(url.pending, &callback)
            .await?;
        assert!(login.token.refresh_token().is_some());
        let status = me(server, &login.client).await;
        assert_eq!(status, 200, "{server:?}");
        assert_eq!(client.token(), None);

        // The code is spent: neither server takes it again.
        let again = AuthorizationCode::new(code_of(&callback))
            .redirect_uri(WEB)
            .code_verifier("v".repeat(43));
        let error = client.exchange(again).await.unwrap_err();
        assert_code(server, &error, &ErrorCode::InvalidGrant);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_public_client_has_its_verifier_only() -> TestResult {
    const LOOPBACK: &str = "http://127.0.0.1/callback";
    for server in BOTH {
        let client = server.client("public").redirect_uri(LOOPBACK).build()?;
        let url = created(&client);
        let callback = log_in(server, &url.url, LOOPBACK).await;
        // Somebody who has only the code gets nothing for it.
        let stolen = AuthorizationCode::new(code_of(&callback))
            .redirect_uri(LOOPBACK)
            .code_verifier("x".repeat(43));
        let error = client.exchange(stolen).await.unwrap_err();
        assert_code(server, &error, &ErrorCode::InvalidGrant);

        let token = logged_in(server, &client, LOOPBACK).await;
        let status = me(server, &client.for_token(token)).await;
        assert_eq!(status, 200, "{server:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refusal_at_the_consent_page_is_access_denied() -> TestResult {
    for server in BOTH {
        let client = server.web().build()?;
        let url = created(&client);
        let callback = refuse(server, &url.url).await;
        let error = client
            .complete_authorization(url.pending, &callback)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_code(server, &error, &ErrorCode::AccessDenied);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn two_users_at_once_are_not_mixed_up() -> TestResult {
    for server in BOTH {
        let client = server.web().build()?;
        let [first, second] = [created(&client), created(&client)];
        let from_second = log_in(server, &second.url, WEB).await;
        let from_first = log_in(server, &first.url, WEB).await;
        let crossed = created(&client);
        let error = client
            .complete_authorization(crossed.pending, &from_first)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{server:?}");
        let second = client
            .complete_authorization(second.pending, &from_second)
            .await?;
        let first = client
            .complete_authorization(first.pending, &from_first)
            .await?;
        assert_ne!(first.token.access_token(), second.token.access_token());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn refresh_tokens_rotate_and_reuse_is_detected() -> TestResult {
    for server in BOTH {
        let client = server.web().build()?;
        let first = logged_in(server, &client, WEB).await;
        let child = client.for_token(first.clone());
        // Twenty requests with the same row: the server sees one refresh, or it would revoke all.
        let renewed = at_once(20, |_| {
            let child = client.for_token(first.clone());
            async move { child.refresh_token().await.expect("a token") }
        })
        .await;
        let second = child.token().unwrap();
        assert!(renewed.iter().all(|token| token.refresh_token().is_some()));
        assert_ne!(
            second.refresh_token(),
            first.refresh_token(),
            "{server:?} rotates"
        );
        let status = me(server, &child).await;
        assert_eq!(status, 200, "{server:?}");

        // A client that does not know of the rotation sends the spent one.
        let other = server.web().token(first).build()?;
        let error = other.refresh_token().await.unwrap_err();
        assert_code(server, &error, &ErrorCode::InvalidGrant);
        assert!(error.needs_login());
        // The server has detected the reuse, and the whole family is gone.
        let error = child.refresh_token().await.unwrap_err();
        assert_code(server, &error, &ErrorCode::InvalidGrant);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn revocation_and_introspection() -> TestResult {
    for server in BOTH {
        let client = server.web().build()?;
        let token = logged_in(server, &client, WEB).await;
        let child = client.for_token(token.clone());
        let said = child.introspect_token().await?;
        assert!(said.is_active(), "{server:?}");
        assert_eq!(said.client_id(), Some("web"));
        assert_eq!(said.scope(), Some("reports:read"));
        assert!(said.expires_at().is_some());

        child.revoke_token().await?;
        assert_eq!(child.token(), None);
        let refresh_token = token.refresh_token().unwrap();
        let said = client
            .introspect(refresh_token, Some(TokenTypeHint::RefreshToken))
            .await?;
        assert!(!said.is_active(), "{server:?}");
        let said = client.introspect("made up", None).await?;
        assert!(!said.is_active(), "{server:?}");
        // "invalid tokens do not cause an error response"
        client.revoke("made up", None).await?;

        let stranger = server.client("web").client_secret("wrong").build()?;
        let errors = [
            stranger.revoke("x", None).await.unwrap_err(),
            stranger.introspect("x", None).await.unwrap_err(),
        ];
        for error in errors {
            assert_code(server, &error, &ErrorCode::InvalidClient);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn by_post_at_every_endpoint() -> TestResult {
    let server = Server::OidcProvider;
    let client = server
        .web()
        .token_endpoint_auth_method(ClientSecretPost)
        .build()?;
    let token = logged_in(server, &client, WEB).await;
    let child = client.for_token(token);
    let said = child.introspect_token().await?;
    assert!(said.is_active());
    child.refresh_token().await?;
    child.revoke_token().await?;
    Ok(())
}
