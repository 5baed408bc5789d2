//! Limits of waits for a registration anew.

use super::{test, *};

/// A registration endpoint that does not answer the second time, and requests with a timeout of 300 ms.
#[maybe_async]
#[test]
async fn a_request_s_own_timeout_bounds_the_wait_for_a_registration_anew() -> TestResult {
    let (gate, registrar) = (Gate::new(), Registrar::default());
    let (held, answers) = (gate.clone(), registrar.clone());
    let server = Server::start(move |request: &Request| {
        if request.path == "/register" && answers.0.lock().expect("a lock").registered > 0 {
            held.wait();
        }
        answers.answer(request)
    });
    let clock = ManualClock::new();
    let client = unregistered(&server)
        .clock(clock.clock())
        .timeout(Duration::from_secs(20))
        .register(metadata())
        .await?
        .grant(ClientCredentials::new())
        .build()?;
    client.ensure_active_token().await?;
    registrar.drop_client("c1");
    // Its token has ended, and its registration is no longer new.
    clock.advance(seconds(3601));
    // The first leads, the second waits.
    for _ in 0..2 {
        let begun = Instant::now();
        let request = client.get(server.url("/api"));
        let request = request.timeout(Duration::from_millis(300));
        let error = request.send().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
    gate.open();
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(text, "Bearer t2");
    assert_eq!(server.count("/register"), 2);
    Ok(())
}
