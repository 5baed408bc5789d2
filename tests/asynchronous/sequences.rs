//! Sequences that need futures which are dropped, and runtimes that stand.

use std::time::{Duration, Instant};

use oauth_twin::ErrorKind;
use tokio::{
    runtime::{Builder, Runtime},
    test,
};

use crate::{
    cases::{
        TestResult, access_token, builder, first_held, first_token, gated, seconds,
        sequences::close::{assert_each_row_was_told, row_of},
    },
    mode::run_blocking,
    support::{
        clock::ManualClock,
        gate::Gate,
        updates::{Updates, recording},
    },
};

/// Handlers of a web back end are dropped in the middle of the renewal of their `for_token`
/// children, then `parent.close().await`, then the runtime ends.
#[::core::prelude::v1::test]
fn close_waits_for_the_renewals_of_handlers_that_were_dropped() -> TestResult {
    const HANDLERS: usize = 50;
    let (gate, updates) = (Gate::new(), Updates::default());
    let server = gated(&gate);
    let parent = builder(&server).update_token(recording(&updates)).build()?;
    let runtime = current_thread()?;
    runtime.block_on(async {
        let handlers = (0..HANDLERS).map(|n| {
            let child = parent.for_token(row_of(n));
            tokio::spawn(async move { child.ensure_active_token().await })
        });
        let handlers: Vec<_> = handlers.collect();
        run_blocking(server.arrivals("/token", HANDLERS)).await;
        for handler in handlers {
            handler.abort();
            assert!(handler.await.unwrap_err().is_cancelled());
        }
        let opening = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gate.open();
        });
        parent.close().await?;
        opening.await?;
        TestResult::Ok(())
    })?;
    drop(runtime);
    assert_each_row_was_told(&updates, HANDLERS);
    Ok(())
}

/// `block_on` of the leader's runtime has ended in the middle of the renewal; another runtime asks
/// for the token.
#[test]
async fn a_renewal_in_a_blocked_runtime_blocks_no_other_caller() -> TestResult {
    let gate = Gate::new();
    let server = first_held(&gate);
    let clock = ManualClock::new();
    let client = builder(&server)
        .token(first_token(&clock, 0))
        .clock(clock.clock())
        // A call waits for twice that and a second.
        .timeout(seconds(2))
        .build()?;
    let (leader, arrival) = (client.clone(), server.arrivals("/token", 1));
    let standing = std::thread::spawn(move || {
        let runtime = current_thread().expect("a runtime");
        runtime.block_on(async move {
            tokio::spawn(async move { leader.ensure_active_token().await });
            run_blocking(arrival).await;
        });
        runtime
    });
    let standing = Standing(Some(standing.join().expect("a thread")));

    let begun = Instant::now();
    let request = client.get(server.url("/api"));
    let request = request.timeout(Duration::from_millis(300));
    let error = request.send().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Interrupted && error.is_transient());
    let error = client.ensure_active_token().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Interrupted && error.is_transient());
    assert!(begun.elapsed() < seconds(30));
    run_blocking(server.arrivals("/token", 1)).await;
    assert_eq!(server.count("/token"), 1);

    clock.advance(seconds(5));
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t2", 2));
    gate.open();
    // What is left of the leader changes nothing.
    drop(standing);
    let token = client.ensure_active_token().await?;
    assert_eq!((access_token(&token), server.count("/token")), ("t2", 2));
    // Nor is it anything that close would wait for.
    client.close().await?;
    Ok(())
}

/// A runtime that is not driven, and that may be dropped anywhere.
struct Standing(Option<Runtime>);

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn current_thread() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
