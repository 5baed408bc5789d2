//! Settings of clients for a resource.

use oauth_twin::oauth2::{Password, Profile, TokenExchange};

use super::{super::test, *};

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
