//! ID tokens that come with the code, or alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_twin::oauth2::{ResponseMode, ResponseType};

use super::{super::test, *};

fn hybrid() -> AuthorizationRequest {
    openid().response_type(ResponseType::CodeIdToken)
}

/// The refusal of a hybrid login before its code is sent.
#[maybe_async]
async fn refused_before_the_code(lie: impl FnOnce(&mut Lies), word: &str) {
    let provider = Provider::start();
    provider.lie(lie);
    let client = client_of(&provider).build().expect("a client");
    let error = log_in(&provider, &client, hybrid()).await.expect_err(word);
    assert!(error.to_string().contains(word), "{error}");
    assert_eq!(provider.server.count("/token"), 0);
}

#[maybe_async]
#[test]
async fn a_hybrid_login_works_in_both_response_modes() -> TestResult {
    for request in [hybrid(), hybrid().response_mode(ResponseMode::FormPost)] {
        let provider = Provider::start();
        let client = client_of(&provider).build()?;
        let login = log_in(&provider, &client, request).await?;
        assert!(login.id_token.is_some());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_nonce_unless_code_flow() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    for request in [
        openid(),
        hybrid(),
        openid().response_type(ResponseType::IdToken),
    ] {
        let AuthorizationUrl { url, .. } = client.create_authorization_url(request)?;
        assert!(url.query_pairs().any(|(name, _)| name == "nonce"));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_invalid_chash() {
    let wrong = json!({"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"});
    refused_before_the_code(|lies| lies.front_channel = wrong, "c_hash").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_missing_chash() {
    refused_before_the_code(
        |lies| lies.front_channel = json!({"c_hash": null}),
        "c_hash",
    )
    .await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_missing_athash() {
    // An access token in the front channel is never asked for, and refused with any hash.
    refused_before_the_code(
        |lies| lies.callback = "&access_token=t".into(),
        "access_token",
    )
    .await;
}

#[maybe_async]
#[test]
async fn an_id_token_of_the_front_channel_is_verified_before_the_code_is_sent() {
    for (claims, word) in [
        (json!({"nonce": "another"}), "nonce"),
        (json!({"iss": "https://evil.example"}), "(iss)"),
        (json!({"aud": "another"}), "(aud)"),
    ] {
        refused_before_the_code(|lies| lies.front_channel = claims, word).await;
    }
}

/// Servers that name themselves in each callback do so by the ID token, where there is one.
#[maybe_async]
#[test]
async fn an_id_token_in_the_callback_names_the_issuer() -> TestResult {
    let names_itself = || json!({"authorization_response_iss_parameter_supported": true});
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = names_itself());
    let client = client_of(&provider).build()?;
    let login = log_in(&provider, &client, hybrid()).await?;
    assert!(login.id_token.is_some());

    for issuer in [json!("https://evil.example"), json!(null), json!(7)] {
        let lie = |lies: &mut Lies| {
            lies.metadata = names_itself();
            lies.front_channel = json!({"iss": issuer});
        };
        refused_before_the_code(lie, "(`iss`)").await;
    }
    // A parameter that is there counts, whatever the ID token says.
    let lie = |lies: &mut Lies| {
        lies.metadata = names_itself();
        lies.callback = "&iss=https%3A%2F%2Fevil.example".into();
    };
    refused_before_the_code(lie, "(`iss`)").await;

    // Without an ID token there is nothing that could stand in for it, and that of an error would
    // never be verified.
    let claims = json!({"iss": provider.server.url("")}).to_string();
    let [header, claims] = [r#"{"alg":"ES256"}"#, &claims].map(|it| URL_SAFE_NO_PAD.encode(it));
    for rest in [String::new(), format!("&id_token={header}.{claims}.AAAA")] {
        let AuthorizationUrl { pending, .. } = client.create_authorization_url(hybrid())?;
        let state = pending.state();
        let callback = format!("{CALLBACK}#error=access_denied&state={state}{rest}");
        let error = client.complete_authorization(pending, &callback).await;
        let error = error.expect_err("no issuer").to_string();
        assert!(error.contains("(`iss`)"), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn both_id_tokens_of_a_hybrid_login_are_about_one_end_user() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.id_token = json!({"sub": "bob"}));
    let client = client_of(&provider).build()?;
    let error = log_in(&provider, &client, hybrid()).await.unwrap_err();
    assert!(error.to_string().contains("(iss, sub)"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_can_ask_for_an_id_token_alone() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let alone = || openid().response_type(ResponseType::IdToken);
    let AuthorizationUrl { url, pending } = client.create_authorization_url(alone())?;
    let who = client
        .complete_authentication(pending, &provider.authorize(&url))
        .await?;
    assert_eq!(who.claims().subject(), "alice");
    assert_eq!(provider.server.count("/token"), 0);

    let AuthorizationUrl { url, pending } = client.create_authorization_url(alone())?;
    let callback = provider.authorize(&url);
    provider.clock.advance(seconds(3601));
    let late = client.complete_authentication(pending, &callback).await;
    assert!(late.unwrap_err().to_string().contains("expired"));

    provider.lie(|lies| lies.front_channel = json!({"nonce": null}));
    let AuthorizationUrl { url, pending } = client.create_authorization_url(alone())?;
    let error = client
        .complete_authentication(pending, &provider.authorize(&url))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nonce"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn both_id_tokens_are_of_one_issuer_in_one_form() -> TestResult {
    use oauth_twin::oidc::IdTokenRules;

    let provider = Provider::start();
    let rules = IdTokenRules::new().issuer_alias(provider.issuer(), "id.example");
    provider.lie(|lies| lies.front_channel = json!({"iss": "id.example"}));
    let client = client_of(&provider).id_token(rules).build()?;
    let error = log_in(&provider, &client, hybrid()).await.unwrap_err();
    assert!(error.to_string().contains("(iss, sub)"), "{error}");
    provider.lie(|lies| lies.id_token = json!({"iss": "id.example"}));
    log_in(&provider, &client, hybrid()).await?;
    Ok(())
}
