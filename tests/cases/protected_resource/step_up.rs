//! More scope: a login for what was requested and what is missing together.

use super::{super::test, *};

/// A resource of two paths, each of which needs a scope of its own.
fn two_scopes() -> World {
    let world = World::new();
    world.change(|state| {
        state
            .needs
            .extend([("/mcp", "read"), ("/mcp/write", "write")]);
        state
            .resource
            .push(("scopes_supported", json!(["profile"])));
    });
    world
}

#[maybe_async]
#[test]
async fn a_step_up_asks_for_both_and_never_becomes_a_refresh() -> TestResult {
    let world = two_scopes();
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let first = client.token();
    let request = client.post(resource.url("/mcp/write")).body("a body");
    let found = request.send().await?.text().await?;
    assert_eq!(found, "a body");
    assert_eq!(world.scopes(), ["read", "read write"]);
    assert_ne!(client.token(), first);
    for sent in server.requests("/token") {
        assert_eq!(
            sent.parameter("grant_type").as_deref(),
            Some("authorization_code")
        );
    }
    // The server is known by now, and so is the client.
    assert_eq!(paths(&server), [OAUTH, "/register", "/token", "/token"]);
    assert_eq!(resource.count(PATH), 1);
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits().len(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn what_was_requested_is_known_of_a_token_that_was_kept() -> TestResult {
    let world = two_scopes();
    let (_server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let next = attended(&resource, &world)
        .token(client.token().unwrap())
        .build()?;
    opened(&next, &resource, "/mcp/write").await?;
    assert_eq!(world.scopes(), ["read", "read write"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_challenge_that_adds_nothing_is_an_error() -> TestResult {
    let world = two_scopes();
    let (server, behind) = (world.server(""), world.clone());
    let resource = Server::start(move |request: &Request| {
        match (&*request.path, request.header("authorization")) {
            ("/mcp/never", Some(_)) => Reply::text(403, "").with(
                "www-authenticate",
                "Bearer error=\"insufficient_scope\", scope=\"read\"",
            ),
            ("/mcp/bare", Some(_)) => {
                Reply::text(403, "").with("www-authenticate", "Bearer error=insufficient_scope")
            }
            _ => behind.answer(request),
        }
    });
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let token = client.token();
    for path in ["/mcp/never", "/mcp/bare", "/mcp/never"] {
        let error = status(&client, &resource, path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
        assert!(error.to_string().contains("scope"), "{error}");
    }
    assert_eq!((world.visits().len(), server.count("/token")), (1, 1));
    assert_eq!(client.token(), token);
    Ok(())
}

#[maybe_async]
#[test]
async fn the_old_token_stays_if_the_login_fails_and_logins_are_few() -> TestResult {
    let (world, clock) = (two_scopes(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    opened(&client, &resource, "/mcp").await?;
    let token = client.token();
    world.change(|state| state.refuses = true);
    for _ in 0..6 {
        let error = status(&client, &resource, "/mcp/write").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Login, "{error}");
        assert_eq!(client.token(), token);
        opened(&client, &resource, "/mcp").await?;
        clock.advance(seconds(60));
    }
    // Three in all, the first one included.
    assert_eq!((world.visits().len(), server.count("/token")), (3, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_resource_that_demands_more_for_ever_is_given_up() -> TestResult {
    let world = World::new();
    let (_server, behind) = (world.server(""), world.clone());
    let demands = AtomicUsize::new(0);
    let resource = Server::start(move |request: &Request| {
        match (&*request.path, request.header("authorization")) {
            ("/mcp", Some(_)) => {
                let n = demands.fetch_add(1, Ordering::SeqCst);
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"s{n}\"");
                Reply::text(403, "").with("www-authenticate", &challenge)
            }
            _ => behind.answer(request),
        }
    });
    let client = attended(&resource, &world).build()?;
    // One request leads to three logins at most.
    let outcome = status(&client, &resource, "/mcp").await;
    assert_eq!(outcome?, 403);
    assert_eq!(world.visits().len(), 3);
    let mut last = Ok(0);
    for _ in 0..10 {
        last = status(&client, &resource, "/mcp").await;
    }
    assert_eq!(last.unwrap_err().kind(), ErrorKind::Login);
    assert!(world.visits().len() <= 9, "{:?}", world.scopes());
    Ok(())
}

#[maybe_async]
#[test]
async fn one_login_serves_all_that_need_more() -> TestResult {
    let world = two_scopes();
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let (crowd, url) = (client.clone(), resource.url("/mcp/write"));
    let statuses = at_once(CROWD.min(32), |_| {
        let request = crowd.get(&url);
        async move {
            request
                .send()
                .await
                .map(|response| response.status().as_u16())
        }
    })
    .await;
    for status in statuses {
        assert_eq!(status?, 200);
    }
    assert_eq!((world.visits().len(), server.count("/token")), (2, 2));
    Ok(())
}

#[maybe_async]
#[test]
async fn another_403_is_the_caller_s() -> TestResult {
    for challenge in [
        "",
        "Bearer error=\"invalid_token\"",
        "Basic realm=\"x\"",
        "Bearer scope=\"a\"",
    ] {
        let forbidden = Server::start(move |_: &Request| {
            Reply::text(403, "").with("www-authenticate", challenge)
        });
        let world = World::new();
        let client = attended(&forbidden, &world)
            .token(Token::new("t"))
            .build()?;
        let found = status(&client, &forbidden, "/mcp").await?;
        assert_eq!(found, 403);
        assert_eq!((forbidden.requests_in_all(), world.visits().len()), (1, 0));
    }
    Ok(())
}

/// "OPTIONAL, if identical to the scope requested by the client": what the server does not name was
/// granted.
#[maybe_async]
#[test]
async fn what_was_requested_is_not_lost_where_the_server_does_not_name_it() -> TestResult {
    let world = two_scopes();
    world.change(|state| state.omits_scope = true);
    let (_server, resource) = (world.server(""), world.resource());
    let folder = support::folder::Folder::new("scope-not-named");
    let start = || {
        let store = FileTokenStore::new(folder.file("token.json"));
        attended(&resource, &world).token_store(store).build()
    };
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    let token = client.token().expect("a token");
    assert_eq!(token.scope(), None);
    client.close().await?;
    // In another process, …
    let client = start()?;
    opened(&client, &resource, "/mcp/write").await?;
    assert_eq!(world.scopes(), ["read", "read write"]);
    // … and for the user of a web back end.
    let back_end = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let child = back_end.for_token(token);
    let error = status(&child, &resource, "/mcp/write").await.unwrap_err();
    let request = error.login_request().expect("a request");
    let begun = back_end.begin_authorization(request).await?;
    world.visit(&begun.url).unwrap();
    assert_eq!(world.scopes()[2], "read write");
    Ok(())
}

/// Otherwise a user with a session at the server is redirected for ever.
#[maybe_async]
#[test]
async fn a_user_is_not_asked_again_for_what_the_server_does_not_grant() -> TestResult {
    let world = two_scopes();
    let (_server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource)
        .redirect_uri("https://app.example/cb")
        .build()?;
    let mut error = status(&client, &resource, "/mcp").await.unwrap_err();
    let mut logins = 0;
    while let Some(request) = error.login_request() {
        logins += 1;
        assert!(logins < 4, "{error}");
        let begun = client.begin_authorization(request).await?;
        world.change(|state| state.grants = Some("read"));
        let callback = world.visit(&begun.url).unwrap();
        // The pending login is kept in a session.
        let pending = serde_json::from_str(&serde_json::to_string(&begun.pending)?)?;
        let login = client
            .complete_authorization(pending, callback.expose_secret())
            .await?;
        opened(&login.client, &resource, "/mcp").await?;
        let refused = status(&login.client, &resource, "/mcp/write").await;
        error = refused.unwrap_err();
    }
    assert_eq!(logins, 2);
    assert_eq!(error.kind(), ErrorKind::Answer, "{error}");
    Ok(())
}

/// Each of them is a success.
#[maybe_async]
#[test]
async fn step_ups_that_help_are_not_counted() -> TestResult {
    const TOOLS: [(&str, &str); 12] = [
        ("/mcp/a", "a"),
        ("/mcp/b", "b"),
        ("/mcp/c", "c"),
        ("/mcp/d", "d"),
        ("/mcp/e", "e"),
        ("/mcp/f", "f"),
        ("/mcp/g", "g"),
        ("/mcp/h", "h"),
        ("/mcp/i", "i"),
        ("/mcp/j", "j"),
        ("/mcp/k", "k"),
        ("/mcp/l", "l"),
    ];
    let world = World::new();
    world.change(|state| state.needs.extend(TOOLS));
    let (_server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    for (path, _) in TOOLS {
        opened(&client, &resource, path).await?;
    }
    let scopes = world.scopes();
    assert_eq!(
        scopes.last().map(String::as_str),
        Some("a b c d e f g h i j k l")
    );
    assert_eq!(scopes.len(), 12);
    Ok(())
}
