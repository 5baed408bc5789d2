//! Logins of clients that find their server by a resource, and have sent no request yet.

use support::{clock::ManualClock, folder::Folder};

use super::{
    super::{
        protected_resource::{World, authentication::strict, for_resource},
        test,
    },
    *,
};

/// A user who logs in by a browser.
fn user(world: &World) -> (Shown, InteractiveLogin) {
    let (shown, world) = (Shown::default(), world.clone());
    let login = shown.login(move |url| {
        let callback = world.visit(url).expect("a user");
        visited(&Url::parse(callback.expose_secret()).expect("a URL"));
    });
    (shown, login)
}

#[maybe_async]
#[test]
async fn a_token_of_an_earlier_process_is_renewed_unless_its_registration_is_dead() -> TestResult {
    let (world, clock) = (World::new(), ManualClock::new());
    let (server, resource) = (world.server(""), world.resource());
    let folder = Folder::new("ensured-for-a-resource");
    let start = || {
        for_resource(&resource)
            .redirect_uri("http://127.0.0.1/callback")
            .token_store(FileTokenStore::new(folder.file("token.json")))
            .clock(clock.clock())
            .build()
    };
    let (shown, login) = user(&world);
    for (n, kinds) in [(1, 2), (2, 2)] {
        let client = start()?;
        let token = client.ensure_login(login.clone()).await?;
        assert_eq!(access_token(&token), format!("t{n}"));
        assert_eq!(shown.kinds().len(), kinds);
        client.close().await?;
        clock.advance(seconds(1000));
    }
    world.drop_client("c1");
    let client = start()?;
    let token = client.ensure_login(login).await?;
    assert_eq!(access_token(&token), "t3");
    assert_eq!(world.clients(), ["c1", "c2"]);
    assert_eq!(server.count("/register"), 2);
    let response = client.get(resource.url("/mcp")).send().await?;
    assert_eq!(response.status(), 200);
    Ok(())
}

/// What the login itself asks for is no reason to demand less.
#[maybe_async]
#[test]
async fn a_demand_for_another_authentication_replaces_the_login_s_own() -> TestResult {
    let world = World::new();
    let (_server, resource) = (world.server(""), strict(&world));
    let (shown, login) = user(&world);
    let login = login.param("acr_values", "pwd").param("max_age", "3600");
    let client = for_resource(&resource)
        .redirect_uri("http://127.0.0.1/callback")
        .interactive_login(login.param("display", "page"))
        .build()?;
    for path in ["/mcp", "/mcp/pay", "/mcp/pay"] {
        let response = client.get(resource.url(path)).send().await?;
        assert_eq!(response.status(), 200, "{path}");
    }
    let visits = world.visits();
    let asked = ["acr_values", "max_age", "display"].map(|name| {
        let values = visits.iter().map(|asked| &*asked[name]);
        values.collect::<Vec<_>>()
    });
    assert_eq!(asked, [["pwd", "phr"], ["3600", "60"], ["page", "page"]]);
    assert_eq!(shown.kinds().len(), 4);
    Ok(())
}

/// Over SSH, the device flow is refused to a registration that is dead, and the browser would show
/// an error page.
#[maybe_async]
#[test]
async fn a_dead_registration_is_no_reason_for_a_browser_elsewhere() -> TestResult {
    let world = World::new();
    world.offer("device_authorization_endpoint", "/device");
    let (server, resource) = (world.server(""), world.resource());
    let folder = Folder::new("dead-over-ssh");
    let builder = || {
        for_resource(&resource)
            .redirect_uri("http://127.0.0.1/callback")
            .token_store(FileTokenStore::new(folder.file("token.json")))
    };
    let first = builder().build()?;
    first.begin_authorization(Default::default()).await?;
    world.drop_client("c1");
    let shown = Shown::default();
    let login = shown.prompted().open_with(|_| Err("no browser".into()));
    let client = builder().interactive_login(login).build()?;
    let response = client.get(resource.url("/mcp")).send().await?;
    assert_eq!(response.status(), 200);
    assert_eq!(shown.kinds(), ["opens", "opens", "device", "done"]);
    let asked = server.requests("/device").into_iter();
    let asked: Vec<_> = asked
        .filter_map(|sent| sent.parameter("client_id"))
        .collect();
    assert_eq!(asked, ["c1", "c2"]);
    Ok(())
}
