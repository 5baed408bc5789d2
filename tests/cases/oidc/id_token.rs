//! ID tokens of the code flow.

use oauth_twin::{
    jose::Algorithm,
    oauth2::{AuthorizationCode, RegisteredClient},
    oidc::IdTokenRules,
};
use support::{jwt::signing_key, provider::Forgery};

use super::{super::test, *};

#[maybe_async]
#[test]
async fn oidcc_client_test() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let who = login.id_token.as_ref().expect("an ID token");
    assert_eq!(who.claims().subject(), "alice");
    assert_eq!(who.issuer(), provider.issuer());
    assert_eq!(who.session_id(), Some("session-1"));
    let profile = login.userinfo().await?;
    assert_eq!(profile.subject(), "alice");
    assert_eq!(provider.keys.count(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_client_secret_basic() {
    let provider = Provider::start();
    logged_in(&provider).await;
    let sent = &provider.server.requests("/token")[0];
    let authorization = sent.header("authorization").unwrap_or_default();
    assert!(authorization.starts_with("Basic "), "{authorization}");
    assert_eq!(sent.parameter("client_secret"), None);
}

#[maybe_async]
#[test]
async fn oidcc_client_test_idtoken_sig_rs256() {
    let provider = Provider::start();
    let key = signing_key(Algorithm::RS256, "rsa-2048").with_key_id("rsa");
    provider.keys.rotate(&[&key]);
    provider.lie(|lies| lies.key = key);
    let login = logged_in(&provider).await;
    assert!(login.id_token.is_some());
}

#[maybe_async]
#[test]
async fn oidcc_client_test_idtoken_sig_none() {
    refused(|lies| lies.forgery = Forgery::Unsigned, "never accepted").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_invalid_sig_rs256() {
    let provider = Provider::start();
    let key = signing_key(Algorithm::RS256, "rsa-2048").with_key_id("rsa");
    provider.keys.rotate(&[&key]);
    provider.lie(|lies| {
        lies.key = key;
        lies.forgery = Forgery::BadSignature;
    });
    let client = client_of(&provider).build().unwrap();
    let error = log_in(&provider, &client, openid()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
}

#[maybe_async]
#[test]
async fn oidcc_client_test_invalid_sig_es256() {
    refused(|lies| lies.forgery = Forgery::BadSignature, "").await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_invalid_sig_hs256() -> TestResult {
    for (forgery, is_accepted) in [(Forgery::Hmac, true), (Forgery::HmacOfAnother, false)] {
        let provider = Provider::start();
        provider.lie(|lies| lies.forgery = forgery);
        let rules = IdTokenRules::new().algorithms([Algorithm::HS256]);
        let client = client_of(&provider).id_token(rules).build()?;
        let login = log_in(&provider, &client, openid()).await;
        assert_eq!(login.is_ok(), is_accepted);
        assert_eq!(provider.keys.count(), 0, "no key of the server is needed");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn hs256_that_was_not_registered_is_refused() {
    refused(
        |lies| lies.forgery = Forgery::Hmac,
        "IdTokenRules::algorithms",
    )
    .await;
}

#[maybe_async]
#[test]
async fn an_encrypted_id_token_is_an_error_that_says_so() {
    refused(
        |lies| lies.forgery = Forgery::Encrypted("RSA-OAEP"),
        "encrypted",
    )
    .await;
}

#[maybe_async]
#[test]
async fn an_access_token_instead_of_an_id_token_is_refused() {
    refused(|lies| lies.typ = Some("at+jwt"), "another kind").await;
}

#[maybe_async]
#[test]
async fn a_login_without_an_id_token_is_refused() {
    refused(|lies| lies.is_missing = true, "no ID token").await;
}

/// A test by the name of the relying-party test that lies about a claim.
macro_rules! lies {
    ($($(#[$doc:meta])* $name:ident $claims:tt $word:literal;)+) => {
        $(
            $(#[$doc])*
            #[maybe_async]
            #[test]
            async fn $name() {
                refused(|lies| lies.id_token = json!($claims), $word).await;
            }
        )+
    };
}

lies! {
    oidcc_client_test_invalid_iss {"iss": "https://evil.example"} "(iss)";
    oidcc_client_test_invalid_aud {"aud": "another"} "(aud)";
    oidcc_client_test_missing_aud {"aud": null} "(aud)";
    oidcc_client_test_missing_sub {"sub": null} "(sub)";
    oidcc_client_test_missing_iat {"iat": null} "(iat)";
    oidcc_client_test_nonce_invalid {"nonce": "another"} "nonce";
    oidcc_client_test_invalid_athash {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"} "at_hash";
    an_id_token_without_an_issuer_is_refused {"iss": null} "(iss)";
    an_empty_subject_is_refused {"sub": ""} "(sub)";
    a_subject_that_is_a_number_is_refused {"sub": 7} "sub";
    the_subject_that_all_users_of_a_tenant_have_is_refused
        {"sub": "Not supported currently. Use oid claim."} "oid";
    an_expired_id_token_is_refused {"exp": 1} "expired";
    an_id_token_without_an_expiry_is_refused {"exp": null} "(exp)";
    exp_of_the_wrong_type_is_refused {"exp": "99999999999"} "exp";
    an_id_token_of_the_future_is_refused {"iat": 4_000_000_000_u64} "future";
    an_old_id_token_is_refused_at_a_login {"iat": 1_600_000_000} "too long ago";
    an_id_token_that_is_not_valid_yet_is_refused {"nbf": 4_000_000_000_u64} "(nbf)";
    a_nonce_that_does_not_come_back_is_refused {"nonce": null} "no nonce";
    nonce_supported_false_does_not_switch_the_nonce_off
        {"nonce": "another", "nonce_supported": false} "nonce";
    nonce_supported_false_excuses_no_missing_nonce
        {"nonce": null, "nonce_supported": false} "no nonce";
    an_id_token_for_further_audiences_is_refused {"aud": ["id", "api"]} "trusted_audience";
    an_id_token_that_was_issued_to_another_client_is_refused {"azp": "another"} "(azp)";
    a_party_makes_no_audience {"aud": "another", "azp": "id"} "(aud)";
    a_state_hash_of_another_login_is_refused {"s_hash": "AAAAAAAAAAAAAAAAAAAAAA"} "s_hash";
    a_code_hash_of_another_code_is_refused {"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"} "c_hash";
}

#[maybe_async]
#[test]
async fn oidcc_client_test_aggregated_claims() {
    not_followed(|_| json!({"a": {"JWT": "e30.e30."}})).await;
}

#[maybe_async]
#[test]
async fn oidcc_client_test_distributed_claims() {
    let at = |provider: &Provider| provider.server.url("/claims");
    not_followed(|provider| json!({"a": {"endpoint": at(provider), "access_token": "x"}})).await;
}

/// A login whose claims have sources, which are left alone.
#[maybe_async]
async fn not_followed(sources: impl FnOnce(&Provider) -> serde_json::Value) {
    let provider = Provider::start();
    let sources = sources(&provider);
    let claims = json!({"_claim_names": {"age": "a"}, "_claim_sources": sources});
    provider.lie(|lies| lies.id_token = claims);
    let login = logged_in(&provider).await;
    let who = login.id_token.expect("an ID token");
    assert_eq!(who.claims().get("_claim_sources"), Some(&sources));
    assert_eq!(who.claims().get("age"), None);
    assert_eq!(provider.server.count("/claims"), 0);
}

#[maybe_async]
#[test]
async fn trusted_audiences_and_exceptions_for_one_issuer_are_accepted() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.id_token = json!({"aud": ["id", "api"], "nonce": null}));
    let rules = |issuer: &str| {
        let rules = IdTokenRules::new().trusted_audience("api");
        rules.dangerous_without_nonce(issuer)
    };
    let client = client_of(&provider)
        .id_token(rules(&provider.issuer()))
        .build()?;
    let outcome = log_in(&provider, &client, openid()).await?;
    assert!(outcome.id_token.is_some());
    let other = client_of(&provider)
        .id_token(rules("https://other.example"))
        .build()?;
    let error = log_in(&provider, &other, openid()).await.unwrap_err();
    assert!(error.to_string().contains("no nonce"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn a_code_of_a_script_is_verified_too() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let AuthorizationUrl { url, pending } = client.create_authorization_url(openid())?;
    let grant = pending.authorization_response(&provider.authorize(&url))?;
    let token = client.fetch_token(grant).await?;
    assert_eq!(client.token(), Some(token.clone()));

    provider.lie(|lies| lies.id_token = json!({"aud": "another"}));
    for keeps in [true, false] {
        let AuthorizationUrl { url, pending } = client.create_authorization_url(openid())?;
        let grant = pending.authorization_response(&provider.authorize(&url))?;
        let fetched = match keeps {
            true => client.fetch_token(grant).await,
            false => client.exchange(grant).await,
        };
        let error = fetched.unwrap_err();
        assert!(error.to_string().contains("(aud)"), "{error}");
        assert_eq!(client.token(), Some(token.clone()), "the old token stays");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_code_that_was_asked_for_elsewhere_brings_its_nonce() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let nonce = "n".repeat(22);
    for (given, is_accepted) in [(&*nonce, true), ("another", false)] {
        let AuthorizationUrl { url, .. } =
            client.create_authorization_url(openid().nonce(&*nonce))?;
        let callback = provider.authorize(&url);
        let code = callback.split("code=").nth(1).expect("a code");
        let code = code.split('&').next().expect("a code");
        let fetched = client
            .exchange(AuthorizationCode::new(code).nonce(given))
            .await;
        assert_eq!(fetched.is_ok(), is_accepted, "{fetched:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn without_openid_an_id_token_is_verified_if_it_comes() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let plain = || AuthorizationRequest::new().scope("profile");
    let login = log_in(&provider, &client, plain()).await?;
    assert!(login.id_token.is_some());
    provider.lie(|lies| lies.id_token = json!({"iss": "https://evil.example"}));
    let outcome = log_in(&provider, &client, plain()).await;
    assert!(outcome.is_err());
    provider.lie(|lies| lies.is_missing = true);
    let login = log_in(&provider, &client, plain()).await?;
    assert!(login.id_token.is_none());
    let error = login.userinfo().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    Ok(())
}

#[maybe_async]
#[test]
async fn an_issuer_exception_is_for_one_issuer() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.id_token = json!({"iss": "id.example"}));
    let rules = |issuer: &str| IdTokenRules::new().issuer_alias(issuer, "id.example");
    let client = client_of(&provider)
        .id_token(rules(&provider.issuer()))
        .build()?;
    let login = log_in(&provider, &client, openid()).await?;
    assert_eq!(login.id_token.expect("an ID token").issuer(), "id.example");
    let other = client_of(&provider)
        .id_token(rules("https://other.example"))
        .build()?;
    let error = log_in(&provider, &other, openid()).await.unwrap_err();
    assert!(error.to_string().contains("(iss)"), "{error}");
    Ok(())
}

/// What the server has registered for the client counts, and not all that it offers.
#[maybe_async]
#[test]
async fn an_id_token_by_another_algorithm_than_the_registered_one_is_refused() -> TestResult {
    let provider = Provider::start();
    let registered = |algorithm: &str| {
        serde_json::from_value::<RegisteredClient>(json!({
            "issuer": provider.issuer(), "client_id": "id", "client_secret": SECRET,
            "id_token_signed_response_alg": algorithm,
        }))
    };
    let rules = || IdTokenRules::new().leeway(Duration::from_secs(60));
    for (algorithm, rules, is_accepted) in [
        ("ES256", rules(), true),
        ("RS256", rules(), false),
        // One that is not known narrows nothing.
        ("of-the-future", rules(), true),
        ("RS256", rules().algorithms([Algorithm::ES256]), true),
    ] {
        let client = client_of(&provider)
            .registered_client(registered(algorithm)?)
            .id_token(rules)
            .build()?;
        let login = log_in(&provider, &client, openid()).await;
        assert_eq!(login.is_ok(), is_accepted, "{algorithm}");
        if let Err(error) = login {
            assert!(error.to_string().contains("ES256"), "{error}");
        }
    }
    Ok(())
}

/// As at a server that sends an ID token for other scopes, too: the code is spent by then.
#[maybe_async]
#[test]
async fn keys_for_an_id_token_that_nobody_asked_for_cost_no_login() -> TestResult {
    let provider = Provider::start();
    provider.keys.answer(503, "");
    let client = client_of(&provider).build()?;
    let plain = || AuthorizationRequest::new().scope("profile");
    let login = log_in(&provider, &client, plain()).await?;
    assert!(login.id_token.is_none() && login.token.refresh_token().is_some());
    assert_eq!(
        login.token.id_token(),
        None,
        "nobody takes it for a genuine one"
    );
    for keeps in [true, false] {
        let AuthorizationUrl { url, pending } = client.create_authorization_url(plain())?;
        let grant = pending.authorization_response(&provider.authorize(&url))?;
        let token = match keeps {
            true => client.fetch_token(grant).await?,
            false => client.exchange(grant).await?,
        };
        assert_eq!(token.id_token(), None);
    }
    // One that was asked for is another matter, and costs no code.
    let sent = provider.server.count("/token");
    let asked = log_in(&provider, &client, openid()).await;
    assert!(asked.is_err());
    assert_eq!(provider.server.count("/token"), sent);
    // So is one that is definitely wrong.
    provider.lie(|lies| lies.forgery = Forgery::Unsigned);
    let unsigned = log_in(&provider, &client, plain()).await;
    assert!(unsigned.is_err());
    Ok(())
}

#[cfg(feature = "tracing")]
#[maybe_async]
#[test]
async fn an_id_token_that_nobody_asked_for_and_that_is_dropped_is_told() -> TestResult {
    use super::super::{events::warned, support::log};
    const TEST: &str = "dropped id token of a login";
    let _marked = log::marked(TEST);
    let provider = Provider::start();
    provider.keys.answer(503, "planted-text");
    let client = client_of(&provider).build()?;
    log_in(
        &provider,
        &client,
        AuthorizationRequest::new().scope("profile"),
    )
    .await?;
    warned(TEST, "id_token_dropped", "error", "503").await;
    Ok(())
}
