//! What a user does under a profile of FAPI 2.0, with tokens that are bound to a DPoP key.

use oauth_twin::{
    jose::Algorithm,
    oauth2::{DpopKey, PrivateKeyJwt, Profile},
};
use support::dpop::State;

use super::{
    super::test,
    profile::{bank, key},
    *,
};

/// At a bank that demands nonces of both servers: a login, UserInfo, its API, and a refresh.
#[maybe_async]
#[test]
async fn a_login_and_a_refresh_work_under_each_profile() -> TestResult {
    for profile in [Profile::Fapi2, Profile::Fapi2MessageSigning] {
        let (provider, dpop_key) = (bank(), DpopKey::generate(Algorithm::ES256)?);
        let mut state = State::with_nonces();
        state.clock = Some(provider.clock.clone());
        provider.lie(|lies| lies.dpop = Some(state));
        let builder = OAuth2Client::builder("id").clock(provider.clock.clock());
        let mut builder = builder
            .discover(provider.issuer())
            .await?
            .redirect_uri(CALLBACK)
            .token_endpoint_auth_method(PrivateKeyJwt::new(key()))
            .dpop(dpop_key.clone())
            .profile(profile);
        if profile == Profile::Fapi2 {
            let mut iss = url::form_urlencoded::Serializer::new("&".to_owned());
            let iss = iss.append_pair("iss", &provider.issuer()).finish();
            provider.lie(|lies| lies.callback = iss);
        } else {
            builder = builder.request_object(key());
        }
        let client = builder.build()?;
        let request = AuthorizationRequest::new().scope("openid");
        let login = log_in(&provider, &client, request).await?;
        let claims = login.userinfo().await?;
        assert_eq!(claims.subject(), "alice");
        let renewed = login.client.refresh_token().await?;
        assert_eq!(renewed.dpop_thumbprint(), Some(dpop_key.thumbprint()));
        let response = login.client.get(provider.server.url("/api")).send().await?;
        let text = response.text().await?;
        assert_eq!(text, "an account", "{profile:?}");
        provider.lie(|lies| {
            let state = lies.dpop.as_ref().expect("DPoP");
            assert!(state.violations.is_empty(), "{:?}", state.violations);
        });
        // A nonce of the authorization server is told at the push, and counts at `/token` as well.
        let counts = ["/par", "/token", "/userinfo", "/api"];
        let counts = counts.map(|path| provider.server.count(path));
        assert_eq!(counts, [2, 2, 2, 1], "{profile:?}");
    }
    Ok(())
}
