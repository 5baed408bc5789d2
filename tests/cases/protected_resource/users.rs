//! The users of a client for a resource: each has a token, in a store, and logs in elsewhere.

use oauth_twin::UserKey;

use super::{
    super::{
        test,
        token_store::{Fault, Shelf},
    },
    *,
};

/// A web back end, and what its store keeps for each user.
struct BackEnd {
    world: World,
    server: Server,
    resource: Server,
    clock: ManualClock,
    shelves: Arc<Mutex<HashMap<String, Shelf>>>,
}

impl BackEnd {
    fn new() -> Self {
        let world = World::new();
        Self {
            server: world.server(""),
            resource: world.resource(),
            world,
            clock: ManualClock::new(),
            shelves: Arc::default(),
        }
    }

    /// A replica.
    fn start(&self) -> OAuth2Client {
        let shelves = self.shelves.clone();
        let builder = for_resource(&self.resource)
            .redirect_uri("https://app.example/cb")
            .clock(self.clock.clock())
            .user_store(move |user: &UserKey| {
                let mut shelves = shelves.lock().unwrap();
                shelves.entry(user.to_string()).or_default().clone()
            });
        builder.build().unwrap()
    }

    fn shelf(&self, user: &str) -> Shelf {
        let user = UserKey::new(user).unwrap().to_string();
        self.shelves.lock().unwrap()[&user].clone()
    }

    /// The authorization of the last request to `path`.
    fn sent(&self, path: &str) -> Option<String> {
        let last = self.resource.requests(path).pop()?;
        last.header("authorization").map(str::to_owned)
    }
}

#[maybe_async]
impl BackEnd {
    /// Logs the user in, whose request for `path` is refused.
    async fn log_in(&self, client: &OAuth2Client, user: &str, path: &str) -> TestResult {
        let refused = status(&client.for_user(user), &self.resource, path).await;
        let error = refused.expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Login, "{user}: {error}");
        let request = error.login_request().expect("a request");
        let begun = client.begin_authorization(request).await?;
        let callback = self.world.visit(&begun.url).unwrap();
        let login = client.complete_authorization(begun.pending, callback.expose_secret());
        login.await?.keep_for(user).await?;
        Ok(())
    }

    /// Checks that the resource grants a request of the user, with this token.
    async fn grants(
        &self,
        client: &OAuth2Client,
        user: &str,
        path: &str,
        token: &str,
    ) -> TestResult {
        opened(&client.for_user(user), &self.resource, path).await?;
        assert_eq!(self.sent(path), Some(format!("Bearer {token}")), "{user}");
        Ok(())
    }
}

