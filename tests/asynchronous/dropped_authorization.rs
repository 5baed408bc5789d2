//! Requests that a resource refuses, and whose futures are dropped: the login goes on for the others
//! and for the next call.

use std::sync::Arc;

use oauth_twin::url::Url;
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, yield_now},
    test,
};

use super::cancellation::polled;
use crate::{
    cases::{
        TestResult,
        protected_resource::{World, attended, for_resource},
    },
    mode::{OAuth2Client, run_blocking},
    support::server::Server,
};

/// A client whose user has seen the page, and returns from it with a permit of the gate.
fn slowly_attended(resource: &Server, world: &World) -> (OAuth2Client, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let (world, held) = (world.clone(), gate.clone());
    let client = for_resource(resource).login_with(move |url: Url| {
        let (world, held) = (world.clone(), held.clone());
        async move {
            let callback = world.visit(&url);
            held.acquire().await?.forget();
            callback
        }
    });
    (client.build().expect("a client"), gate)
}

fn spawn_request(client: &OAuth2Client, resource: &Server) -> JoinHandle<u16> {
    let request = client.get(resource.url("/mcp"));
    tokio::spawn(async move { request.send().await.expect("a response").status().as_u16() })
}

/// One login has made a token for every request.
fn check_one_login(world: &World, server: &Server) {
    let found = (
        world.visits().len(),
        server.count("/register"),
        server.count("/token"),
    );
    assert_eq!(found, (1, 1, 1));
}

#[test]
async fn those_that_wait_with_a_dropped_leader_get_the_token_of_its_login() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let (client, gate) = slowly_attended(&resource, &world);
    let leader = spawn_request(&client, &resource);
    while world.visits().is_empty() {
        yield_now().await;
    }
    let waiters: Vec<_> = (0..10).map(|_| spawn_request(&client, &resource)).collect();
    run_blocking(resource.arrivals("/mcp", 11)).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    assert_eq!(server.count("/token"), 0);
    gate.add_permits(1);
    for waiter in waiters {
        assert_eq!(waiter.await?, 200);
    }
    assert_eq!(spawn_request(&client, &resource).await?, 200);
    check_one_login(&world, &server);
    Ok(())
}

#[test]
async fn the_next_call_uses_the_login_whose_callers_are_all_gone() -> TestResult {
    let world = World::new();
    let (server, resource) = (world.server(""), world.resource());
    let (client, gate) = slowly_attended(&resource, &world);
    let callers: Vec<_> = (0..3).map(|_| spawn_request(&client, &resource)).collect();
    run_blocking(resource.arrivals("/mcp", 3)).await;
    while world.visits().is_empty() {
        yield_now().await;
    }
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    gate.add_permits(1);
    run_blocking(server.arrivals("/token", 1)).await;
    assert_eq!(spawn_request(&client, &resource).await?, 200);
    check_one_login(&world, &server);
    Ok(())
}

#[test]
async fn a_request_that_is_dropped_after_any_poll_costs_no_second_login() -> TestResult {
    for limit in 1.. {
        let world = World::new();
        let (server, resource) = (world.server(""), world.resource());
        let client = attended(&resource, &world).build()?;
        let request = client.get(resource.url("/mcp"));
        let completed = polled(request.send(), limit).await.is_some();
        let status = spawn_request(&client, &resource).await?;
        assert_eq!(status, 200, "after {limit} polls");
        check_one_login(&world, &server);
        if completed {
            assert!(limit > 2, "it was dropped at least once on its way");
            break;
        }
    }
    Ok(())
}
