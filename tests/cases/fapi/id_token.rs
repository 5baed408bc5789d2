//! What the client tests of FAPI 2.0 ask of the callback, of ID tokens and of token responses.

use oauth_twin::{
    jose::{Algorithm, SigningKey},
    oauth2::ResponseType,
    oidc::IdTokenRules,
};
use support::keys::new_key;

use super::{super::test, *};

fn openid() -> AuthorizationRequest {
    AuthorizationRequest::new().scope("openid")
}

/// A login at a provider that lies in the ID token; the request is pushed, as the profile has it.
#[maybe_async]
async fn outcome(lie: impl FnOnce(&mut Lies)) -> Result<Login, Error> {
    let provider = Provider::start();
    provider.lie(lie);
    let client = client_of(&provider).pushed_authorization_requests(Push::Always);
    let client = client.build().expect("a client");
    let login = log_in(&provider, &client, openid()).await;
    assert_eq!(provider.server.count("/par"), 1);
    login
}

#[maybe_async]
async fn refused(lie: impl FnOnce(&mut Lies), word: &str) {
    let error = outcome(lie).await.expect_err(word);
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
    assert!(error.to_string().contains(word), "{word}: {error}");
}

/// The callback is refused before a code is sent.
#[maybe_async]
async fn refused_callback(
    metadata: serde_json::Value,
    change: impl Fn(&Provider, &str) -> String,
    word: &str,
) {
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = metadata);
    let client = client_of(&provider).pushed_authorization_requests(Push::Always);
    let client = client.build().expect("a client");
    let begun = client.begin_authorization(openid()).await.expect("a URL");
    let callback = change(&provider, &provider.authorize(&begun.url));
    let requests = provider.server.requests_in_all();
    let error = client
        .complete_authorization(begun.pending, &callback)
        .await;
    let error = error.expect_err(word);
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
    assert!(error.to_string().contains(word), "{word}: {error}");
    assert_eq!(provider.server.requests_in_all(), requests);
}

