//! From a 401 to the server of the resource.

use support::folder::Folder;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn the_url_of_a_resource_is_enough() -> TestResult {
    let world = World::new();
    world.change(|state| state.needs.extend([("/mcp", "mcp:read")]));
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    assert_eq!(server.requests_in_all() + resource.requests_in_all(), 0);
    let request = client.post(resource.url("/mcp")).body("a body");
    let response = request.send().await?;
    assert_eq!(response.status(), 200);
    let found = response.text().await?;
    assert_eq!(found, "a body");
    assert_eq!(paths(&resource), ["/mcp", PATH, "/mcp"]);
    assert_eq!(paths(&server), [OAUTH, "/register", "/token"]);
    let sent: Value = serde_json::from_slice(&server.requests("/register")[0].body)?;
    assert_eq!(sent["application_type"], "native");
    assert_eq!(sent["token_endpoint_auth_method"], "none");
    assert_eq!(
        sent["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    let asked = &world.visits()[0];
    assert_eq!(asked["client_id"], "c1");
    assert_eq!(asked["resource"], resource.url("/mcp"));
    assert_eq!(asked["scope"], "mcp:read");
    assert_eq!(asked["code_challenge_method"], "S256");
    let exchanged = &server.requests("/token")[0];
    assert_eq!(exchanged.parameter("resource"), Some(resource.url("/mcp")));
    assert_eq!(exchanged.parameter("client_id").as_deref(), Some("c1"));
    // From now on it is a client like any other.
    opened(&client, &resource, "/mcp/more").await?;
    assert_eq!(client.server().unwrap().issuer(), Some(&*server.url("")));
    client.refresh_token().await?;
    let refreshed = &server.requests("/token")[1];
    assert_eq!(refreshed.parameter("resource"), Some(resource.url("/mcp")));
    assert_eq!(refreshed.parameter("scope"), None);
    client.close().await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_resource_without_a_login_is_sent_no_more_than_the_request() -> TestResult {
    let open = Server::start(|request: &Request| Reply::authorization_of(request));
    let client = for_resource(&open).build()?;
    let response = client.get(open.url("/mcp")).send().await?;
    let found = response.text().await?;
    assert_eq!(found, "");
    assert_eq!(open.requests_in_all(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_place_that_the_challenge_names_is_the_only_one() -> TestResult {
    let world = World::new();
    world.change(|state| state.place = "/custom/location.json");
    let (_server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(paths(&resource), ["/mcp", "/custom/location.json", "/mcp"]);
    // Not even if it is not there.
    let missing = Server::start(|request: &Request| match &*request.path {
        "/mcp" => Reply::text(401, "").with(
            "www-authenticate",
            &format!(
                "Bearer resource_metadata=\"http://{}/missing\"",
                request.header("host").unwrap()
            ),
        ),
        _ => Reply::text(404, ""),
    });
    let client = attended(&missing, &world).build()?;
    let error = status(&client, &missing, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("/missing"), "{error}");
    assert_eq!(paths(&missing), ["/mcp", "/missing"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_metadata_may_be_at_another_origin_and_are_those_of_the_resource_all_the_same()
-> TestResult {
    for is_right in [true, false] {
        let world = World::new();
        let _server = world.server("");
        let issuers = json!(world.0.lock().unwrap().issuers);
        let named: Arc<std::sync::OnceLock<String>> = Arc::default();
        let own = named.clone();
        let elsewhere = Server::start(move |_: &Request| {
            let named = own.get().map_or("", |url| url);
            Reply::json(
                200,
                json!({"resource": named, "authorization_servers": issuers}),
            )
        });
        let (place, inner) = (elsewhere.url("/metadata"), world.clone());
        let resource = Server::start(move |request: &Request| match inner.answer(request) {
            Reply::Full { status: 401, .. } => Reply::text(401, "").with(
                "www-authenticate",
                &format!("Bearer resource_metadata=\"{place}\""),
            ),
            other => other,
        });
        let at = if is_right { &resource } else { &elsewhere };
        named.set(at.url("/mcp")).unwrap();
        let client = attended(&resource, &world).build()?;
        let status = status(&client, &resource, "/mcp").await;
        assert_eq!(status.as_ref().is_ok_and(|status| *status == 200), is_right);
        assert_eq!(paths(&elsewhere), ["/metadata"]);
        assert_eq!(world.visits().len(), usize::from(is_right));
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn else_the_metadata_are_at_the_path_or_the_origin() -> TestResult {
    for (place, asked) in [(PATH, &[PATH][..]), (ROOT, &[PATH, ROOT])] {
        let world = World::new();
        world.change(|state| (state.named, state.place) = (false, place));
        let (_server, resource) = (world.server(""), world.resource());
        let origin = resource.url("");
        if place == ROOT {
            world.change(|state| state.resource.push(("resource", origin.clone().into())));
        }
        let client = attended(&resource, &world).build()?;
        opened(&client, &resource, "/mcp").await?;
        let paths = paths(&resource);
        assert_eq!(paths[1..paths.len() - 1], *asked);
        if place == ROOT {
            // Without the slash that a URL would get.
            assert_eq!(world.visits()[0]["resource"], origin);
        }
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_metadata_of_another_resource_end_it() -> TestResult {
    for other in [
        "https://evil.example/mcp",
        "/mcp",
        "",
        "http://127.0.0.1:1/mcp",
    ] {
        let world = World::new();
        world.change(|state| state.resource.push(("resource", other.into())));
        let (server, resource) = (world.server(""), world.resource());
        let client = attended(&resource, &world).build()?;
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{other}");
        assert_eq!((server.requests_in_all(), world.visits().len()), (0, 0));
    }
    // A part of the resource, where the caller wants the whole name.
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    world.change(|state| state.resource.push(("resource", resource.url("").into())));
    let strict = attended(&resource, &world).resource_match(ResourceMatch::Identical);
    let error = status(&strict.build()?, &resource, "/mcp")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_server_s_own_document_counts_and_never_that_at_the_root() -> TestResult {
    // The document of the path is OpenID Connect's, and that of the origin is another issuer's.
    for place in [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ] {
        let world = World::new();
        let served = world.clone();
        let server = Server::start(move |request: &Request| {
            let base = format!("http://{}", request.header("host").unwrap());
            match &*request.path {
                OAUTH | OPENID => Reply::json(
                    200,
                    json!({"issuer": base, "authorization_endpoint": "https://evil.example/a"}),
                ),
                path if path == place => {
                    let mut request = request.clone();
                    request.path = format!("{OAUTH}/tenant");
                    served.serve("/tenant", &request)
                }
                path if path.contains("/.well-known/") => Reply::text(404, ""),
                _ => served.serve("/tenant", request),
            }
        });
        world.change(|state| state.issuers.push(server.url("/tenant")));
        let resource = world.resource();
        let client = attended(&resource, &world).build()?;
        opened(&client, &resource, "/mcp").await?;
        assert_eq!(server.count(OAUTH) + server.count(OPENID), 0, "{place}");
        assert_eq!(
            client.server().unwrap().issuer(),
            Some(&*server.url("/tenant"))
        );
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn the_document_of_another_issuer_is_not_used() -> TestResult {
    let world = World::new();
    let evil = "https://attacker.example";
    world.change(|state| state.server.push(("issuer", evil.into())));
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains(evil), "{error}");
    assert_eq!(paths(&server), [OAUTH, OPENID]);
    assert!(world.visits().is_empty());
    Ok(())
}

/// As Google's are named, with and without the `/` after the origin.
#[maybe_async]
#[test]
async fn a_server_at_an_origin_may_be_named_with_its_slash_or_without() -> TestResult {
    for is_named_with_slash in [true, false] {
        let (world, folder) = (World::new(), Folder::new("slash"));
        let server = world.server("");
        let (short, long) = (server.url(""), server.url("/"));
        let [named, issuer] = match is_named_with_slash {
            true => [&long, &short],
            false => [&short, &long],
        };
        world.change(|state| {
            let servers = json!([named]);
            state.resource.push(("authorization_servers", servers));
            state.server.push(("issuer", issuer.clone().into()));
            state.callback.push(("iss", issuer.clone()));
        });
        let resource = world.resource();
        let store = FileTokenStore::new(folder.file("token.json"));
        // The second process needs neither a login nor a registration.
        for _ in 0..2 {
            let client = attended(&resource, &world)
                .token_store(store.clone())
                .build()?;
            opened(&client, &resource, "/mcp").await?;
            client.close().await?;
            assert_eq!((server.count("/register"), world.visits().len()), (1, 1));
        }
        // The calling code may name it either way, too.
        for own in [&short, &long] {
            let client = attended(&resource, &world)
                .client_id("own")
                .issuer(own.clone())
                .build()?;
            opened(&client, &resource, "/mcp").await?;
            assert_eq!(world.clients().last().map(|id| &**id), Some("own"));
        }
        // `iss` is that of the metadata, and no other.
        world.change(|state| state.callback = vec![("iss", named.clone())]);
        let client = attended(&resource, &world).build()?;
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert!(error.to_string().contains("iss"), "{error}");
        assert_eq!(server.count("/token"), 3);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn one_of_several_servers_is_chosen() -> TestResult {
    let world = World::new();
    let (first, second) = (world.server(""), world.server(""));
    let resource = world.resource();
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((first.count("/token"), second.count("/token")), (1, 0));
    let wanted = second.url("");
    let client = attended(&resource, &world)
        .choose_authorization_server(move |metadata| {
            let named = metadata.authorization_servers();
            named
                .iter()
                .find(|one| **one == wanted)
                .map(|one| (*one).to_owned())
        })
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((first.count("/token"), second.count("/token")), (1, 1));
    for choice in [None, Some("https://other.example".to_owned())] {
        let client = attended(&resource, &world)
            .choose_authorization_server(move |_| choice.clone())
            .build()?;
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(&first.url("")), "{error}");
    }
    // None at all.
    world.change(|state| state.resource.push(("authorization_servers", json!([]))));
    let client = attended(&resource, &world).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    Ok(())
}

/// Neither by the choice of the program nor by the rules for old servers.
#[maybe_async]
#[test]
async fn a_secret_is_sent_to_its_own_issuer_alone() -> TestResult {
    let world = World::new();
    let other = world.server("");
    let resource = world.resource();
    let configured = || {
        OAuth2Client::for_resource(resource.url("/mcp"))
            .client_id("configured")
            .client_secret("secret")
            .issuer("https://id.example.com")
            .grant(ClientCredentials::new())
    };
    let issuer = other.url("");
    let by_choice = configured()
        .choose_authorization_server(move |_| Some(issuer.clone()))
        .build()?;
    let old = Server::start(|request: &Request| match &*request.path {
        "/mcp" => Reply::text(401, "").with("www-authenticate", "Bearer"),
        _ => Reply::text(404, ""),
    });
    let by_age = OAuth2Client::for_resource(old.url("/mcp"))
        .client_id("configured")
        .client_secret("secret")
        .issuer("https://id.example.com")
        .grant(ClientCredentials::new())
        .mcp_2025_03_26()
        .build()?;
    for (client, server) in [
        (configured().build()?, &resource),
        (by_choice, &resource),
        (by_age, &old),
    ] {
        let error = status(&client, server, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(
            error.to_string().contains("belongs to the issuer"),
            "{error}"
        );
    }
    assert_eq!(other.count("/token") + old.count("/token"), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn nothing_is_sent_into_private_networks() -> TestResult {
    for address in [
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fd00::1]",
        "0.0.0.0",
    ] {
        let world = World::new();
        let place = format!("https://{address}/issuer");
        world.change(|state| {
            state
                .resource
                .push(("authorization_servers", json!([place])))
        });
        let resource = world.resource();
        let client = attended(&resource, &world).build()?;
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{address}: {error}");

        let challenge = format!("Bearer resource_metadata=\"https://{address}/\"");
        let resource = Server::start(move |_: &Request| {
            Reply::text(401, "").with("www-authenticate", &challenge)
        });
        let client = attended(&resource, &world).build()?;
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{address}: {error}");
        assert_eq!(resource.requests_in_all(), 1);
    }
    // Nor without TLS, except to loopback.
    let resource = Server::start(|_: &Request| {
        let challenge = "Bearer resource_metadata=\"http://meta.example/\"";
        Reply::text(401, "").with("www-authenticate", challenge)
    });
    let client = attended(&resource, &World::new()).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert!(error.to_string().contains("https"), "{error}");
    // Endpoints are no exception.
    let world = World::new();
    world.change(|state| {
        state
            .server
            .push(("token_endpoint", "https://10.0.0.1/token".into()))
    });
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert!(error.to_string().contains("private address"), "{error}");
    assert_eq!((server.count("/register"), world.visits().len()), (0, 0));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_without_pkce_is_refused() -> TestResult {
    let world = World::new();
    let absent = ("code_challenge_methods_supported", Value::Null);
    world.change(|state| state.server.push(absent));
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert!(error.to_string().contains("assume_s256"), "{error}");
    assert_eq!((world.visits().len(), server.count("/token")), (0, 0));
    let assuming = attended(&resource, &world).assume_s256().build()?;
    opened(&assuming, &resource, "/mcp").await?;
    Ok(())
}

/// A web back end begins its users' logins itself.
#[maybe_async]
#[test]
async fn a_server_without_pkce_is_refused_for_each_user() -> TestResult {
    let world = World::new();
    let absent = ("code_challenge_methods_supported", Value::Null);
    world.change(|state| state.server.push(absent));
    let (server, resource) = (world.server(""), world.resource());
    let back_end = || for_resource(&resource).redirect_uri("https://app.example/callback");
    let client = back_end().build()?;
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    let request = error.login_request().expect("a login");
    let error = client.begin_authorization(request.clone()).await;
    let error = error.expect_err("no PKCE").to_string();
    assert!(error.contains("assume_s256"), "{error}");
    let error = client.create_authorization_url(request.clone());
    let error = error.expect_err("no PKCE").to_string();
    assert!(error.contains("assume_s256"), "{error}");
    assert_eq!(server.count("/token"), 0);
    let assuming = back_end().assume_s256().build()?;
    let begun = assuming.begin_authorization(request).await?;
    assert!(begun.url.as_str().contains("code_challenge_method=S256"));
    Ok(())
}

#[maybe_async]
#[test]
async fn one_chain_serves_all_that_are_refused_together() -> TestResult {
    let (world, gate) = (World::new(), Gate::new());
    let (server, held) = (world.server(""), gate.clone());
    let behind = world.clone();
    let resource = Server::start(move |request: &Request| {
        if request.path == PATH {
            held.wait();
        }
        behind.answer(request)
    });
    let client = attended(&resource, &world).build()?;
    let (crowd, url) = (client.clone(), resource.url("/mcp"));
    let count = CROWD.min(32);
    let outcomes = spawn(move || async move {
        at_once(count, |n| {
            let request = crowd.post(&url).body(n.to_string());
            async move {
                let response = request.send().await?;
                response.text().await.map_err(Error::from)
            }
        })
        .await
    });
    run_blocking(resource.arrivals("/mcp", count)).await;
    sleep(Duration::from_millis(200)).await;
    gate.open();
    for (n, outcome) in outcomes.join().await.into_iter().enumerate() {
        assert_eq!(outcome?, n.to_string());
    }
    assert_eq!(world.visits().len(), 1);
    assert_eq!(paths(&server), [OAUTH, "/register", "/token"]);
    assert_eq!(resource.count(PATH), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn old_servers_are_known_only_where_the_program_says_so() -> TestResult {
    let world = World::new();
    let behind = world.clone();
    let old = Server::start(move |request: &Request| match &*request.path {
        path if path.contains("/.well-known/") => Reply::text(404, ""),
        "/register" | "/token" => behind.serve("", request),
        _ => behind.answer(request),
    });
    world.change(|state| {
        state.named = false;
        state.issuers.push(old.url(""));
        state.callback.push(("iss", "-".to_owned()));
    });
    let client = attended(&old, &world).build()?;
    let error = status(&client, &old, "/mcp").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(world.visits().is_empty());
    let client = attended(&old, &world).mcp_2025_03_26().build()?;
    opened(&client, &old, "/mcp").await?;
    assert_eq!(world.visits()[0]["resource"], old.url("/mcp"));
    Ok(())
}
