//! Registrations that their server has lost.

use support::folder::Folder;

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_dead_registration_and_an_expired_token_lead_to_one_login() -> TestResult {
    for restarts in [true, false] {
        let (world, clock) = (World::new(), ManualClock::new());
        let folder = Folder::new("dead-and-expired");
        let (server, resource) = (world.server(""), world.resource());
        let start = || {
            attended(&resource, &world)
                .token_store(FileTokenStore::new(folder.file("token.json")))
                .clock(clock.clock())
                .build()
        };
        let mut client = start()?;
        opened(&client, &resource, "/mcp").await?;
        if restarts {
            client.close().await?;
            client = start()?;
        }
        world.drop_client("c1");
        clock.advance(seconds(1000));
        opened(&client, &resource, "/mcp").await?;
        assert_eq!(world.clients(), ["c1", "c2"]);
        let sent = server.requests("/token").into_iter().map(|request| {
            let of = |name| request.parameter(name).unwrap_or_default();
            (of("client_id"), of("grant_type"))
        });
        let sent: Vec<_> = sent.collect();
        let [code, refresh] = ["authorization_code", "refresh_token"].map(str::to_owned);
        assert_eq!(
            sent,
            [
                ("c1".to_owned(), code.clone()),
                ("c1".to_owned(), refresh),
                ("c2".to_owned(), code)
            ]
        );
        assert_eq!(server.count("/register"), 2);
        // And it stays that way.
        client.close().await?;
        clock.advance(seconds(1000));
        let client = start()?;
        opened(&client, &resource, "/mcp").await?;
        assert_eq!((server.count("/register"), world.visits().len()), (2, 2));
    }
    Ok(())
}

/// The second of two registrations in a row is refused as well: that is no reason for a third.
#[maybe_async]
#[test]
async fn it_is_registered_once_for_a_request() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    opened(&client, &resource, "/mcp").await?;
    for client in ["c1", "c2", "c3", "c4"] {
        world.drop_client(client);
    }
    clock.advance(seconds(1000));
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(
        error.code().map(|code| code.as_str()),
        Some("invalid_client")
    );
    assert_eq!((server.count("/register"), world.clients().len()), (2, 2));
    Ok(())
}

/// Somebody else's client says nothing about the registration.
#[maybe_async]
#[test]
async fn a_configured_client_that_is_refused_is_an_error() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).clock(clock.clock());
    let client = client.client_id("own").build()?;
    opened(&client, &resource, "/mcp").await?;
    world.drop_client("own");
    clock.advance(seconds(1000));
    let error = status(&client, &resource, "/mcp").await.unwrap_err();
    assert_eq!(
        error.code().map(|code| code.as_str()),
        Some("invalid_client")
    );
    assert_eq!((server.count("/register"), world.visits().len()), (0, 1));
    Ok(())
}

/// A web back end: the error begins the login of the new client.
#[maybe_async]
#[test]
async fn the_dead_registration_of_a_child_leads_to_a_login_request() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = for_resource(&resource).redirect_uri("https://app.example/cb");
    let client = client.clock(clock.clock()).build()?;
    let mut child = client.for_token(Token::new("unknown"));
    for (n, id) in [(1, "c1"), (2, "c2")] {
        let error = status(&child, &resource, "/mcp").await.unwrap_err();
        let request = error.login_request().expect("a request");
        let begun = client.begin_authorization(request).await?;
        let callback = world.visit(&begun.url).unwrap();
        assert_eq!(world.clients().last().map(String::as_str), Some(id));
        let login = client
            .complete_authorization(begun.pending, callback.expose_secret())
            .await?;
        child = login.client;
        opened(&child, &resource, "/mcp").await?;
        assert_eq!(server.count("/register"), n);
        world.drop_client(id);
        clock.advance(seconds(1000));
    }
    Ok(())
}

