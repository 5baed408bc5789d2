//! Tests of the OpenID Foundation for clients of the FAPI 2.0 Security Profile (final), as far as
//! they are about DPoP, by their names: `fapi2-security-profile-final-client-test-…`.

use oauth_twin::oauth2::{AuthorizationRequest, AuthorizationUrl, Push};

use super::{
    super::{
        super::support::{
            dpop::State,
            provider::{CALLBACK, Provider},
        },
        test,
    },
    *,
};

fn provider_with(mut state: State) -> Provider {
    let provider = Provider::start();
    let clock = provider.clock.clone();
    provider.lie(|lies| {
        state.clock = Some(clock);
        lies.dpop = Some(state);
        lies.metadata = serde_json::json!({
            "authorization_response_iss_parameter_supported": true,
            "dpop_signing_alg_values_supported": ["ES256", "PS256", "EdDSA"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        });
    });
    let mut callback = url::form_urlencoded::Serializer::new("&".to_owned());
    let callback = callback.append_pair("iss", &provider.issuer()).finish();
    provider.lie(|lies| lies.callback = callback);
    provider
}

/// Logs in by a pushed request, asks UserInfo and an API, and refreshes.
#[maybe_async]
async fn walk(provider: &Provider, key: &DpopKey) -> TestResult {
    let client = OAuth2Client::builder("id")
        .server(provider.metadata())
        .token_endpoint_auth_method(PrivateKeyJwt::new(new_key("client")))
        .pushed_authorization_requests(Push::Always)
        .redirect_uri(CALLBACK)
        .clock(provider.clock.clock())
        .dpop(key.clone())
        .build()?;
    let request = AuthorizationRequest::new().scope("openid");
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    let callback = provider.authorize(&url);
    let login = client.complete_authorization(pending, &callback).await?;
    let claims = login.userinfo().await?;
    assert_eq!(claims.subject(), "alice");
    let api = provider.server.url("/api");
    let text = login.client.get(&api).send().await?.text().await?;
    assert_eq!(text, "an account");
    let renewed = login.client.refresh_token().await?;
    assert_eq!(renewed.dpop_thumbprint(), Some(key.thumbprint()));
    let text = login.client.get(&api).send().await?.text().await?;
    assert_eq!(text, "an account");
    Ok(())
}

/// Asserts that the provider saw good proofs alone. Returns the numbers of token requests and of
/// requests to the API.
fn sound(provider: &Provider) -> (usize, usize) {
    provider.lie(|lies| {
        let state = lies.dpop.as_ref().expect("DPoP");
        assert!(state.violations.is_empty(), "{:?}", state.violations);
    });
    (
        provider.server.count("/token"),
        provider.server.count("/api"),
    )
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_happy_path() -> TestResult {
    let provider = provider_with(State::with_nonces());
    walk(&provider, &dpop_key()).await?;
    // Each server has said its nonce once, at the first request of its kind.
    assert_eq!(sound(&provider), (2, 2));
    assert_eq!(provider.server.count("/par"), 2);
    assert_eq!(provider.server.count("/userinfo"), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_happy_path_no_dpop_nonce() -> TestResult {
    let provider = provider_with(State::new());
    walk(&provider, &dpop_key()).await?;
    assert_eq!(sound(&provider), (2, 2));
    assert_eq!(provider.server.count("/par"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_token_type_case_insensitivity() -> TestResult {
    for token_type in ["dPOP", "dpop", "DPOP"] {
        let mut state = State::with_nonces();
        state.token_type = token_type;
        let provider = provider_with(state);
        walk(&provider, &dpop_key()).await?;
        sound(&provider);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_rs_dpop_auth_scheme_case_insensitivity()
-> TestResult {
    for scheme in ["dpop", "dPoP", "DPOP"] {
        let mut state = State::with_nonces();
        state.scheme = scheme;
        let provider = provider_with(state);
        walk(&provider, &dpop_key()).await?;
        assert_eq!(sound(&provider), (2, 2));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn fapi2_security_profile_final_client_test_token_endpoint_response_without_expires_in()
-> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(
            200,
            serde_json::json!({"access_token": "t1", "token_type": "DPoP"}),
        ),
        _ => Reply::authorization_of(request),
    });
    let client = with_credentials(&server).dpop(dpop_key()).build()?;
    for _ in 0..2 {
        let response = client.get(server.url("/api")).send().await?;
        let text = response.text().await?;
        assert_eq!(text, "DPoP t1");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}