fn without_state(callback: &str) -> String {
    let (start, rest) = callback.split_once("state=").expect("a state");
    format!(
        "{start}{}",
        rest.split_once('&').map_or("", |(_, rest)| rest)
    )
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_ensure_authorization_response_with_invalid_state_fails()
 {
    let other = |_: &Provider, callback: &str| callback.replace("state=", "state=x");
    refused_callback(json!({}), other, "`state`").await;
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_ensure_authorization_response_with_invalid_missing_state_fails()
 {
    let without = |_: &Provider, callback: &str| without_state(callback);
    refused_callback(json!({}), without, "`state`").await;
}

fn names_itself() -> serde_json::Value {
    json!({"authorization_response_iss_parameter_supported": true})
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_invalid_authorization_response_iss() {
    let other = |_: &Provider, callback: &str| format!("{callback}&iss=https%3A%2F%2Fevil.example");
    for metadata in [names_itself(), json!({})] {
        refused_callback(metadata, other, "`iss`").await;
    }
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_remove_authorization_response_iss() {
    let without = |_: &Provider, callback: &str| callback.to_owned();
    refused_callback(names_itself(), without, "no issuer (`iss`)").await;
}

/// A test by the name of the client test that lies about a claim.
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
    fapi2_security_profile_final_client_test_invalid_iss {"iss": "https://evil.example"} "(iss)";
    fapi2_security_profile_final_client_test_invalid_aud {"aud": "another"} "(aud)";
    fapi2_security_profile_final_client_test_invalid_nonce {"nonce": "another"} "nonce";
    fapi2_security_profile_final_client_test_invalid_missing_iss {"iss": null} "(iss)";
    fapi2_security_profile_final_client_test_invalid_missing_aud {"aud": null} "(aud)";
    fapi2_security_profile_final_client_test_invalid_missing_exp {"exp": null} "(exp)";
    fapi2_security_profile_final_client_test_invalid_missing_nonce {"nonce": null} "no nonce";
    fapi2_security_profile_final_client_test_invalid_expired_exp {"exp": 1_699_999_600} "expired";
    fapi2_security_profile_final_client_test_invalid_secondary_aud
        {"aud": ["id", "another"]} "trusted_audience";
    /// Of FAPI 1.0, as the next ones.
    fapi1_client_test_iat_is_week_in_past {"iat": 1_699_395_200} "too long ago";
    fapi1_client_test_invalid_shash {"s_hash": "AAAAAAAAAAAAAAAAAAAAAA"} "s_hash";
}

/// A login of FAPI 1.0, whose request is signed, and whose ID token comes with the code. Returns the
/// number of token requests, too.
#[maybe_async]
async fn fapi1_outcome(
    rules: IdTokenRules,
    front_channel: serde_json::Value,
) -> (Result<Login, Error>, usize) {
    let provider = Provider::start();
    provider.lie(|lies| lies.front_channel = front_channel);
    let client = client_of(&provider)
        .request_object(new_key("1"))
        .id_token(rules);
    let client = client.build().expect("a client");
    let request = openid().response_type(ResponseType::CodeIdToken);
    let login = log_in(&provider, &client, request).await;
    (login, provider.server.count("/token"))
}

/// In FAPI 1.0 the ID token of the front channel is the signature of the response, `state` included.
#[maybe_async]
#[test]
async fn fapi1_client_test_invalid_missing_shash() {
    let rules = || IdTokenRules::new().require_s_hash();
    for (hash, word) in [
        (json!(null), "no s_hash"),
        (json!("AAAAAAAAAAAAAAAAAAAAAA"), "s_hash"),
        (json!(""), "s_hash"),
        (json!(7), "s_hash"),
    ] {
        let (refused, token_requests) = fapi1_outcome(rules(), json!({"s_hash": hash})).await;
        let error = refused.expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
        assert_eq!(token_requests, 0, "{word}");
    }
    let (login, _) = fapi1_outcome(rules(), json!({})).await;
    login.expect("a hash of the state");
    // Elsewhere it is optional: the `state` itself is compared, and PKCE binds the code.
    let (login, _) = fapi1_outcome(IdTokenRules::new(), json!({"s_hash": null})).await;
    login.expect("a login without the hash");
}

/// No encrypted token is decrypted, by whatever algorithm.
#[maybe_async]
#[test]
async fn fapi1_client_test_encrypted_idtoken() {
    for algorithm in ["RSA-OAEP", "ECDH-ES"] {
        let lie = |lies: &mut Lies| lies.forgery = Forgery::Encrypted(algorithm);
        refused(lie, "the ID token is encrypted, which is not supported").await;
    }
}

/// So that there is no oracle for the padding of RSA1_5 either.
#[maybe_async]
#[test]
async fn fapi1_client_test_encrypted_idtoken_usingrsa15() {
    let lie = |lies: &mut Lies| lies.forgery = Forgery::Encrypted("RSA1_5");
    refused(
        lie,
        "register the client without id_token_encrypted_response_alg",
    )
    .await;
}

#[maybe_async]
#[test]
async fn fapi1_client_test_no_scope_in_token_endpoint_response() -> TestResult {
    let login = outcome(|_| {}).await?;
    assert_eq!(login.token.scope(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_valid_aud_as_array() -> TestResult {
    outcome(|lies| lies.id_token = json!({"aud": ["id"]})).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_invalid_null_alg() {
    refused(|lies| lies.forgery = Forgery::Unsigned, "none").await;
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_invalid_alternate_alg() -> TestResult {
    let provider = Provider::start();
    let key: SigningKey = new_key("2");
    provider.keys.rotate(&[&key]);
    provider.lie(|lies| lies.key = key);
    let client = client_of(&provider)
        .id_token(IdTokenRules::new().algorithms([Algorithm::PS256]))
        .build()?;
    let error = log_in(&provider, &client, openid()).await;
    let error = error.expect_err("ES256 was not registered").to_string();
    assert!(error.contains("ES256"), "{error}");
    Ok(())
}

/// A token response without a lifetime, or with a token type in any case.
#[maybe_async]
async fn token_response(change: serde_json::Value) -> TestResult {
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let mut answer = json!({"access_token": "t1"});
            let members = change.as_object().expect("an object").clone();
            answer.as_object_mut().expect("an object").extend(members);
            Reply::json(200, answer)
        }
        _ => Reply::authorization_of(request),
    });
    let client = builder(&server).grant(ClientCredentials::new()).build()?;
    for _ in 0..2 {
        let response = client.get(server.url("/api")).send().await?;
        let sent = response.text().await?;
        assert_eq!(sent, "Bearer t1");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// That of DPoP tokens is tested beside them.
#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_token_type_case_insensitivity() -> TestResult {
    token_response(json!({"token_type": "bEARER", "expires_in": 600})).await
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_token_endpoint_response_without_expires_in()
-> TestResult {
    token_response(json!({"token_type": "Bearer"})).await
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_discovery_issuer_mismatch() {
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = json!({"issuer": "https://evil.example"}));
    let discovered = OAuth2Client::builder("id")
        .discover(provider.issuer())
        .await;
    let error = discovered.expect_err("another issuer");
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
}
