//! An API that demands another authentication of the end-user.

use oauth_twin::oauth2::AuthorizationRequest;

use super::{test, *};
use support::provider::{CALLBACK, Provider, SECRET};

const BY_CLASS: &str =
    r#"Bearer error="insufficient_user_authentication", acr_values="phr", max_age=60"#;

/// An API that demands another authentication by `challenge`.
fn api(challenge: &'static str) -> Server {
    Server::start(move |_: &Request| Reply::text(401, "no").with("www-authenticate", challenge))
}

fn client_of(provider: &Provider) -> OAuth2ClientBuilder {
    OAuth2Client::builder("id")
        .client_secret(SECRET)
        .redirect_uri(CALLBACK)
        .scope("openid own")
        .server(provider.metadata())
        .clock(provider.clock.clock())
}

/// The request that the API's challenge asks for.
#[maybe_async]
async fn challenged(client: &OAuth2Client, api: &Server) -> AuthorizationRequest {
    let response = client.get(api.url("/")).send().await.expect("a response");
    assert_eq!(response.status(), 401);
    let error = client.check_challenge(&response).expect_err("a challenge");
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.needs_login());
    error.login_request().expect("a request")
}

#[maybe_async]
#[test]
async fn a_step_up_never_becomes_a_refresh() -> TestResult {
    let (provider, api) = (Provider::start(), api(BY_CLASS));
    let token = Token::new("t0").with_refresh_token("r0");
    let client = client_of(&provider).token(token).build()?;
    challenged(&client, &api).await;
    assert_eq!((api.count("/"), provider.server.count("/token")), (1, 0));
    assert_eq!(
        client.token().expect("a token").access_token(),
        &"t0".into()
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_login_that_is_begun_is_the_one_that_is_demanded() -> TestResult {
    let (provider, api) = (Provider::start(), api(BY_CLASS));
    let token = Token::new("t0").with_scope("own granted");
    let client = client_of(&provider).build()?;
    let request = challenged(&client.for_token(token), &api).await;
    let begun = client.begin_authorization(request).await?;
    let query = begun.url.query().unwrap_or_default();
    for part in ["scope=openid+own+granted&", "acr_values=phr", "max_age=60"] {
        assert!(query.contains(part), "{query}");
    }
    provider.lie(|lies| lies.id_token = json!({"acr": "phr"}));
    let callback = provider.authorize(&begun.url);
    client
        .complete_authorization(begun.pending, &callback)
        .await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_below_the_demanded_one_is_refused() -> TestResult {
    let (provider, api) = (Provider::start(), api(BY_CLASS));
    let client = client_of(&provider).token(Token::new("t0")).build()?;
    let now = provider.clock.now().duration_since(UNIX_EPOCH)?.as_secs();
    for (claims, word) in [
        (json!({}), "acr"),
        (json!({"acr": "pwd"}), "acr"),
        (
            json!({"acr": "phr", "auth_time": now - 600}),
            "too long ago",
        ),
        (json!({"acr": "phr", "auth_time": null}), "auth_time"),
    ] {
        provider.lie(|lies| lies.id_token = claims);
        let request = challenged(&client, &api).await;
        let begun = client.begin_authorization(request).await?;
        let callback = provider.authorize(&begun.url);
        let refused = client
            .complete_authorization(begun.pending, &callback)
            .await;
        let error = refused.expect_err(word);
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn other_refusals_demand_no_login() -> TestResult {
    let provider = Provider::start();
    for challenge in [
        "Bearer",
        "Bearer error=\"invalid_token\"",
        "Basic error=\"insufficient_user_authentication\"",
    ] {
        let api = api(challenge);
        let client = client_of(&provider).token(Token::new("t0")).build()?;
        let response = client.get(api.url("/")).send().await?;
        client.check_challenge(&response)?;
    }
    Ok(())
}
