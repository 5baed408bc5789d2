//! Client credentials against node `oidc-provider`.

use std::time::Duration;

use oauth_twin::{
    ErrorCode, ErrorKind,
    oauth2::{ClientCredentials, ClientSecretBasic, ClientSecretBasicRaw, ClientSecretPost},
};
use serde_json::{Value, json};

use super::{TestResult, logins::Server};
use crate::{
    mode::{CLIENT, OAuth2Client, OAuth2ClientBuilder, at_once, maybe_async, sleep, test},
    updates::{Updates, recording},
};

/// Every printable character that ASCII has beside letters and digits, and an escape that must
/// not be decoded twice.
const ODD: &str = "%41+%2B !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

fn issuer() -> String {
    Server::OidcProvider.issuer()
}

fn builder(id: &str, secret: &str) -> OAuth2ClientBuilder {
    let issuer = issuer();
    OAuth2Client::builder(id)
        .client_secret(secret)
        .token_endpoint(format!("{issuer}/token"))
        .issuer(issuer)
        .grant(ClientCredentials::new())
        .scope("reports:read")
}

/// A client of this test alone, whose tokens live for `seconds`, so that tests count only their
/// own requests. The two modes may run beside each other.
#[maybe_async]
async fn registered(test: &str, auth: &str, seconds: u64) -> (String, &'static str) {
    let id = format!("{test}-{CLIENT}");
    let metadata = json!({
        "client_id": id, "client_secret": "its-secret", "token_endpoint_auth_method": auth,
        "grant_types": ["client_credentials"], "access_token_ttl": seconds,
    });
    Server::OidcProvider.register(&metadata).await;
    (id, "its-secret")
}

/// The server's own count of successful and refused token requests of a client.
#[maybe_async]
pub async fn counted(id: &str) -> (u64, u64) {
    Server::OidcProvider.counted(id, "client_credentials").await
}

/// Calls the protected resource and gives what the server knows of the token.
#[maybe_async]
pub async fn me(client: &OAuth2Client) -> Result<Value, Box<dyn std::error::Error>> {
    let response = client.get(format!("{}/api/me", issuer())).send().await?;
    let me = response.error_for_status()?.json().await?;
    Ok(me)
}

