//! ID tokens of refreshes.

use oauth_twin::oauth2::Password;
use support::{keys::new_key, provider::Forgery};

use super::{super::test, *};

/// The outcome of a refresh whose ID token has these changes, with its client.
#[maybe_async]
async fn refreshed(
    provider: &Provider,
    changes: serde_json::Value,
) -> (OAuth2Client, Token, Result<Token, Error>) {
    let login = logged_in(provider).await;
    provider.lie(|lies| lies.refreshed = Some(changes));
    let renewed = login.client.refresh_token().await;
    (login.client, login.token, renewed)
}

/// A refresh that brings another end-user's tokens, none of which is used.
#[maybe_async]
async fn ends_the_login(changes: serde_json::Value, word: &str) {
    let provider = Provider::start();
    let (client, first, renewed) = refreshed(&provider, changes).await;
    let error = renewed.expect_err(word);
    assert!(error.to_string().contains(word), "{error}");
    assert!(error.needs_login());
    assert_eq!(client.token(), Some(first), "nothing is published");
    // Nor is the refresh token used again.
    let error = client.refresh_token().await.expect_err("no second attempt");
    assert!(error.needs_login());
    assert_eq!(provider.server.count("/token"), 2);
}

/// A refresh whose tokens are good, and whose ID token is dropped.
#[maybe_async]
async fn costs_the_id_token_alone(provider: &Provider, changes: serde_json::Value) {
    let (client, first, renewed) = refreshed(provider, changes).await;
    let renewed = renewed.expect("new tokens");
    assert_ne!(renewed.access_token(), first.access_token());
    assert_ne!(renewed.refresh_token(), first.refresh_token());
    assert_eq!(renewed.id_token(), first.id_token(), "the old claims stay");
    assert_eq!(client.token(), Some(renewed));
}

#[maybe_async]
#[test]
async fn oidcc_client_test_refresh_token() -> TestResult {
    let provider = Provider::start();
    let (client, first, renewed) = refreshed(&provider, json!({})).await;
    let renewed = renewed?;
    assert!(renewed.id_token().is_some());
    let keeps_the_time = renewed.id_token() != first.id_token();
    assert!(keeps_the_time, "it is the new one");
    let profile = client.userinfo("alice").await?;
    assert_eq!(profile.subject(), "alice");
    let sent = provider
        .server
        .requests("/userinfo")
        .pop()
        .expect("a request");
    let expected = format!("Bearer {}", access_token(&renewed));
    assert_eq!(sent.header("authorization"), Some(&*expected));
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_refresh_token_invalid_issuer() {
    ends_the_login(json!({"iss": "https://evil.example"}), "(iss)").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_refresh_token_invalid_sub() {
    ends_the_login(json!({"sub": "bob"}), "(sub)").await;
}

#[maybe_async]
#[test]
async fn a_refresh_for_another_client_or_login_ends_the_login() {
    ends_the_login(json!({"aud": "another"}), "(aud)").await;
    ends_the_login(json!({"nonce": "another"}), "(nonce)").await;
}

#[maybe_async]
#[test]
async fn another_end_user_ends_the_login_whoever_has_signed_it() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    provider.lie(|lies| {
        lies.refreshed = Some(json!({"sub": "bob"}));
        lies.forgery = Forgery::BadSignature;
    });
    let error = login.client.refresh_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_without_an_id_token_keeps_the_old_one() {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let renewed = login.client.refresh_token().await.expect("new tokens");
    // Its `at_hash` is that of another access token, and is not compared.
    assert_eq!(renewed.id_token(), login.token.id_token());
    assert_ne!(renewed.access_token(), login.token.access_token());
}

#[maybe_async]
#[test]
async fn a_time_of_authentication_that_changes_costs_the_id_token_alone() {
    let provider = Provider::start();
    costs_the_id_token_alone(&provider, json!({"auth_time": 1_700_000_000_123_u64})).await;
}

#[maybe_async]
#[test]
async fn an_id_token_that_cannot_be_verified_costs_no_refresh_token() {
    for forgery in [
        Forgery::BadSignature,
        Forgery::Unsigned,
        Forgery::Encrypted("RSA-OAEP"),
    ] {
        let provider = Provider::start();
        let login = logged_in(&provider).await;
        provider.lie(|lies| {
            lies.refreshed = Some(json!({}));
            lies.forgery = forgery;
        });
        let renewed = login.client.refresh_token().await.expect("new tokens");
        assert_eq!(renewed.id_token(), login.token.id_token());
        assert_ne!(renewed.refresh_token(), login.token.refresh_token());
    }
    let provider = Provider::start();
    costs_the_id_token_alone(&provider, json!({"exp": 1})).await;
    let provider = Provider::start();
    let hash = json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"});
    costs_the_id_token_alone(&provider, hash).await;
}

#[maybe_async]
#[test]
async fn keys_out_of_reach_cost_no_refresh_token() {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    provider.keys.answer(503, "");
    provider.lie(|lies| {
        lies.refreshed = Some(json!({}));
        lies.key = new_key("2");
    });
    let renewed = login.client.refresh_token().await.expect("new tokens");
    assert_eq!(renewed.id_token(), login.token.id_token());
    // A client that has never had the keys, as one that has just started.
    let started = client_of(&provider).build().expect("a client");
    let restored = started.for_token(renewed.clone());
    let again = restored.refresh_token().await.expect("new tokens");
    assert_ne!(again.refresh_token(), renewed.refresh_token());
    assert_eq!(again.id_token(), login.token.id_token());
}

#[maybe_async]
#[test]
async fn a_refresh_after_a_rotation_of_keys_has_a_new_id_token() {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    provider.lie(|lies| {
        lies.refreshed = Some(json!({"nonce": null}));
        lies.rotates_while_signing = vec![new_key("2")];
    });
    let renewed = login.client.refresh_token().await.expect("new tokens");
    assert_ne!(renewed.id_token(), login.token.id_token());
}

#[maybe_async]
#[test]
async fn the_age_of_the_login_is_not_checked_again() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = openid().max_age(seconds(60));
    let login = log_in(&provider, &client, request).await?;
    provider.clock.advance(seconds(300));
    let auth_time = json!({"auth_time": 1_700_000_000});
    provider.lie(|lies| lies.refreshed = Some(auth_time));
    let renewed = login.client.refresh_token().await?;
    assert_ne!(renewed.id_token(), login.token.id_token());
    Ok(())
}

#[maybe_async]
#[test]
async fn another_end_user_ends_the_login_without_any_keys() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    provider.lie(|lies| {
        lies.refreshed = Some(json!({"sub": "bob"}));
        lies.metadata = json!({"jwks_uri": null});
    });
    let client = client_of(&provider).build()?.for_token(login.token.clone());
    let error = client.refresh_token().await.unwrap_err();
    assert!(error.needs_login(), "{error}");
    assert_eq!(client.token(), Some(login.token), "nothing is published");
    Ok(())
}

