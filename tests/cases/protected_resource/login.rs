//! The scope and the callback of the login that a resource leads to.

use oauth_twin::oauth2::JwtBearer;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn the_scope_is_that_of_the_challenge_or_of_the_resource_or_none() -> TestResult {
    let supported = || ("scopes_supported", json!(["a", "b", "no\"quotes", 7]));
    for (needs, of_resource, own, asked) in [
        ("x", true, None, "x"),
        ("", true, None, "a b"),
        ("", false, None, ""),
        ("x", true, Some("own"), "own x"),
        ("", true, Some("own"), "own"),
    ] {
        let world = World::new();
        world.change(|state| {
            state.needs.extend([("/mcp", needs)]);
            state.resource.extend(of_resource.then(supported));
        });
        let (_server, resource) = (world.server(""), world.resource());
        let mut builder = attended(&resource, &world);
        if let Some(own) = own {
            builder = builder.scope(own);
        }
        opened(&builder.build()?, &resource, "/mcp").await?;
        assert_eq!(world.scopes(), [asked]);
        assert_eq!(world.visits()[0].contains_key("scope"), !asked.is_empty());
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_refresh_token_is_asked_for_only_where_the_server_supports_that() -> TestResult {
    for (of_server, of_resource, asked) in [
        (
            json!(["a", "offline_access"]),
            json!(["a"]),
            "a offline_access",
        ),
        (json!(["a"]), json!(["a", "offline_access"]), "a"),
        (Value::Null, json!(["offline_access", "a"]), "a"),
        (json!(["offline_access"]), json!([]), ""),
    ] {
        let world = World::new();
        world.change(|state| {
            state.server.push(("scopes_supported", of_server));
            state.resource.push(("scopes_supported", of_resource));
        });
        let (_server, resource) = (world.server(""), world.resource());
        let client = attended(&resource, &world).build()?;
        opened(&client, &resource, "/mcp").await?;
        assert_eq!(world.scopes(), [asked]);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_callback_of_another_issuer_is_refused_and_its_code_not_exchanged() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let own = server.url("");
    for iss in [
        "-".to_owned(),
        "https://evil.example".to_owned(),
        format!("{own}/"),
    ] {
        let client = attended(&resource, &world).build()?;
        world.change(|state| state.callback = vec![("iss", iss.clone())]);
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{iss}: {error}");
    }
    assert_eq!((server.count("/token"), world.visits().len()), (0, 3));
    // Where the server does not announce it, it need not be there, but it counts if it is.
    let announced = "authorization_response_iss_parameter_supported";
    world.change(|state| state.server.push((announced, Value::Null)));
    world.change(|state| state.callback = vec![("iss", "https://evil.example".to_owned())]);
    let client = attended(&resource, &world).build()?;
    let found = status(&client, &resource, "/mcp").await;
    assert!(found.is_err());
    world.change(|state| state.callback = vec![("iss", "-".to_owned())]);
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn the_registration_says_how_the_client_authenticates() -> TestResult {
    for (method, secret, in_form) in [
        ("client_secret_basic", Some("s"), false),
        ("client_secret_post", Some("s"), true),
        ("none", None, false),
    ] {
        let world = World::new();
        let behind = world.clone();
        let server = Server::start(move |request: &Request| match &*request.path {
            "/register" => Reply::json(
                201,
                json!({"client_id": "c-1", "client_secret": secret, "token_endpoint_auth_method": method}),
            ),
            _ => behind.serve("", request),
        });
        world.change(|state| {
            state.issuers.push(server.url(""));
            state
                .server
                .push(("token_endpoint_auth_methods_supported", json!([method])));
        });
        let resource = world.resource();
        let client = attended(&resource, &world).build()?;
        opened(&client, &resource, "/mcp").await?;
        let sent: Value = serde_json::from_slice(&server.requests("/register")[0].body)?;
        assert_eq!(sent["token_endpoint_auth_method"], method);
        let exchanged = &server.requests("/token")[0];
        let basic = exchanged.header("authorization");
        assert_eq!(
            basic,
            (method == "client_secret_basic").then_some("Basic Yy0xOnM=")
        );
        assert_eq!(exchanged.parameter("client_secret").is_some(), in_form);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn a_client_is_known_by_its_document_or_its_registration() -> TestResult {
    let world = World::new();
    let supported = ("client_id_metadata_document_supported", true.into());
    world.change(|state| state.server.push(supported));
    let (server, resource) = (world.server(""), world.resource());
    let document = "https://app.example.com/client.json";
    let by_document = attended(&resource, &world).client_metadata_document(document);
    opened(&by_document.build()?, &resource, "/mcp").await?;
    assert_eq!(world.visits()[0]["client_id"], document);
    // What is configured comes first.
    let configured = attended(&resource, &world)
        .client_metadata_document(document)
        .client_id("i-d")
        .client_secret("s")
        .issuer(server.url(""));
    opened(&configured.build()?, &resource, "/mcp").await?;
    assert_eq!(world.visits()[1]["client_id"], "i-d");
    assert_eq!(server.count("/register"), 0);
    // Without the server's support, it registers.
    world.change(|state| state.server.clear());
    let registering = attended(&resource, &world).client_metadata_document(document);
    opened(&registering.build()?, &resource, "/mcp").await?;
    assert_eq!(world.visits()[2]["client_id"], "c1");
    // If that is not possible either, the error says what is.
    world.change(|state| state.server.push(("registration_endpoint", Value::Null)));
    let client = attended(&resource, &world).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("client_id"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_registered_before_comes_before_the_document() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let folder = support::folder::Folder::new("registered-before-the-document");
    let store = FileTokenStore::new(folder.file("token.json"));
    let document = "https://app.example.com/client.json";
    let client = || {
        let builder = attended(&resource, &world).client_metadata_document(document);
        builder.token_store(store.clone()).build()
    };
    let first = client()?;
    opened(&first, &resource, "/mcp").await?;
    first.close().await?;
    // By the next run the server supports documents, and the token is gone.
    let supported = ("client_id_metadata_document_supported", true.into());
    world.change(|state| state.server.push(supported));
    let version = store
        .read()
        .expect("readable")
        .map_or(0, |stored| stored.version);
    let none = oauth_twin::StoredToken::new(None, version + 1);
    assert!(store.replace(&none).is_ok_and(|stored| stored));
    let second = client()?;
    opened(&second, &resource, "/mcp").await?;
    assert_eq!(world.visits()[1]["client_id"], "c1");
    // When the server has dropped that, the document is the next.
    let token = second.token().unwrap();
    world.revoke(access_token(&token));
    world.change(|state| state.dropped.extend(["c1".to_owned()]));
    opened(&second, &resource, "/mcp").await?;
    assert_eq!(world.visits()[2]["client_id"], document);
    assert_eq!(server.count("/register"), 1);
    second.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_that_fails_is_the_error_and_is_not_repeated_at_once() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    world.change(|state| state.refuses = true);
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    for _ in 0..3 {
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Login);
        assert!(cause(&error).contains("went away"), "{error:?}");
    }
    assert_eq!((world.visits().len(), server.count("/token")), (1, 0));
    world.change(|state| state.refuses = false);
    clock.advance(seconds(2));
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(server.count("/register"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_grant_needs_no_user() -> TestResult {
    let world = World::new();
    world.change(|state| state.needs.extend([("/mcp", "mcp:read")]));
    let (server, resource) = (world.server(""), world.resource());
    let client = OAuth2Client::for_resource(resource.url("/mcp"))
        .client_id("i-d")
        .client_secret("s-s")
        .issuer(server.url(""))
        .scope("mcp:read")
        .grant(ClientCredentials::new())
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    let sent = &server.requests("/token")[0];
    assert_eq!(
        sent.parameter("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(sent.parameter("resource"), Some(resource.url("/mcp")));
    assert_eq!(sent.parameter("scope").as_deref(), Some("mcp:read"));
    assert_eq!(sent.header("authorization"), Some("Basic aS1kOnMtcw=="));
    assert_eq!(paths(&server), [OAUTH, "/token"]);
    // An assertion is for the issuer, and no client authenticates beside it.
    let key = support::keys::new_key("1");
    let client = OAuth2Client::for_resource(resource.url("/mcp"))
        .client_id("robot")
        .scope("mcp:read")
        .grant(JwtBearer::new("robot", key).scope("mcp:read"))
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    let sent = &server.requests("/token")[1];
    assert!(sent.parameter("assertion").is_some());
    assert_eq!(sent.parameter("resource"), Some(resource.url("/mcp")));
    Ok(())
}

/// The registration that the client has obtained says how the server answers.
#[maybe_async]
#[test]
async fn a_plain_userinfo_is_refused_where_a_signed_one_is_registered() -> TestResult {
    let world = World::new();
    let (_server, resource) = (world.server(""), world.resource());
    let plain = Server::start(|_: &Request| Reply::json(200, json!({"sub": "alice"})));
    let url = plain.url("/userinfo");
    world.change(|state| state.server.push(("userinfo_endpoint", json!(url))));
    for (algorithm, is_accepted) in [("ES256", false), ("of-the-future", true)] {
        let metadata = ClientMetadata::native("test").with_userinfo_signed_response_alg(algorithm);
        let client = attended(&resource, &world)
            .client_metadata(metadata)
            .build()?;
        opened(&client, &resource, "/mcp").await?;
        let claims = client.userinfo("alice").await;
        assert_eq!(claims.is_ok(), is_accepted, "{algorithm}: {claims:?}");
    }
    Ok(())
}
