//! Metadata of the server as one value, stored or made by hand.

use oauth_twin::{
    ErrorKind,
    oauth2::{
        Audience, AuthorizationRequest, AuthorizationServer, AuthorizationUrl, ClientSecretJwt,
    },
};

use super::{test, *};

/// The metadata of `server` as they were kept.
fn metadata(server: &Server) -> AuthorizationServer {
    let kept = json!({
        "issuer": server.url(""),
        "authorization_endpoint": server.url("/authorize"),
        "token_endpoint": server.url("/token"),
        "revocation_endpoint": server.url("/revoke"),
        "introspection_endpoint": server.url("/introspect"),
        "authorization_response_iss_parameter_supported": true,
        "x_own": 7,
    });
    serde_json::from_value(kept).expect("metadata")
}

#[maybe_async]
#[test]
async fn a_client_of_metadata_that_were_kept_knows_every_endpoint() -> TestResult {
    let server = Server::start(|request: &Request| match &*request.path {
        "/token" => Reply::json(200, tokens(1, 600)),
        "/introspect" => Reply::json(200, json!({"active": true})),
        _ => Reply::text(200, ""),
    });
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .server(metadata(&server))
        .build()?;
    let AuthorizationUrl { url, pending } =
        client.create_authorization_url(AuthorizationRequest::new())?;
    assert!(url.as_str().starts_with(&server.url("/authorize?")));
    let callback = format!("?code=c&state={}", pending_state(&url));
    // As the metadata say, each callback has an `iss`.
    let error = client
        .complete_authorization(pending, &callback)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("iss"), "{error}");
    assert_eq!(server.count("/token"), 0);

    client.fetch_token(ClientCredentials::new()).await?;
    let introspection = client.introspect_token().await?;
    assert!(introspection.is_active());
    client.revoke_token().await?;
    let counts = ["/token", "/introspect", "/revoke"].map(|path| server.count(path));
    assert_eq!(counts, [1, 1, 1]);
    Ok(())
}

fn pending_state(url: &oauth_twin::reqwest::Url) -> String {
    let state = url.query_pairs().find(|(name, _)| name == "state");
    state.expect("a state").1.into_owned()
}

#[maybe_async]
#[test]
async fn the_last_setting_of_the_server_counts() -> TestResult {
    let server = provider(600);
    let known = metadata(&server);
    let changed = OAuth2Client::builder("id")
        .server(known.clone())
        .token_endpoint(server.url("/other"))
        .build()?;
    changed.fetch_token(ClientCredentials::new()).await.ok();
    assert_eq!((server.count("/token"), server.count("/other")), (0, 1));
    let replaced = OAuth2Client::builder("id")
        .token_endpoint(server.url("/other"))
        .server(known)
        .build()?;
    replaced.fetch_token(ClientCredentials::new()).await?;
    assert_eq!((server.count("/token"), server.count("/other")), (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn bad_metadata_are_named_when_the_client_is_built() {
    for (member, value, problem) in [
        ("token_endpoint", json!("/token"), "is not an absolute URL"),
        ("token_endpoint", json!(7), "is not an absolute URL"),
        (
            "token_endpoint",
            json!("http://id.example/"),
            "must be https",
        ),
        (
            "authorization_endpoint",
            json!("https://id.example/#a"),
            "must not have a fragment",
        ),
        (
            "revocation_endpoint",
            json!("https://a:hunter2@id.example/"),
            "must not contain a user name",
        ),
        (
            "introspection_endpoint",
            json!("ftp://id.example/"),
            "must be an https URL",
        ),
        (
            "issuer",
            json!("https://id.example/?a=b"),
            "must not have a query",
        ),
        (
            "authorization_response_iss_parameter_supported",
            json!(true),
            "is missing; the iss of a callback is compared with it",
        ),
    ] {
        let server = AuthorizationServer::default().with_member(member, value);
        let builder = OAuth2Client::builder("id").server(server);
        assert!(!format!("{builder:?}").contains("hunter2"));
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(text.contains(problem), "{member}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[maybe_async]
#[test]
async fn what_a_client_assertion_needs_may_come_from_metadata() -> TestResult {
    let server = provider(600);
    let by = |audience: Audience, known: AuthorizationServer| {
        OAuth2Client::builder("id")
            .client_secret("a secret of at least thirty-two bytes")
            .token_endpoint_auth_method(ClientSecretJwt::new().audience(audience))
            .server(known)
    };
    for audience in [Audience::Issuer, Audience::TokenEndpoint] {
        let unknown = AuthorizationServer::default();
        let error = by(audience.clone(), unknown).build().unwrap_err();
        assert!(error.to_string().contains("is not known"), "{error}");
        let client = by(audience, metadata(&server)).build()?;
        client.fetch_token(ClientCredentials::new()).await?;
    }
    assert_eq!(server.count("/token"), 2);
    Ok(())
}

/// A missing endpoint is named by the call that needs it, and nothing is sent.
#[maybe_async]
#[test]
async fn an_endpoint_that_is_not_known_is_named() -> TestResult {
    let client = OAuth2Client::builder("id").token(Token::new("t")).build()?;
    let errors = [
        client
            .fetch_token(ClientCredentials::new())
            .await
            .unwrap_err(),
        client.revoke("t", None).await.unwrap_err(),
        client.introspect("t", None).await.unwrap_err(),
        client
            .create_authorization_url(AuthorizationRequest::new())
            .unwrap_err(),
    ];
    for (error, name) in errors.iter().zip([
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "authorization_endpoint",
    ]) {
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(
            error.to_string(),
            format!("the {name} of the server is not known; set it")
        );
    }
    Ok(())
}
