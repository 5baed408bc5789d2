//! Keys of the provider, as logins need them.

use support::keys::new_key;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn oidcc_client_test_discovery_jwks_uri_keys() -> TestResult {
    let provider = Provider::start();
    logged_in(&provider).await;
    assert_eq!(provider.server.count("/keys"), 1);
    // They are where the metadata say, and nowhere else.
    provider.lie(|lies| lies.metadata = json!({"jwks_uri": null}));
    let client = client_of(&provider).build()?;
    let error = log_in(&provider, &client, openid()).await.unwrap_err();
    assert!(error.to_string().contains("jwks_uri"), "{error}");
    assert_eq!(provider.server.count("/token"), 1, "the code is not sent");
    Ok(())
}

#[maybe_async]
#[test]
async fn keys_out_of_reach_cost_no_code() -> TestResult {
    let provider = Provider::start();
    for (status, body) in [
        (503, ""),
        (200, r#"{"keys":[]}"#),
        (200, r#"{"error":"busy"}"#),
    ] {
        provider.keys.answer(status, body);
        let client = client_of(&provider).build()?;
        let outcome = log_in(&provider, &client, openid()).await;
        assert!(outcome.is_err());
        assert_eq!(provider.server.count("/token"), 0);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_kid_absent_single_jwks() {
    let provider = Provider::start();
    provider.lie(|lies| lies.without_kid = true);
    let outcome = logged_in(&provider).await;
    assert!(outcome.id_token.is_some());
}

#[maybe_async]
#[test]
async fn oidcc_client_test_kid_absent_multiple_jwks() {
    // The one that verifies is used, and none other.
    let provider = Provider::start();
    let (key, other) = (new_key("1"), new_key("2"));
    provider.keys.rotate(&[&other, &key]);
    provider.lie(|lies| {
        lies.without_kid = true;
        lies.key = key;
    });
    let outcome = logged_in(&provider).await;
    assert!(outcome.id_token.is_some());
    provider.lie(|lies| lies.key = new_key("3"));
    let client = client_of(&provider).build().unwrap();
    let outcome = log_in(&provider, &client, openid()).await;
    assert!(outcome.is_err());
}

#[maybe_async]
#[test]
async fn oidcc_client_test_signing_key_rotation() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    log_in(&provider, &client, openid()).await?;
    let key = new_key("2");
    provider.keys.rotate(&[&key]);
    provider.lie(|lies| lies.key = key);
    log_in(&provider, &client, openid()).await?;
    assert_eq!(provider.keys.count(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_signing_key_rotation_just_before_signing() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.rotates_while_signing = vec![new_key("2")]);
    let client = client_of(&provider).build()?;
    log_in(&provider, &client, openid()).await?;
    assert_eq!(
        provider.keys.count(),
        2,
        "before the code, and after the answer"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_key_of_another_provider_is_refused() {
    refused(|lies| lies.key = new_key("evil"), "").await;
}

#[maybe_async]
#[test]
async fn a_key_by_the_same_name_of_another_provider_is_refused() {
    refused(|lies| lies.key = new_key("1"), "").await;
}

#[maybe_async]
#[test]
async fn the_tenant_of_a_common_issuer_has_to_be_named() -> TestResult {
    use oauth_twin::oidc::IdTokenRules;

    let tenant = "9122040d-6c67-4c5b-b112-36a304b66dad";
    let provider = Provider::start();
    let template = "https://login.example/{tenantid}/v2.0";
    provider.lie(|lies| {
        lies.metadata = json!({"issuer": template});
        lies.id_token = json!({"iss": template.replace("{tenantid}", tenant), "tid": tenant});
    });
    for (rules, is_accepted) in [
        (IdTokenRules::new().tenants([tenant]), true),
        (IdTokenRules::new().any_tenant(), true),
        (IdTokenRules::new(), false),
        (
            IdTokenRules::new().tenants(["11111111-2222-3333-4444-555555555555"]),
            false,
        ),
    ] {
        let metadata = provider.metadata();
        let server = metadata.with_issuer(template);
        let client = client_of(&provider).server(server).id_token(rules).build();
        let Ok(client) = client else {
            // The builder takes the template for a URL that cannot be one.
            panic!("{client:?}");
        };
        let login = log_in(&provider, &client, openid()).await;
        assert_eq!(login.is_ok(), is_accepted, "{login:?}");
    }
    Ok(())
}