#[maybe_async]
#[test]
async fn each_user_has_a_token_of_their_own() -> TestResult {
    let back_end = BackEnd::new();
    let client = back_end.start();
    back_end.log_in(&client, "alice", "/mcp").await?;
    back_end.log_in(&client, "bob", "/mcp").await?;
    for (user, token) in [("alice", "t1"), ("bob", "t2"), ("alice", "t1")] {
        back_end.grants(&client, user, "/mcp", token).await?;
    }
    // Neither the client nor a third user has one.
    for other in [client.clone(), client.for_user("carol")] {
        let error = status(&other, &back_end.resource, "/mcp")
            .await
            .unwrap_err();
        assert!(error.login_request().is_some(), "{error}");
        assert_eq!(back_end.sent("/mcp"), None);
    }
    // They are renewed by themselves, for the resource.
    back_end.clock.advance(seconds(1000));
    back_end.grants(&client, "bob", "/mcp", "t3").await?;
    back_end.grants(&client, "alice", "/mcp", "t4").await?;
    let requests = back_end.server.requests("/token");
    let refreshed: Vec<_> = requests
        .iter()
        .filter_map(|request| request.parameter("refresh_token"))
        .collect();
    assert_eq!(refreshed, ["r2", "r1"]);
    for request in requests {
        let resource = request.parameter("resource");
        assert_eq!(resource, Some(back_end.resource.url("/mcp")));
    }
    let found = (
        back_end.server.count("/register"),
        back_end.resource.count(PATH),
    );
    assert_eq!(found, (1, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn another_replica_has_the_users_without_a_login() -> TestResult {
    let back_end = BackEnd::new();
    let client = back_end.start();
    back_end.log_in(&client, "alice", "/mcp").await?;
    back_end.log_in(&client, "bob", "/mcp").await?;
    client.close().await?;
    let (server, visits) = (back_end.server.requests_in_all(), back_end.world.visits());
    let client = back_end.start();
    back_end.grants(&client, "bob", "/mcp", "t2").await?;
    back_end.grants(&client, "alice", "/mcp", "t1").await?;
    assert_eq!(back_end.server.requests_in_all(), server);
    // What it renews is in the store of the user.
    back_end.clock.advance(seconds(1000));
    back_end.grants(&client, "alice", "/mcp", "t3").await?;
    back_end.grants(&client, "bob", "/mcp", "t4").await?;
    client.close().await?;
    let client = back_end.start();
    back_end.grants(&client, "alice", "/mcp", "t3").await?;
    back_end.grants(&client, "bob", "/mcp", "t4").await?;
    assert_eq!(back_end.world.visits(), visits);
    assert_eq!(back_end.server.count("/register"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn more_scope_and_a_logout_are_for_one_user() -> TestResult {
    let back_end = BackEnd::new();
    let needs = [("/mcp", "read"), ("/mcp/write", "write")];
    back_end.world.change(|state| state.needs.extend(needs));
    let client = back_end.start();
    back_end.log_in(&client, "alice", "/mcp").await?;
    back_end.log_in(&client, "bob", "/mcp").await?;
    back_end.log_in(&client, "alice", "/mcp/write").await?;
    assert_eq!(back_end.world.scopes(), ["read", "read", "read write"]);
    back_end
        .grants(&client, "alice", "/mcp/write", "t3")
        .await?;
    let bob = client.for_user("bob");
    let refused = status(&bob, &back_end.resource, "/mcp/write").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Login);
    back_end.grants(&client, "bob", "/mcp", "t2").await?;
    client.forget_user("alice").await?;
    let alice = client.for_user("alice");
    let refused = status(&alice, &back_end.resource, "/mcp").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Login);
    assert_eq!(back_end.sent("/mcp"), None);
    back_end.grants(&client, "bob", "/mcp", "t2").await?;
    Ok(())
}

/// The client itself is at no server yet, its user is at one.
#[maybe_async]
#[test]
async fn close_stores_what_users_at_another_server_than_the_client_owe() -> TestResult {
    for is_held in [true, false] {
        let back_end = BackEnd::new();
        let client = back_end.start();
        back_end.log_in(&client, "alice", "/mcp").await?;
        client.close().await?;
        let (client, shelf) = (back_end.start(), back_end.shelf("alice"));
        back_end.grants(&client, "alice", "/mcp", "t1").await?;
        assert_eq!(shelf.held(), "1:t1");
        back_end.clock.advance(seconds(1000));
        // Neither for the renewal nor when the client of the request is dropped.
        shelf.fail([Fault::Save, Fault::Save]);
        let alice = is_held.then(|| client.for_user("alice"));
        back_end.grants(&client, "alice", "/mcp", "t2").await?;
        until(|| !shelf.has_fault()).await;
        client.close().await?;
        assert_eq!(shelf.held(), "2:t2", "{is_held}");
        drop(alice);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn close_waits_for_renewals_of_users_at_another_server_than_the_client() -> TestResult {
    let back_end = BackEnd::new();
    let client = back_end.start();
    back_end.log_in(&client, "alice", "/mcp").await?;
    client.close().await?;
    let (client, shelf) = (back_end.start(), back_end.shelf("alice"));
    back_end.grants(&client, "alice", "/mcp", "t1").await?;
    let alice = client.for_user("alice");
    back_end.clock.advance(seconds(1000));
    shelf.story();
    shelf.hold(Some("load"));
    let renewing = spawn_refresh_token(&alice);
    until(|| shelf.has_seen("load")).await;
    let closing = {
        let client = client.clone();
        spawn(move || async move { client.close().await })
    };
    sleep(Duration::from_millis(50)).await;
    shelf.hold(None);
    closing.join().await?;
    assert_eq!(shelf.held(), "2:t2");
    renewing.join().await?;
    Ok(())
}