/// The error of a login without a callback leads to it, in the same process or in another one.
#[maybe_async]
#[test]
async fn a_registration_that_is_forgotten_is_replaced_by_the_next_login() -> TestResult {
    for (has_token, restarts) in [(true, true), (true, false), (false, true), (false, false)] {
        let (world, clock) = (World::new(), ManualClock::new());
        let folder = Folder::new("forgotten");
        let store = FileTokenStore::new(folder.file("token.json"));
        let (server, resource) = (world.server(""), world.resource());
        let start = || {
            attended(&resource, &world)
                .token_store(store.clone())
                .clock(clock.clock())
                .build()
        };
        let mut client = start()?;
        if has_token {
            opened(&client, &resource, "/mcp").await?;
        } else {
            client.begin_authorization(Default::default()).await?;
        }
        let issuer = server.url("");
        assert!(store.read_registration(&issuer).unwrap().is_some());
        if restarts {
            client.close().await?;
            client = start()?;
        }
        client.forget_registration().await?;
        assert!(store.read_registration(&issuer).unwrap().is_none());
        assert!(
            store
                .read()
                .unwrap()
                .and_then(|stored| stored.token)
                .is_none()
        );
        assert_eq!(client.token(), None);
        assert_eq!(server.count("/register"), 1, "not by that");
        opened(&client, &resource, "/mcp").await?;
        assert_eq!(world.clients().last().map(String::as_str), Some("c2"));
        assert_eq!(server.count("/register"), 2);
        for sent in server.requests("/token") {
            assert_ne!(
                sent.parameter("grant_type").as_deref(),
                Some("refresh_token")
            );
        }
        client.close().await?;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn there_may_be_no_registration_to_forget() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let folder = Folder::new("nothing-to-forget");
    let store = FileTokenStore::new(folder.file("token.json"));
    let builder = || attended(&resource, &world).token_store(store.clone());
    builder().build()?.forget_registration().await?;
    let own = builder().client_id("own").build()?;
    opened(&own, &resource, "/mcp").await?;
    own.forget_registration().await?;
    opened(&own, &resource, "/mcp").await?;
    assert_eq!((server.count("/register"), world.visits().len()), (0, 1));
    Ok(())
}

/// Another process has changed the secret, which this one has not seen yet.
#[maybe_async]
#[test]
async fn a_secret_that_another_process_has_changed_is_read_and_no_registration_is_lost()
-> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    world.change(|state| state.secret = Some("s1"));
    let (server, resource) = (world.server(""), world.resource());
    let folder = Folder::new("rotated-secret");
    let store = FileTokenStore::new(folder.file("token.json"));
    let client = attended(&resource, &world)
        .token_store(store.clone())
        .clock(clock.clock())
        .build()?;
    opened(&client, &resource, "/mcp").await?;
    let issuer = server.url("");
    let kept = store
        .read_registration(&issuer)
        .unwrap()
        .expect("a registration");
    let mut changed = serde_json::to_value(&kept)?;
    changed["client_secret"] = "s2".into();
    store
        .replace_registration(&issuer, Some(&serde_json::from_value(changed)?))
        .unwrap();
    world.change(|state| state.secret = Some("s2"));
    clock.advance(seconds(1000));
    opened(&client, &resource, "/mcp").await?;
    let secrets = server.requests("/token").into_iter();
    let secrets: Vec<_> = secrets
        .filter_map(|sent| sent.parameter("client_secret"))
        .collect();
    assert_eq!(secrets, ["s1", "s1", "s2"]);
    let kept = store
        .read_registration(&issuer)
        .unwrap()
        .expect("the new one");
    let secret = kept.client_secret().map(Secret::expose_secret);
    assert_eq!(secret, Some("s2"));
    assert_eq!((server.count("/register"), world.visits().len()), (1, 1));
    Ok(())
}

