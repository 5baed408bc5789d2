//! Refusals that nothing resolves, and limits of what a stranger can cause.

use super::{super::test, *};

#[maybe_async]
#[test]
async fn a_401_that_no_token_resolves_is_the_caller_s() -> TestResult {
    let basic = Server::start(|_: &Request| {
        Reply::text(401, "basic").with("www-authenticate", "Basic realm=\"x\"")
    });
    let client = attended(&basic, &World::new()).build()?;
    let found = status(&client, &basic, "/mcp").await?;
    assert_eq!(found, 401);
    assert_eq!(basic.requests_in_all(), 1);
    // A stream cannot be sent again, and neither is it read into memory.
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).build()?;
    let request = client.post(resource.url("/mcp")).body(streaming_body(10));
    let found = request.send().await?;
    assert_eq!(found.status(), 401);
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_that_the_resource_refuses_at_once_is_not_replaced_for_ever() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let (refusing, url) = (world.clone(), resource.url(PATH));
    let never = Server::start(move |request: &Request| match &*request.path {
        "/mcp" => Reply::text(401, "").with(
            "www-authenticate",
            &format!("Bearer resource_metadata=\"{url}\""),
        ),
        _ => refusing.answer(request),
    });
    world.change(|state| state.resource.push(("resource", never.url("/mcp").into())));
    let client = attended(&never, &world).build()?;
    let found = status(&client, &never, "/mcp").await?;
    assert_eq!(found, 401);
    // With none, with the first one, and with its successor.
    assert_eq!((world.visits().len(), never.count("/mcp")), (1, 3));
    let logins = world.visits().len();
    for _ in 0..20 {
        let _ = status(&client, &never, "/mcp").await;
    }
    assert!(
        world.visits().len() <= logins + 2,
        "{}",
        world.visits().len()
    );
    drop(server);
    Ok(())
}

#[maybe_async]
#[test]
async fn attempts_that_fail_are_paced() -> TestResult {
    let (clock, world) = (ManualClock::new(), World::new());
    let down = Arc::new(AtomicUsize::new(1));
    let (server, is_down) = (world.server(""), down.clone());
    let behind = world.clone();
    let resource = Server::start(move |request: &Request| match &*request.path {
        PATH if is_down.load(Ordering::SeqCst) == 1 => Reply::text(503, ""),
        _ => behind.answer(request),
    });
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    for _ in 0..3 {
        let error = status(&client, &resource, "/mcp").await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
    assert_eq!(resource.count(PATH), 1);
    down.store(0, Ordering::SeqCst);
    clock.advance(seconds(2));
    opened(&client, &resource, "/mcp").await?;
    assert_eq!((resource.count(PATH), server.count("/token")), (2, 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn documents_are_capped_and_timed_out() -> TestResult {
    let large = Server::start(|request: &Request| match &*request.path {
        "/mcp" => Reply::text(401, ""),
        _ => Reply::text(200, vec![b' '; 1024 * 1024 + 1]),
    });
    let client = attended(&large, &World::new()).build()?;
    let error = status(&client, &large, "/mcp").await.unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
    let gate = Gate::new();
    let held = gate.clone();
    let silent = Server::start(move |request: &Request| match &*request.path {
        "/mcp" => Reply::text(401, ""),
        _ => {
            held.wait();
            Reply::text(404, "")
        }
    });
    let client = attended(&silent, &World::new())
        .timeout(Duration::from_millis(200))
        .build()?;
    let begun = Instant::now();
    let error = status(&client, &silent, "/mcp").await.unwrap_err();
    assert!(
        error.is_transient() && begun.elapsed() < seconds(10),
        "{error}"
    );
    gate.open();
    Ok(())
}

#[maybe_async]
#[test]
async fn a_resource_that_was_out_of_order_is_logged_in_to_again() -> TestResult {
    let (clock, world) = (ManualClock::new(), World::new());
    let (server, resource) = (world.server(""), world.resource());
    let client = attended(&resource, &world).clock(clock.clock()).build()?;
    opened(&client, &resource, "/mcp").await?;
    let all = (0..40).map(|n| format!("t{n}"));
    world.change(|state| state.revoked.extend(all));
    for _ in 0..12 {
        let _ = status(&client, &resource, "/mcp").await;
        clock.advance(seconds(40));
    }
    let logins = world.visits().len();
    assert!((2..=4).contains(&logins), "{logins}");
    world.change(|state| {
        // They are known no more, and neither is what renews them.
        state.issued.clear();
        state.refuses_refresh = true;
        state.revoked.clear();
    });
    clock.advance(seconds(601));
    opened(&client, &resource, "/mcp").await?;
    assert_eq!(world.visits().len(), logins + 1);
    drop(server);
    Ok(())
}
