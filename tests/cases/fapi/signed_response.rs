//! Authorization responses that are signed.

use oauth_twin::{
    jose::{Algorithm, JwkSet},
    oauth2::{
        AuthorizationEndpoint, ClientRegistration, ResponseType, SignedResponseRules,
        SignedResponseVerifier, callback_state,
    },
};
use support::{jwt::signing_key, keys::published};

use super::{super::test, *};

fn signed() -> AuthorizationRequest {
    AuthorizationRequest::new()
        .scope("openid")
        .response_mode(ResponseMode::Jwt)
}

/// The login is refused for its response, before a code is sent.
#[maybe_async]
async fn refused(lie: impl FnOnce(&mut Lies), word: &str) {
    let error = refused_before_the_code(signed(), lie, word).await;
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
}

/// The response, verified by the calling code.
#[maybe_async]
#[test]
async fn a_signed_response_completes_a_login_in_every_mode() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    for mode in [
        ResponseMode::Jwt,
        ResponseMode::QueryJwt,
        ResponseMode::FragmentJwt,
        ResponseMode::FormPostJwt,
    ] {
        let request = AuthorizationRequest::new()
            .scope("openid")
            .response_mode(mode);
        let begun = client.begin_authorization(request).await?;
        let callback = provider.authorize(&begun.url);
        let state = begun.pending.state().to_owned();
        assert_eq!(callback_state(&callback)?, state, "{mode:?}");
        assert!(!callback.contains(&state), "{callback}");
        // The pending login is kept in a session.
        let session = serde_json::to_string(&begun.pending)?;
        let pending = serde_json::from_str(&session)?;
        let login = client.complete_authorization(pending, &callback).await?;
        assert!(login.id_token.is_some(), "{mode:?}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_keys_are_fetched_before_the_code_is_sent() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = AuthorizationRequest::new().response_mode(ResponseMode::QueryJwt);
    let begun = client.begin_authorization(request).await?;
    provider.keys.answer(500, "");
    let callback = provider.authorize(&begun.url);
    let error = client
        .complete_authorization(begun.pending, &callback)
        .await;
    assert_eq!(
        error.expect_err("no keys").status().map(|it| it.as_u16()),
        Some(500)
    );
    assert_eq!(provider.server.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_ensure_jarm_signature_is_not_none() {
    refused(|lies| lies.response.forgery = Forgery::Unsigned, "none").await;
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_sig_fails() {
    refused(
        |lies| lies.response.forgery = Forgery::BadSignature,
        "has signed",
    )
    .await;
}

/// A test by the name of the client test that lies about a claim.
macro_rules! lies {
    ($($(#[$doc:meta])* $name:ident $claims:tt $word:literal;)+) => {
        $(
            $(#[$doc])*
            #[maybe_async]
            #[test]
            async fn $name() {
                refused(|lies| lies.response.claims = json!($claims), $word).await;
            }
        )+
    };
}

lies! {
    fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_iss_fails
        {"iss": "https://evil.example"} "another issuer (iss)";
    fapi2_security_profile_final_client_test_ensure_jarm_with_invalid_aud_fails
        {"aud": "another"} "another client (aud)";
    fapi2_security_profile_final_client_test_ensure_jarm_with_expired_exp_fails
        {"exp": 1_699_999_900} "expired (exp)";
    fapi2_security_profile_final_client_test_ensure_jarm_without_iss_fails {"iss": null} "(iss)";
    fapi2_security_profile_final_client_test_ensure_jarm_without_aud_fails {"aud": null} "(aud)";
    fapi2_security_profile_final_client_test_ensure_jarm_without_exp_fails {"exp": null} "(exp)";
    a_signed_response_of_another_login_is_refused {"state": "another"} "state";
    a_signed_response_without_a_state_is_refused {"state": null} "state";
    a_signed_response_whose_state_is_not_text_is_refused {"state": ["a"]} "state";
    a_signed_response_without_a_code_is_refused {"code": null} "code";
    a_signed_response_whose_code_is_not_text_is_refused {"code": {"a": 1}} "code";
    a_signed_response_with_an_expiry_as_text_is_refused {"exp": "99999999999"} "exp";
}

#[maybe_async]
#[test]
async fn an_encrypted_response_is_an_error_that_says_so() {
    refused(
        |lies| lies.response.forgery = Forgery::Encrypted("RSA-OAEP"),
        "encrypted",
    )
    .await;
}

#[maybe_async]
#[test]
async fn a_response_that_is_signed_by_the_secret_of_the_client_is_refused() {
    refused(|lies| lies.response.forgery = Forgery::Hmac, "HS256").await;
}

/// Where a signed response was asked for, and where none was.
#[maybe_async]
#[test]
async fn a_downgrade_is_refused_both_ways() {
    refused(
        |lies| lies.response.is_signed = Some(false),
        "no signed response",
    )
    .await;
    let unasked = |lies: &mut Lies| lies.response.is_signed = Some(true);
    let plain = AuthorizationRequest::new();
    refused_before_the_code(plain, unasked, "which was not asked for").await;
    // An error is not believed either; a registered one is named.
    let plain_error = |lies: &mut Lies| {
        lies.response.is_signed = Some(false);
        lies.response.error = Some("access_denied");
    };
    refused(
        plain_error,
        "it claims the error `access_denied`, which is not verified",
    )
    .await;
    // Whatever stands beside a signed response is not.
    refused(|lies| lies.response.beside = "&code=evil", "`code` beside").await;
    refused(
        |lies| lies.response.beside = "&error=access_denied",
        "`error` beside",
    )
    .await;
    refused(|lies| lies.response.beside = "&response=evil", "repeats").await;
}

#[maybe_async]
#[test]
async fn a_signed_error_is_the_error_of_the_server() {
    let denied = |lies: &mut Lies| lies.response.error = Some("access_denied");
    let error = refused_before_the_code(signed(), denied, "access_denied").await;
    assert_eq!(error.kind(), ErrorKind::Server);
}

/// Keycloak repeats `iss`.
#[maybe_async]
#[test]
async fn a_member_that_stands_twice_has_one_value_or_the_response_is_refused() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| {
        lies.response.text = |text| {
            let at = text.find("\"iss\":").expect("a member");
            let member = text[at..]
                .split([',', '}'])
                .next()
                .expect("its value")
                .to_owned();
            format!("{{{member},{}", &text[1..])
        };
    });
    let client = client_of(&provider).build()?;
    log_in(&provider, &client, signed()).await?;
    const TWICE: [fn(String) -> String; 4] = [
        |text| text.replacen('{', "{\"iss\":\"https://evil.example\",", 1),
        |text| text.replacen('{', "{\"state\":\"evil\",", 1),
        |text| text.replacen('{', "{\"code\":\"evil\",", 1),
        |text| text.replacen('{', "{\"aud\":\"evil\",", 1),
    ];
    for text in TWICE {
        refused(|lies| lies.response.text = text, "two values").await;
    }
    Ok(())
}

/// The registered algorithm is pinned, and the metadata narrow the default.
#[maybe_async]
#[test]
async fn the_algorithm_is_the_registered_one() -> TestResult {
    let provider = Provider::start();
    let only = |algorithm| SignedResponseRules::new().algorithms([algorithm]);
    let client = client_of(&provider)
        .signed_response(only(Algorithm::PS256))
        .build()?;
    let error = log_in(&provider, &client, signed()).await;
    let error = error.expect_err("ES256 was not registered").to_string();
    assert!(
        error.contains("ES256") && error.contains("SignedResponseRules"),
        "{error}"
    );
    let client = client_of(&provider)
        .signed_response(only(Algorithm::ES256))
        .build()?;
    log_in(&provider, &client, signed()).await?;
    for listed in [json!(["PS256"]), json!(null)] {
        let provider = Provider::start();
        let metadata = json!({"authorization_signing_alg_values_supported": listed});
        provider.lie(|lies| lies.metadata = metadata);
        let client = client_of(&provider).build()?;
        let login = log_in(&provider, &client, signed()).await;
        assert!(login.is_err(), "{listed}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_forged_response_fetches_no_keys() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let begun = client.begin_authorization(signed()).await?;
    provider.lie(|lies| lies.response.claims = json!({"state": "another"}));
    let callback = provider.authorize(&begun.url);
    client
        .complete_authorization(begun.pending, &callback)
        .await
        .unwrap_err();
    assert_eq!(provider.keys.count(), 0);
    Ok(())
}

/// One for a hybrid flow, whose ID token does not go into a query.
#[maybe_async]
#[test]
async fn a_signed_response_has_the_id_token_of_a_hybrid_login() -> TestResult {
    let provider = Provider::start();
    let client = client_of(&provider).build()?;
    let request = signed().response_type(ResponseType::CodeIdToken);
    let login = log_in(&provider, &client, request).await?;
    assert!(login.id_token.is_some());
    let request = AuthorizationRequest::new()
        .scope("openid")
        .response_type(ResponseType::CodeIdToken)
        .response_mode(ResponseMode::QueryJwt);
    let error = client
        .begin_authorization(request)
        .await
        .expect_err("in the query");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let request = signed().response_type(ResponseType::IdToken);
    let begun = client.begin_authorization(request).await?;
    let callback = provider.authorize(&begun.url);
    let id_token = client
        .complete_authentication(begun.pending, &callback)
        .await?;
    assert_eq!(id_token.claims().subject(), "alice");
    Ok(())
}

/// Without the clients of this crate.
#[maybe_async]
#[test]
async fn a_verifier_does_it_without_a_client() -> TestResult {
    let provider = Provider::start();
    let key = signing_key(Algorithm::ES256, "p-256").with_key_id("1");
    provider.lie(|lies| lies.key = key.clone());
    let registration = ClientRegistration::new("id").with_redirect_uris([CALLBACK]);
    let endpoint = AuthorizationEndpoint::new(&provider.metadata(), &registration)?;
    let endpoint = endpoint.clock(provider.clock.clock());
    let verifier = SignedResponseVerifier::new(&provider.metadata(), &registration)?;
    let verifier = verifier.clock(provider.clock.clock());
    let keys: JwkSet = serde_json::from_value(published(&[&key]))?;
    let begun = endpoint.request(signed())?;
    let callback = provider.authorize(&begun.url);
    let grant = verifier.verify(begun.pending, &callback, &keys)?;
    let client = client_of(&provider).build()?;
    provider.keys.rotate(&[&key]);
    client.exchange(grant).await?;

    let begun = endpoint.request(signed())?;
    let callback = provider.authorize(&begun.url);
    let unverified = begun.pending.authorization_response(&callback);
    let error = unverified.expect_err("it is not verified");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let begun = endpoint.request(AuthorizationRequest::new())?;
    let callback = provider.authorize(&begun.url);
    let plain = verifier.verify(begun.pending, &callback, &keys);
    assert_eq!(
        plain.expect_err("none was asked for").kind(),
        ErrorKind::Usage
    );
    Ok(())
}
