//! Logout at the provider.

use oauth_twin::oidc::{LogoutRequest, LogoutUrl};

use super::{super::test, *};

const BYE: &str = "https://app.example/bye";

fn with_return() -> LogoutRequest {
    LogoutRequest::new().post_logout_redirect_uri(BYE)
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_init_logout() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let request = with_return().id_token_hint(&login.token);
    let LogoutUrl { url, pending } = login.client.create_logout_url(request)?;
    let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    let hint = login.token.id_token().expect("an ID token").expose_secret();
    assert_eq!(asked["id_token_hint"], hint);
    assert_eq!(
        (&*asked["client_id"], &*asked["post_logout_redirect_uri"]),
        ("id", BYE)
    );
    pending.logout_response(&format!("{BYE}?state={}", asked["state"]))?;
    assert!(
        login.client.token().is_some(),
        "nothing was sent or forgotten"
    );
    assert_eq!(provider.server.count("/revoke"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_init_logout_no_state() {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let LogoutUrl { pending, .. } = login.client.create_logout_url(with_return()).unwrap();
    assert!(pending.logout_response(BYE).is_err());
}

#[maybe_async]
#[test]
async fn oidcc_client_test_rp_init_logout_other_state() {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let LogoutUrl { pending, .. } = login.client.create_logout_url(with_return()).unwrap();
    let callback = format!("{BYE}?state={}", "s".repeat(43));
    assert!(pending.logout_response(&callback).is_err());
}

#[maybe_async]
#[test]
async fn a_logout_revokes_forgets_and_gives_the_url() -> TestResult {
    let provider = Provider::start();
    let login = logged_in(&provider).await;
    let LogoutUrl { url, .. } = login.client.logout(with_return()).await?;
    let hint = url.query_pairs().find(|(name, _)| name == "id_token_hint");
    let id_token = login.token.id_token().expect("an ID token");
    assert_eq!(hint.expect("a hint").1, id_token.expose_secret());
    let revoked = &provider.server.requests("/revoke")[0];
    assert_eq!(
        revoked.parameter("token_type_hint").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(login.client.token(), None);
    // Another time there is nothing to revoke.
    login.client.logout(LogoutRequest::new()).await?;
    assert_eq!(provider.server.count("/revoke"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_logout_without_an_endpoint_revokes_nothing_and_guesses_nothing() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = json!({"end_session_endpoint": null}));
    let login = logged_in(&provider).await;
    let error = login.client.logout(LogoutRequest::new()).await.unwrap_err();
    assert!(
        error.to_string().contains("end_session_endpoint"),
        "{error}"
    );
    assert!(login.client.token().is_some());
    assert_eq!(provider.server.count("/revoke"), 0);
    let client = client_of(&provider)
        .end_session_endpoint(provider.server.url("/logout"))
        .build()?;
    let request = LogoutRequest::new().param("logout_uri", BYE);
    let url = client.create_logout_url(request)?.url;
    assert!(
        url.as_str()
            .ends_with("/logout?client_id=id&logout_uri=https%3A%2F%2Fapp.example%2Fbye")
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_logout_without_a_revocation_endpoint_forgets() -> TestResult {
    let provider = Provider::start();
    provider.lie(|lies| lies.metadata = json!({"revocation_endpoint": null}));
    let login = logged_in(&provider).await;
    login.client.logout(LogoutRequest::new()).await?;
    assert_eq!(login.client.token(), None);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_logout_url_that_is_too_long_is_an_error_before_the_token_is_forgotten() -> TestResult {
    let provider = Provider::start();
    let groups = "group ".repeat(2000);
    provider.lie(|lies| lies.id_token = json!({"groups": groups}));
    let login = logged_in(&provider).await;
    let error = login.client.logout(with_return()).await.unwrap_err();
    assert!(error.to_string().contains("logout_hint"), "{error}");
    assert!(login.client.token().is_some());
    assert_eq!(provider.server.count("/revoke"), 0);
    Ok(())
}
