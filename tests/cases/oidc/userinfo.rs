//! Claims from the UserInfo endpoint.

use oauth_twin::{jose::Algorithm, oidc::UserInfoRules};
use support::{keys::new_key, provider::UserInfo};

use super::{super::test, *};

/// The name that the client gets out of `answer`, or its error.
#[maybe_async]
async fn answered(answer: UserInfo, rules: UserInfoRules) -> Result<String, Error> {
    let provider = Provider::start();
    provider.lie(|lies| lies.userinfo = answer);
    let client = client_of(&provider).userinfo(rules).build()?;
    let login = log_in(&provider, &client, openid()).await?;
    let profile = login.userinfo().await?;
    Ok(profile.name().unwrap_or_default().to_owned())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_scope_userinfo_claims() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| {
        lies.userinfo = UserInfo::Plain(json!({
            "sub": "alice", "name": "Alice", "email": "a@example.com", "email_verified": "false",
            "phone_number": "+1", "phone_number_verified": "true", "groups": ["a"],
            "address": {"country": "FR"},
        }));
    });
    let client = client_of(&provider).build()?;
    let request = AuthorizationRequest::new().scope("openid profile email phone address");
    let login = log_in(&provider, &client, request).await?;
    let profile = login.userinfo().await?;
    assert_eq!(
        (profile.name(), profile.email()),
        (Some("Alice"), Some("a@example.com"))
    );
    assert_eq!(profile.email_verified(), Some(false));
    assert_eq!(profile.phone_number_verified(), Some(true));
    assert_eq!(
        profile.address().and_then(|address| address.country()),
        Some("FR")
    );
    assert_eq!(profile.get("groups"), Some(&json!(["a"])));
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_userinfo_bearer_header() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    login.userinfo().await?;
    let sent = &provider.server.requests("/userinfo")[0];
    assert_eq!(sent.method, "GET");
    let expected = format!("Bearer {}", access_token(&login.token));
    assert_eq!(sent.header("authorization"), Some(&*expected));
    assert!(sent.query.is_empty() && sent.body.is_empty());
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_userinfo_bearer_body() -> TestResult {
    let provider = Provider::start();
    let rules = UserInfoRules::new().token_in_body();
    let client = client_of(&provider).userinfo(rules).build()?;
    let login = log_in(&provider, &client, openid()).await?;
    login.userinfo().await?;
    let sent = &provider.server.requests("/userinfo")[0];
    assert_eq!(sent.method, "POST");
    assert_eq!(sent.header("authorization"), None);
    let token = sent.parameter("access_token");
    assert_eq!(token.as_deref(), Some(access_token(&login.token)));
    Ok(())
}

#[maybe_async]
#[test]
async fn no_place_has_a_token_of_an_unknown_type() -> TestResult {
    let provider = Provider::start();
    for rules in [UserInfoRules::new(), UserInfoRules::new().token_in_body()] {
        for kind in ["mac", "DPoP", "N_A"] {
            let token = Token::new("t").with_token_type(kind);
            let client = client_of(&provider)
                .userinfo(rules.clone())
                .token(token)
                .build()?;
            client.userinfo("alice").await.expect_err(kind);
        }
    }
    assert_eq!(provider.server.count("/userinfo"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_userinfo_invalid_sub() {
    for (claims, word) in [
        (json!({"sub": "bob"}), "another end-user"),
        (json!({"sub": "Alice"}), "another end-user"),
        (json!({"sub": 7}), "not a string"),
        (json!({"name": "Alice"}), "whom"),
    ] {
        for answer in [
            UserInfo::Plain(claims.clone()),
            UserInfo::Signed(with_null(&claims)),
        ] {
            let error = answered(answer, UserInfoRules::new()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Answer);
            let is_said = error.to_string().contains(word) || error.to_string().contains("sub");
            assert!(is_said, "{claims}: {error}");
        }
    }
}

/// The claims, without a `sub` if they have none.
fn with_null(claims: &serde_json::Value) -> serde_json::Value {
    let mut claims = claims.clone();
    if claims.get("sub").is_none() {
        claims["sub"] = serde_json::Value::Null;
    }
    claims
}

#[maybe_async]
#[test]
async fn oidcc_client_test_userinfo_signed() -> TestResult {
    let claims = || json!({"name": "Alice"});
    for (answer, rules) in [
        (UserInfo::Signed(claims()), UserInfoRules::new()),
        (
            UserInfo::Signed(claims()),
            UserInfoRules::new().signed([Algorithm::ES256]),
        ),
        (
            UserInfo::SignedAs("Application/JWT;charset=utf-8", claims()),
            UserInfoRules::new(),
        ),
    ] {
        let outcome = answered(answer, rules).await?;
        assert_eq!(outcome, "Alice");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_signed_answer_is_verified_though_nothing_was_configured() {
    for (claims, word) in [
        (json!({"iss": "https://evil.example"}), "(iss)"),
        (json!({"aud": "another"}), "(aud)"),
        (json!({"exp": 1}), "expired"),
    ] {
        let error = answered(UserInfo::Signed(claims), UserInfoRules::new()).await;
        let error = error.expect_err(word);
        assert!(error.to_string().contains(word), "{error}");
    }
    let claims = json!({"iss": null, "aud": null, "exp": null});
    let outcome = answered(UserInfo::Signed(claims), UserInfoRules::new()).await;
    assert!(outcome.is_ok());
    let rules = UserInfoRules::new().signed([Algorithm::RS256]);
    let error = answered(UserInfo::Signed(json!({})), rules)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ES256"), "{error}");
}

#[maybe_async]
#[test]
async fn a_signed_answer_by_another_key_is_refused() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    provider.lie(|lies| {
        lies.userinfo = UserInfo::Signed(json!({}));
        lies.key = new_key("1");
    });
    let error = login.userinfo().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_plain_answer_is_refused_where_a_signed_one_was_registered() {
    let answer = UserInfo::Plain(json!({"sub": "alice"}));
    let rules = UserInfoRules::new().signed([Algorithm::ES256]);
    let error = answered(answer, rules).await.unwrap_err();
    assert!(error.to_string().contains("not signed"), "{error}");
}

#[maybe_async]
#[test]
async fn a_refused_token_is_renewed_once() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    // The endpoint refuses whatever does not begin with a `t`.
    let stale = Token::new("stale").with_refresh_token("r");
    let client = login.client.for_token(stale);
    client.userinfo("alice").await?;
    assert_eq!(provider.server.count("/userinfo"), 2);
    let hopeless = client.for_token(Token::new("stale"));
    let error = hopeless.userinfo("alice").await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert_eq!(provider.server.count("/userinfo"), 3);
    Ok(())
}

#[maybe_async]
#[test]
async fn without_an_endpoint_there_is_no_userinfo() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = json!({"userinfo_endpoint": null}));
    let login = logged_in(&provider).await;
    let error = login.userinfo().await.unwrap_err();
    assert!(error.to_string().contains("userinfo_endpoint"), "{error}");
    Ok(())
}