/// Another end-user's tokens are no better than a refusal: a client with a grant sends that, and the
/// refresh token not again.
#[maybe_async]
#[test]
async fn another_end_user_leads_to_the_grant_of_the_client() -> TestResult {
    let key = new_key("1");
    let id_token = move |issuer: &str, subject: &str| {
        let claims = json!({"iss": issuer, "sub": subject, "aud": "id", "exp": 1, "iat": 1});
        let claims = oauth_twin::jose::Claims::from_slice(claims.to_string().as_bytes());
        let id_token = claims.expect("claims").sign(&key).expect("a JWT");
        id_token.expose_secret().to_owned()
    };
    let issued = AtomicUsize::new(0);
    let server = Server::start(move |request: &Request| {
        let n = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let issuer = format!("http://{}", request.header("host").expect("a host"));
        let subject = match request.parameter("grant_type").as_deref() {
            Some("refresh_token") => "bob",
            _ => "alice",
        };
        let mut answer = tokens(n, 600);
        answer["id_token"] = id_token(&issuer, subject).into();
        Reply::json(200, answer)
    });
    let client = builder(&server)
        .issuer(server.url(""))
        .grant(Password::new("alice", "pw").keep_for_renewal())
        .build()?;
    client.ensure_active_token().await?;
    let renewed = client.refresh_token().await?;
    assert_eq!(access_token(&renewed), "t3");
    let sent: Vec<_> = server
        .requests("/token")
        .iter()
        .map(|request| {
            let grant_type = request.parameter("grant_type").unwrap_or_default();
            let refresh_token = request.parameter("refresh_token").unwrap_or_default();
            (grant_type, refresh_token)
        })
        .collect();
    let sent: Vec<_> = sent.iter().map(|(one, two)| (&**one, &**two)).collect();
    assert_eq!(
        sent,
        [("password", ""), ("refresh_token", "r1"), ("password", "")]
    );
    Ok(())
}

/// A grant is sent again without its user, so that a token does not end with its ID token.
#[maybe_async]
#[test]
async fn an_id_token_of_a_grant_is_verified_whenever_it_is_sent_again() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider)
        .scope("openid")
        .grant(Password::new("alice", "pw").keep_for_renewal())
        .build()?;
    let first = client.ensure_active_token().await?;
    assert!(first.id_token().is_some());
    for forgery in [Forgery::Unsigned, Forgery::BadSignature] {
        let provider = Provider::start();
        provider.lie(|lies| lies.forgery = forgery);
        let client = client_of(&provider)
            .scope("openid")
            .grant(ClientCredentials::new())
            .build()?;
        let first = client.ensure_active_token().await?;
        assert_eq!((access_token(&first), first.id_token()), ("t1", None));
        assert_eq!(client.token().as_ref().and_then(Token::id_token), None);
        let refused = client.fetch_token(ClientCredentials::new()).await;
        refused.expect_err("the same is no login");
    }
    // Nor without its keys.
    let provider = Provider::start();
    provider.keys.answer(503, "");
    let client = client_of(&provider)
        .grant(ClientCredentials::new())
        .build()?;
    let first = client.ensure_active_token().await?;
    assert_eq!((access_token(&first), first.id_token()), ("t1", None));
    Ok(())
}

#[cfg(feature = "tracing")]
mod events {
    use super::{
        super::super::{events::warned, support::log},
        test, *,
    };

    #[maybe_async]
    #[test]
    async fn an_id_token_of_a_grant_that_is_dropped_is_told() -> TestResult {
        const TEST: &str = "dropped id token of a grant";
        let _marked = log::marked(TEST);
        let provider = Provider::start();
        provider.lie(|lies| lies.id_token = json!({"exp": 1}));
        let client = client_of(&provider)
            .grant(ClientCredentials::new())
            .build()?;
        client.ensure_active_token().await?;
        warned(TEST, "id_token_dropped", "error", "exp").await;
        Ok(())
    }

    #[maybe_async]
    #[test]
    async fn an_id_token_that_is_dropped_is_told() {
        const TEST: &str = "dropped id token";
        let _marked = log::marked(TEST);
        let provider = Provider::start();
        costs_the_id_token_alone(&provider, json!({"exp": 1, "email": "planted-user"})).await;
        warned(TEST, "id_token_dropped", "error", "exp").await;
    }
}
