//! A server that is restarted with other keys, while the client lives.

use super::{
    super::{TestResult, control::restart},
    *,
};
use crate::mode::test;

const SERVER: Server = Server::OidcProvider;

/// A server of its own for a test, as others go on with their keys.
#[maybe_async]
async fn client_of_another(test: &str) -> Result<(String, OAuth2Client)> {
    let issuer = SERVER.another().await;
    let id = registered(SERVER, test, json!({})).await;
    let client = discovered(&issuer, &id).await?.build()?;
    Ok((issuer, client))
}

#[maybe_async]
#[test]
async fn a_login_after_the_keys_have_changed() -> TestResult {
    let (issuer, client) = client_of_another("rotated").await?;
    let before = logged_in(SERVER, &client, openid()).await?;
    let old = client.key_set().expect("keys");
    restart(&issuer).await;
    let after = logged_in(SERVER, &client, openid()).await?;
    assert!(before.id_token.is_some() && after.id_token.is_some());
    let new = client.key_set().expect("keys");
    let is_old = |id: &str| old.keys().find(id).is_some();
    let ids: Vec<_> = new
        .keys()
        .keys()
        .iter()
        .filter_map(|key| key.key_id())
        .collect();
    assert!(!ids.is_empty() && !ids.iter().any(|id| is_old(id)));
    Ok(())
}

/// The server changes its keys between the callback and the exchange of the code.
#[maybe_async]
#[test]
async fn the_keys_change_within_a_login() -> TestResult {
    let (issuer, client) = client_of_another("rotated-within").await?;
    logged_in(SERVER, &client, openid()).await?;
    let begun = client.create_authorization_url(openid())?;
    let callback = log_in(SERVER, &begun.url, WEB).await;
    restart(&issuer).await;
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert!(login.id_token.is_some());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_after_the_keys_have_changed() -> TestResult {
    let (issuer, client) = client_of_another("rotated-refresh").await?;
    let login = logged_in(SERVER, &client, openid()).await?;
    restart(&issuer).await;
    let renewed = login.client.refresh_token().await?;
    // One by a key that is not known would have been dropped.
    assert_ne!(renewed.id_token(), login.token.id_token());
    assert!(renewed.id_token().is_some());
    Ok(())
}

/// They are used as they were kept: fetched again, they would have a later time.
#[maybe_async]
#[test]
async fn keys_of_an_earlier_process_spare_a_request() -> TestResult {
    let (issuer, client) = client_of_another("kept").await?;
    logged_in(SERVER, &client, openid()).await?;
    let kept = serde_json::to_string(&client.key_set().expect("keys"))?;
    let id = registered(SERVER, "kept", json!({})).await;
    let builder = discovered(&issuer, &id).await?;
    let next = builder.key_set(serde_json::from_str(&kept)?).build()?;
    logged_in(SERVER, &next, openid()).await?;
    let used = next.key_set().expect("keys");
    assert_eq!(serde_json::to_string(&used)?, kept);
    Ok(())
}
