//! Web back ends: the user logs in elsewhere, and the error says what to begin.

use oauth_twin::oauth2::AuthorizationUrl;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn the_error_begins_the_login_in_one_line() -> TestResult {
    let world = World::new();
    world.change(|state| {
        state
            .needs
            .extend([("/mcp", "read"), ("/mcp/write", "write")])
    });
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.needs_login());
    for part in [resource.url("/mcp"), server.url(""), r#""read""#.to_owned()] {
        assert!(error.to_string().contains(&part), "{error}");
    }
    let request = error.login_request().expect("a request");
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    assert!(
        url.as_str().starts_with(&server.url("/authorize?")),
        "{url}"
    );
    let callback = world.visit(&url).unwrap();
    assert_eq!(world.visits()[0]["redirect_uri"], "https://app.example/cb");
    assert_eq!(world.visits()[0]["resource"], resource.url("/mcp"));
    let login = client
        .complete_authorization(pending, callback.expose_secret())
        .await?;
    // The child of a user.
    let user = login.client;
    opened(&user, &resource, "/mcp").await?;
    let error = status(&user, &resource, "/mcp/write").await.unwrap_err();
    assert!(error.to_string().contains(r#""read write""#), "{error}");
    let request = error.login_request().expect("a request");
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    let callback = world.visit(&url).unwrap();
    assert_eq!(world.scopes(), ["read", "read write"]);
    let login = client
        .complete_authorization(pending, callback.expose_secret())
        .await?;
    opened(&login.client, &resource, "/mcp/write").await?;
    assert_eq!((server.count("/register"), resource.count(PATH)), (1, 1));
    // And another user, whose token was loaded.
    let other = client.for_token(Token::new("unknown"));
    let error = status(&other, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert!(error.login_request().is_some());
    Ok(())
}

#[maybe_async]
#[test]
async fn many_users_without_a_token_cost_one_discovery() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    for _ in 0..5 {
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert!(error.login_request().is_some(), "{error}");
    }
    assert_eq!((server.requests_in_all(), resource.count(PATH)), (2, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_child_never_logs_the_client_s_own_user_in() -> TestResult {
    let world = World::new();
    let (_server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    let child = client.for_token(Token::new("another"));
    let error = status(&child, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login, "{error}");
    assert!(world.visits().is_empty());
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits().len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_may_begin_before_any_request() -> TestResult {
    let world = World::new();
    world.change(|state| state.resource.push(("scopes_supported", json!(["a"]))));
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource).build()?;
    let request = oauth_twin::oauth2::AuthorizationRequest::new().scope("a");
    let AuthorizationUrl { url, pending } = client.begin_authorization(request).await?;
    let callback = world.visit(&url).unwrap();
    assert_eq!(world.visits()[0]["resource"], resource.url("/mcp"));
    let login = client
        .complete_authorization(pending, callback.expose_secret())
        .await?;
    login.keep().await?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(paths(&server), [OAUTH, "/register", "/token"]);
    assert_eq!(resource.count("/mcp"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_token_of_a_child_is_renewed_where_it_was_issued() -> TestResult {
    let world = World::new();
    let (old, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    let begun = client
        .begin_authorization(error.login_request().unwrap())
        .await?;
    let callback = world.visit(&begun.url).unwrap();
    let token = client
        .complete_authorization(begun.pending, callback.expose_secret())
        .await?
        .token;
    let kept: Token = serde_json::from_str(&serde_json::to_string(&token)?)?;
    world.change(|state| state.issuers.clear());
    let new = world.server("");
    // Another process, which has met the new server by now.
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let found = status(&client, &resource, "/mcp").await;
    assert!(found.is_err());
    let child = client.for_token(kept);
    child.refresh_token().await?;
    assert_eq!((old.count("/token"), new.count("/token")), (2, 0));
    Ok(())
}
