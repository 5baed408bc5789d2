//! Settings of clients for a resource.

use oauth_twin::oauth2::{Password, Profile, RegisteredClient, TokenExchange};

use super::{super::test, *};

/// A registration that the program has kept.
fn registered(issuer: &str) -> RegisteredClient {
    serde_json::from_value(json!({
        "issuer": issuer,
        "client_id": "kept",
        "client_secret": "secret-of-the-kept-one",
    }))
    .unwrap()
}

#[maybe_async]
#[test]
async fn a_registration_that_is_kept_is_used_where_it_was_made_and_nowhere_else() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = |issuer: &str| {
        for_resource(&resource)
            .registered_client(registered(issuer))
            .grant(ClientCredentials::new())
            .build()
    };
    let error = client("https://other.example")?
        .get(resource.url("/mcp"))
        .send()
        .await
        .expect_err("another server");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error.to_string().contains("https://other.example"),
        "{error}"
    );
    assert_eq!(server.count("/token"), 0);
    // It is not known there, but that is where it goes.
    let here = client(&server.url(""))?;
    here.get(resource.url("/mcp")).send().await.ok();
    assert!(server.count("/token") > 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn every_problem_is_named() -> TestResult {
    let builder = || OAuth2Client::for_resource("https://mcp.example/mcp");
    for (builder, problem) in [
        (
            OAuth2Client::for_resource("mcp.example"),
            "the URL of the resource",
        ),
        (
            OAuth2Client::for_resource("http://mcp.example/"),
            "must be https",
        ),
        (
            OAuth2Client::for_resource("https://u@mcp.example/"),
            "user name",
        ),
        (
            builder().token_endpoint("https://id.example/token"),
            "the server is found by",
        ),
        (
            builder().discover_later("https://id.example"),
            "the server is found by",
        ),
        (
            builder()
                .client_id("id")
                .issuer("https://id.example")
                .authorization_response_iss_parameter_supported(true),
            "the server is found by",
        ),
        (
            builder().jwks_uri("https://id.example/keys"),
            "the server is found by",
        ),
        (
            builder()
                .issuer("https://other.example")
                .registered_client(registered("https://id.example")),
            "registered_client is registered at another issuer",
        ),
        (
            builder().resource("https://other.example"),
            "resource is that of for_resource",
        ),
        (
            builder().client_secret("s"),
            "client_secret needs a client_id",
        ),
        (
            builder().client_id("id").client_secret(""),
            "client_secret is empty",
        ),
        (
            builder().client_metadata_document("http://app.example/c"),
            "client_metadata_document",
        ),
        (
            builder().client_metadata_document("https://app.example"),
            "client_metadata_document",
        ),
        (
            builder().profile(Profile::Fapi2),
            "profile cannot be followed at a server that the resource names (Profile::Fapi2: FAPI \
             2.0 Security Profile section 5.3.3.1, clause 10)",
        ),
        (builder().redirect_uri("callback"), "redirect_uri"),
        // What is meant for one server may not go to another that the resource names.
        (
            builder().initial_access_token("t"),
            "initial_access_token would be sent to whatever server",
        ),
        (
            builder().client_id("id").grant(Password::new("u", "p")),
            "set the issuer",
        ),
        (
            builder()
                .client_id("id")
                .grant(TokenExchange::new("t", "urn:x")),
            "set the issuer",
        ),
        (builder().scope("no\"quotes"), "scope"),
        (
            OAuth2Client::builder("id").client_metadata(ClientMetadata::native("x")),
            "client_metadata is a setting of OAuth2Client::for_resource",
        ),
        (
            OAuth2Client::builder("id").mcp_2025_03_26().assume_s256(),
            "mcp_2025_03_26 is a setting of OAuth2Client::for_resource",
        ),
    ] {
        let problems = bad_settings(builder.build());
        assert!(problems.contains(problem), "{problem}: {problems}");
    }
    let client = OAuth2Client::for_resource("HTTPS://mcp.example:443/mcp?key=k#part").build()?;
    assert!(client.token().is_none());
    client.close().await?;
    let error = client
        .get("https://mcp.example/mcp")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    Ok(())
}