/// A server whose metadata are nowhere is remembered as such.
#[maybe_async]
#[test]
async fn a_server_without_metadata_renews_after_a_restart() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
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
    let folder = Folder::new("legacy-restart");
    let start = |says_so: bool| {
        let builder = attended(&old, &world)
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .clock(clock.clock());
        match says_so {
            true => builder.mcp_2025_03_26().build(),
            false => builder.build(),
        }
    };
    let client = start(true)?;
    opened(&client, &old, "/mcp").await?;
    client.close().await?;
    clock.advance(seconds(1000));
    let client = start(true)?;
    opened(&client, &old, "/mcp").await?;
    client.close().await?;
    let grants = old.requests("/token").into_iter();
    let grants: Vec<_> = grants
        .filter_map(|sent| sent.parameter("grant_type"))
        .collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    assert_eq!(world.visits().len(), 1);
    // What a token carries is not enough.
    clock.advance(seconds(1000));
    let refused = status(&start(false)?, &old, "/mcp").await;
    assert!(refused.is_err());
    assert_eq!(old.count("/token"), 2);
    Ok(())
}

/// The server of an earlier process refuses its token, or is gone altogether.
#[maybe_async]
#[test]
async fn a_resource_that_has_moved_meanwhile_is_followed() -> TestResult {
    for is_gone in [false, true] {
        let (world, clock) = (World::new(), ManualClock::new());
        let (old, resource) = (world.server(""), world.resource());
        let folder = Folder::new("moved-meanwhile");
        let start = || {
            attended(&resource, &world)
                .token_store(FileTokenStore::new(folder.file("token.json")))
                .clock(clock.clock())
                .build()
        };
        let client = start()?;
        opened(&client, &resource, "/mcp").await?;
        client.close().await?;
        world.change(|state| {
            state.issuers.clear();
            state.refuses_refresh = true;
        });
        let new = world.server("");
        if is_gone {
            world.change(|state| state.refuses_refresh = false);
            drop(old);
        }
        clock.advance(seconds(1000));
        let client = start()?;
        opened(&client, &resource, "/mcp").await?;
        let known = client.fetch_server().await?;
        assert_eq!(known.issuer(), Some(&*new.url("")));
        assert_eq!(world.visits().len(), 2, "each at its server");
        client.close().await?;
    }
    Ok(())
}

/// The first request for its metadata fails: that is no reason for a login.
#[maybe_async]
#[test]
async fn a_server_that_is_back_at_once_renews() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let fails = Arc::new(AtomicUsize::new(0));
    let (behind, failing) = (world.clone(), fails.clone());
    let server = Server::start(move |request: &Request| {
        let is_one = failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match (&*request.path, is_one) {
            (OAUTH, Ok(_)) => Reply::text(200, "no metadata"),
            _ => behind.serve("", request),
        }
    });
    world.change(|state| state.issuers.push(server.url("")));
    let resource = world.resource();
    let folder = Folder::new("back-at-once");
    let start = || {
        attended(&resource, &world)
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .clock(clock.clock())
            .build()
    };
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    client.close().await?;
    clock.advance(seconds(1000));
    fails.store(1, Ordering::SeqCst);
    opened(&start()?, &resource, "/mcp").await?;
    let renewed = server.requests("/token").pop().expect("a renewal");
    assert_eq!(
        renewed.parameter("grant_type").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(world.visits().len(), 1);
    Ok(())
}

/// The registration is kept, and there is no token yet.
#[maybe_async]
#[test]
async fn a_dead_registration_is_replaced_where_requests_are_pushed() -> TestResult {
    let world = World::new();
    world.change(|state| {
        let endpoint = ("pushed_authorization_request_endpoint", "/par");
        state.endpoints.push(endpoint);
        let required = ("require_pushed_authorization_requests", true.into());
        state.server.push(required);
    });
    let (server, resource) = (world.server(""), world.resource());
    let folder = Folder::new("dead-and-pushed");
    let start = || {
        attended(&resource, &world)
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .build()
    };
    start()?.begin_authorization(Default::default()).await?;
    world.drop_client("c1");
    opened(&start()?, &resource, "/mcp").await?;
    assert_eq!(world.clients(), ["c2"]);
    assert_eq!((server.count("/register"), server.count("/par")), (2, 3));
    opened(&start()?, &resource, "/mcp").await?;
    assert_eq!(server.count("/register"), 2);
    Ok(())
}
