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