#[maybe_async]
#[test]
async fn by_basic_and_post_with_any_characters() -> TestResult {
    let odd = |prefix: &str| format!("{prefix} {ODD}");
    for (id, secret, post) in [
        ("basic".to_owned(), "basic-secret".to_owned(), false),
        ("post".to_owned(), "post-secret".to_owned(), true),
        (odd("odd"), odd("odd-secret"), false),
        (odd("odd-post"), odd("odd-post-secret"), true),
    ] {
        let client = match post {
            false => builder(&id, &secret).token_endpoint_auth_method(ClientSecretBasic),
            true => builder(&id, &secret).token_endpoint_auth_method(ClientSecretPost),
        };
        let client = client.build()?;
        let me = me(&client).await?;
        assert_eq!(me["client_id"], id);
        assert_eq!(me["scope"], "reports:read");
        let token = client.token().expect("a token");
        assert_eq!(token.scope(), Some("reports:read"));
        assert!(token.expires_at().is_some());
        client.close().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_wrong_secret_and_a_client_without_one_are_refused() -> TestResult {
    let (id, _) = registered("wrong-secret", "client_secret_basic", 600).await;
    for client in [
        builder(&id, "wrong").build()?,
        builder(&id, "wrong")
            .token_endpoint_auth_method(ClientSecretPost)
            .build()?,
        OAuth2Client::builder(&id)
            .token_endpoint(format!("{}/token", issuer()))
            .grant(ClientCredentials::new())
            .build()?,
    ] {
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
        assert!(!error.is_transient() && !error.outcome_unknown());
        let error = client
            .get(format!("{}/api/me", issuer()))
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidClient));
    }
    let (ok, _) = counted(&id).await;
    assert_eq!(ok, 0);
    let raw = builder(
        &format!("odd {ODD}").replace(':', ""),
        &format!("odd-secret {ODD}"),
    )
    .token_endpoint_auth_method(ClientSecretBasicRaw)
    .build()?;
    let error = raw.ensure_active_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "this server decodes");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_public_client_has_no_client_credentials() -> TestResult {
    let client = OAuth2Client::builder("public")
        .token_endpoint(format!("{}/token", issuer()))
        .grant(ClientCredentials::new())
        .build()?;
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidRequest), "{error}");
    assert!(
        error
            .response()
            .unwrap()
            .description()
            .unwrap()
            .contains("grant type")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn scope_and_resource_reach_the_server() -> TestResult {
    let (id, secret) = registered("resource", "client_secret_basic", 600).await;
    let client = builder(&id, secret)
        .scope(["reports:read", "reports:write"])
        .resource("https://api.example/a")
        .build()?;
    let token = client.ensure_active_token().await?;
    assert_eq!(token.scope(), Some("reports:read reports:write"));
    let answer = me(&client).await?;
    assert_eq!(answer["aud"], "https://api.example/a");
    let error = client
        .exchange(ClientCredentials::new().resource("urn:unknown"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidTarget), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_post_with_a_body_at_a_protected_resource() -> TestResult {
    let client = builder("basic", "basic-secret").build()?;
    let url = format!("{}/api/me", issuer());
    let response = client.post(&url).json(&json!({"a": 1})).send().await?;
    let answer: Value = response.error_for_status()?.json().await?;
    assert_eq!(
        (&answer["method"], &answer["body_length"]),
        (&json!("POST"), &json!(7))
    );
    let refused = client.get(&url).withhold_token().send().await?;
    assert_eq!(refused.status(), 401);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_of_three_seconds_is_renewed_by_itself() -> TestResult {
    let (id, secret) = registered("short", "client_secret_basic", 3).await;
    let updates = Updates::default();
    let client = builder(&id, secret)
        .update_token(recording(&updates))
        .build()?;
    // Until the third token, whatever the time that takes: each call is answered.
    let mut calls = 0;
    while updates.lock().unwrap().len() < 3 {
        let answer = me(&client).await?;
        assert_eq!(answer["client_id"], id);
        calls += 1;
        sleep(Duration::from_millis(100)).await;
    }
    let updates = updates.lock().unwrap().clone();
    assert_eq!(updates[0].previous_access_token, None);
    for pair in updates.windows(2) {
        let previous = pair[1].previous_access_token.as_ref();
        assert_eq!(previous, Some(pair[0].token.access_token()));
        assert_ne!(pair[0].token.access_token(), pair[1].token.access_token());
    }
    assert!(calls > updates.len(), "not a token for each call");
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn two_hundred_callers_make_one_token_request() -> TestResult {
    let (id, secret) = registered("crowd", "client_secret_basic", 600).await;
    Server::OidcProvider
        .control("delay", &id, &[("ms", "200")])
        .await;
    let client = builder(&id, secret).build()?;
    let url = format!("{}/api/me", issuer());
    let call = |_| {
        let (client, url) = (client.clone(), url.clone());
        async move {
            let response = client.get(url).send().await.expect("an answer");
            response.status().as_u16()
        }
    };
    let statuses = at_once(200, call).await;
    assert_eq!(statuses, vec![200; 200]);
    let count = counted(&id).await;
    assert_eq!(count, (1, 0), "counted at the server: the first token");

    // All tokens of this client are revoked: the 401s lead to one renewal.
    Server::OidcProvider.control("revoke_all", &id, &[]).await;
    let statuses = at_once(200, call).await;
    assert_eq!(statuses, vec![200; 200]);
    let count = counted(&id).await;
    assert_eq!(count, (2, 0), "counted at the server: one renewal");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_that_is_overloaded_is_asked_again_and_one_that_fails_is_not() -> TestResult {
    let (id, secret) = registered("failing", "client_secret_basic", 600).await;
    let client = builder(&id, secret).build()?;
    Server::OidcProvider
        .control("fail", &id, &[("next", "2"), ("status", "503")])
        .await;
    client.ensure_active_token().await?;
    let count = counted(&id).await;
    assert_eq!(count, (1, 2));
    Server::OidcProvider
        .control("fail", &id, &[("next", "1"), ("status", "500")])
        .await;
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.is_transient() && error.outcome_unknown());
    let count = counted(&id).await;
    assert_eq!(count, (1, 3));
    client.refresh_token().await?;
    Ok(())
}
