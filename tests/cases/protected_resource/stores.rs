//! The token store of a client for a resource: token, server and registration together.

use support::folder::Folder;

use super::{super::test, *};

fn store(folder: &Folder) -> FileTokenStore {
    FileTokenStore::new(folder.file("token.json"))
}

#[maybe_async]
#[test]
async fn the_next_start_needs_no_request_but_its_own() -> TestResult {
    let (world, clock, folder) = (World::new(), ManualClock::new(), Folder::new("resource-1"));
    let (server, resource) = (world.server(""), world.resource());
    let start = || {
        attended(&resource, &world)
            .token_store(store(&folder))
            .clock(clock.clock())
            .build()
    };
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    client.close().await?;
    let before = (server.requests_in_all(), resource.requests_in_all());
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(server.requests_in_all(), before.0);
    assert_eq!(resource.requests_in_all(), before.1 + 1);
    client.close().await?;
    // Nor does a renewal need more than the metadata of the server.
    clock.advance(seconds(1000));
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(paths(&server)[before.0..], [OAUTH, "/token"]);
    let renewed = server.requests("/token").pop().unwrap();
    assert_eq!(
        renewed.parameter("grant_type").as_deref(),
        Some("refresh_token")
    );
    assert_eq!(renewed.parameter("client_id").as_deref(), Some("c1"));
    assert_eq!(renewed.parameter("resource"), Some(resource.url("/mcp")));
    assert_eq!(world.visits().len(), 1);
    // And the renewed one is kept in the same way.
    client.close().await?;
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(paths(&server)[before.0..], [OAUTH, "/token"]);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_login_after_a_restart_needs_no_registration() -> TestResult {
    let (world, folder) = (World::new(), Folder::new("resource-2"));
    let (server, resource) = (world.server(""), world.resource());
    let start = || {
        attended(&resource, &world)
            .token_store(store(&folder))
            .build()
    };
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    client.close().await?;
    world.change(|state| state.revoked.extend((0..3).map(|n| format!("t{n}"))));
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((server.count("/register"), world.visits().len()), (1, 2));
    Ok(())
}

#[maybe_async]
#[test]
async fn the_stored_token_of_another_server_is_never_sent_to_this_one() -> TestResult {
    let (world, folder) = (World::new(), Folder::new("resource-3"));
    let (old, resource) = (world.server(""), world.resource());
    let start = || {
        attended(&resource, &world)
            .token_store(store(&folder))
            .build()
    };
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    client.close().await?;
    world.change(|state| state.issuers.clear());
    let new = world.server("");
    world.change(|state| state.clients = 100);
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    for request in new.requests("/token") {
        assert_eq!(
            request.parameter("grant_type").as_deref(),
            Some("authorization_code")
        );
        assert_eq!(request.parameter("client_id").as_deref(), Some("c101"));
    }
    client.close().await?;
    // The next start is at the new server.
    let count = old.requests_in_all();
    let client = start()?;
    opened(&client, &resource, "/mcp").await?;
    let known = client.fetch_server().await?;
    assert_eq!(known.issuer(), Some(&*new.url("")));
    assert_eq!((old.requests_in_all(), world.visits().len()), (count, 2));
    Ok(())
}

#[maybe_async]
#[test]
async fn a_server_cannot_say_where_its_token_belongs() -> TestResult {
    let world = World::new();
    let behind = world.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/token" => {
            let Reply::Full { body, .. } = behind.serve("", request) else {
                panic!("a token");
            };
            let mut token: Value = serde_json::from_slice(&body).unwrap();
            token["oauth_twin_client"] =
                json!({"issuer": "https://evil.example", "client_id": "x"});
            Reply::json(200, token)
        }
        _ => behind.serve("", request),
    });
    world.change(|state| state.issuers.push(server.url("")));
    let resource = world.resource();
    let client = attended(&resource, &world).build()?;
    opened(&client, &resource, "/mcp").await?;
    let first = client.token().unwrap();
    let renewed = client.refresh_token().await?;
    for token in [first, renewed] {
        assert_eq!(
            token.get("oauth_twin_client").unwrap()["issuer"],
            server.url("")
        );
    }
    Ok(())
}
