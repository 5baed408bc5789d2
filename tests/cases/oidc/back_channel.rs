//! Logout tokens of the provider.

use std::{collections::HashSet, sync::Mutex};

use oauth_twin::oidc::LogoutToken;
use support::provider::Forgery;

use super::{super::test, *};

/// The refusal of a logout token, which is answered with status 400.
#[maybe_async]
async fn refused_logout(lie: impl FnOnce(&mut Lies), changes: serde_json::Value, word: &str) {
    let provider = Provider::start();
    provider.lie(lie);
    let client = client_of(&provider).build().expect("a client");
    let token = provider.logout_token(changes);
    let error = client.read_logout_token(&token).await.expect_err(word);
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains(word), "{error}");
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let client = client_of(&provider).build()?;
    let ended = client
        .read_logout_token(&provider.logout_token(json!({})))
        .await?;
    let who = login.id_token.expect("an ID token");
    assert_eq!(ended.issuer, who.issuer());
    assert_eq!(ended.subject.as_deref(), Some(who.claims().subject()));
    assert_eq!(ended.session_id.as_deref(), who.session_id());
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_alg_none() {
    refused_logout(
        |lies| lies.forgery = Forgery::Unsigned,
        json!({}),
        "never accepted",
    )
    .await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_alg() {
    refused_logout(|lies| lies.forgery = Forgery::Hmac, json!({}), "HS256").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_iss() {
    refused_logout(|_| {}, json!({"iss": "https://evil.example"}), "(iss)").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_aud() {
    refused_logout(|_| {}, json!({"aud": "another"}), "(aud)").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_no_event() {
    for events in [json!(null), json!({})] {
        refused_logout(|_| {}, json!({"events": events}), "event").await;
    }
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_wrong_event() {
    let event = "http://schemas.openid.net/event/backchannel-logout";
    for events in [
        json!({"http://schemas.openid.net/event/backchannel-logou": {}}),
        json!({event: null}),
        json!([event]),
        json!(event),
    ] {
        refused_logout(|_| {}, json!({"events": events}), "event").await;
    }
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_backchannel_rpinitlogout_with_nonce() {
    refused_logout(|_| {}, json!({"nonce": "n"}), "nonce").await;
}

#[maybe_async]
#[test]
async fn a_logout_token_with_a_bad_signature_is_refused() {
    refused_logout(|lies| lies.forgery = Forgery::BadSignature, json!({}), "").await;
}

#[maybe_async]
#[test]
async fn an_old_logout_token_is_refused() {
    refused_logout(|_| {}, json!({"exp": 1}), "expired").await;
    refused_logout(|_| {}, json!({"exp": null, "iat": 1}), "expired").await;
}

#[maybe_async]
#[test]
async fn a_logout_token_is_used_once() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let token = provider.logout_token(json!({}));
    client.read_logout_token(&token).await?;
    for client in [
        client.clone(),
        client.for_token(Token::new("of another user")),
    ] {
        let error = client.read_logout_token(&token).await.unwrap_err();
        assert!(error.to_string().contains("(jti)"), "{error}");
    }
    let other = provider.logout_token(json!({"jti": "2"}));
    client.read_logout_token(&other).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn replicas_share_the_identifiers_of_logout_tokens() -> TestResult {
    let provider = Provider::start();
    let used = Arc::new(Mutex::new(HashSet::new()));
    let replica = || {
        let used = used.clone();
        client_of(&provider).logout_token_ids(move |token: LogoutToken| {
            let is_new = used
                .lock()
                .expect("a lock")
                .insert((token.issuer, token.id));
            answer(Ok(is_new))
        })
    };
    let token = provider.logout_token(json!({}));
    replica().build()?.read_logout_token(&token).await?;
    let error = replica()
        .build()?
        .read_logout_token(&token)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("(jti)"), "{error}");

    let down = client_of(&provider)
        .logout_token_ids(|_: LogoutToken| answer(Err("the store is down".into())))
        .build()?;
    let error = down.read_logout_token(&token).await.unwrap_err();
    assert_eq!(cause(&error), "the store is down");
    Ok(())
}

/// The answer of a store, in either mode.
#[maybe_async]
async fn answer(is_new: Result<bool, BoxError>) -> Result<bool, BoxError> {
    is_new
}
