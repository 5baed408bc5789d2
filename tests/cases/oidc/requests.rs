//! Requirements of an authorization request that the ID token has to meet.

use std::time::Duration;

use oauth_twin::{ErrorCode, oauth2::ResponseMode};

use super::{super::test, *};

/// The refusal of what `request` asks for.
#[maybe_async]
async fn unfulfilled(request: AuthorizationRequest, claims: serde_json::Value, word: &str) {
    let provider = Provider::start();
    let client = client_of(&provider).build().expect("a client");
    log_in(&provider, &client, request.clone())
        .await
        .expect("fulfilled");
    provider.lie(|lies| lies.id_token = claims);
    let error = log_in(&provider, &client, request).await.expect_err(word);
    assert!(error.to_string().contains(word), "{error}");
}

/// The clock of a provider as it starts, less `ago`.
fn ago(ago: u64) -> u64 {
    1_700_000_000 - ago
}

#[maybe_async]
#[test]
async fn max_age_that_was_sent_is_enforced() {
    let old = json!({"auth_time": ago(331)});
    for request in [
        openid().max_age(Duration::from_secs(300)),
        openid().param("max_age", "300"),
    ] {
        unfulfilled(request, old.clone(), "too long ago").await;
    }
}

#[maybe_async]
#[test]
async fn a_new_authentication_that_was_demanded_is_enforced() {
    for request in [openid().prompt("login"), openid().max_age(Duration::ZERO)] {
        unfulfilled(request, json!({"auth_time": ago(31)}), "too long ago").await;
    }
}

/// "max_age=0" asks for an authentication after the request, and not for one that has just happened
/// when the callback comes.
#[maybe_async]
#[test]
async fn a_new_authentication_may_be_minutes_before_the_callback() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let begun = client.create_authorization_url(openid().max_age(Duration::ZERO))?;
    provider.lie(|lies| lies.id_token = json!({"auth_time": ago(0)}));
    let callback = provider.authorize(&begun.url);
    provider.clock.advance(Duration::from_secs(300));
    let login = client
        .complete_authorization(begun.pending, &callback)
        .await?;
    assert!(login.id_token.is_some());
    Ok(())
}

#[maybe_async]
#[test]
async fn a_missing_auth_time_is_an_error_with_advice() {
    let claims = json!({"id_token": {"auth_time": {"essential": true}}});
    for request in [
        openid().max_age(Duration::from_secs(300)),
        openid().prompt("login"),
        openid().claims(claims),
    ] {
        unfulfilled(request, json!({"auth_time": null}), "Entra ID").await;
    }
}

#[maybe_async]
#[test]
async fn an_auth_time_in_milliseconds_is_not_fresh_for_ever() {
    let request = openid().max_age(Duration::from_secs(300));
    unfulfilled(
        request,
        json!({"auth_time": 1_700_000_000_000_u64}),
        "future",
    )
    .await;
}

#[maybe_async]
#[test]
async fn acr_is_voluntary_unless_it_is_required() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = || openid().acr_values(["gold", "silver"]);
    log_in(&provider, &client, request()).await?;
    let error = log_in(&provider, &client, request().require_acr())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("(acr)"), "{error}");
    provider.lie(|lies| lies.id_token = json!({"acr": "silver"}));
    let login = log_in(&provider, &client, request().require_acr()).await?;
    assert_eq!(login.id_token.expect("an ID token").acr(), Some("silver"));
    provider.lie(|lies| lies.id_token = json!({"acr": "bronze"}));
    let outcome = log_in(&provider, &client, request().require_acr()).await;
    assert!(outcome.is_err());
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_form_post_error() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = openid()
        .response_mode(ResponseMode::FormPost)
        .prompt("none")
        .max_age(Duration::ZERO);
    let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
    let state = url.query_pairs().find(|(name, _)| name == "state");
    let body = format!("error=login_required&state={}", state.expect("a state").1);
    let error = client
        .complete_authorization(pending, &body)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::LoginRequired));
    assert_eq!(provider.server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_error_from_another_issuer_is_not_shown() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let AuthorizationUrl { url, pending } = client.create_authorization_url(openid())?;
    let state = url.query_pairs().find(|(name, _)| name == "state");
    let state = state.expect("a state").1;
    let callback = format!(
        "?error=access_denied&error_description=call+0900&iss=https://evil.example&state={state}"
    );
    let error = client
        .complete_authorization(pending, &callback)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    let text = format!("{error} {error:?}");
    assert!(
        !text.contains("0900") && !text.contains("access_denied"),
        "{text}"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_provider_that_is_not_known_well_enough_gets_no_code() -> TestResult {
    let provider = Provider::start();
    for (members, word) in [
        (json!({"issuer": null}), "issuer"),
        (json!({"jwks_uri": null}), "jwks_uri"),
    ] {
        provider.lie(|lies| lies.metadata = members);
        let client = client_of(&provider).build()?;
        let error = log_in(&provider, &client, openid()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(provider.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_3rd_party_init_login() -> TestResult {
    use oauth_twin::oidc::LoginInitiation;

    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let at = |query: &str| format!("https://app.example/login?{query}");
    let initiated = at(&format!("iss={}&login_hint=alice", provider.issuer()));
    let initiation = LoginInitiation::read(&initiated, [provider.issuer()])?;
    let request = initiation.authorization_request().scope("openid");
    let AuthorizationUrl { url, .. } = client.create_authorization_url(request)?;
    assert!(
        url.query_pairs()
            .any(|(name, value)| (&*name, &*value) == ("login_hint", "alice"))
    );
    for query in ["iss=https://evil.example", "login_hint=alice"] {
        assert!(LoginInitiation::read(&at(query), [provider.issuer()]).is_err());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn plain_pkce_is_never_used_unasked() -> TestResult {
    let provider = Provider::start();
    for methods in [json!(["plain"]), json!([]), json!(["S512"])] {
        provider.lie(|lies| lies.metadata = json!({"code_challenge_methods_supported": methods}));
        let client = client_of(&provider).build()?;
        let error = client.create_authorization_url(openid()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("S256"), "{error}");
    }
    provider.lie(|lies| lies.metadata = json!({"code_challenge_methods_supported": null}));
    let client = client_of(&provider).build()?;
    let AuthorizationUrl { url, .. } = client.create_authorization_url(openid())?;
    assert!(url.as_str().contains("code_challenge_method=S256"));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_code_of_one_provider_is_never_sent_to_another() -> TestResult {
    let [one, other] = [(); 2].map(|()| Provider::start());
    let [client, stranger] = [&one, &other].map(|provider| client_of(provider).build());
    let (client, stranger) = (client?, stranger?);
    for scope in ["openid", "profile"] {
        let request = AuthorizationRequest::new().scope(scope);
        let AuthorizationUrl { url, pending } = client.create_authorization_url(request)?;
        let error = stranger
            .complete_authorization(pending, &one.authorize(&url))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert_eq!(other.server.count("/token"), 0, "nothing is sent");
    }
    Ok(())
}
