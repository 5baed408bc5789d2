//! Number of token requests of clients in continuous use.

use std::time::Duration;

use super::{test, *};

/// Callers that ask for the token at each step.
const CALLERS: usize = 4;
/// Steps of the clock within the lifetime of a token. They do not divide it evenly into its
/// renewals, so that these fall between the seconds that tokens are stored with.
const STEPS: u32 = 37;
/// Lifetimes that pass.
const LIFETIMES: u32 = 24;

/// The time by which the clock advances at each step, in whole milliseconds.
fn step_of(lifetime: Duration) -> Duration {
    let millis = (lifetime / STEPS).as_millis();
    Duration::from_millis(u64::try_from(millis).expect("a short time"))
}

/// The time between two renewals: `lifetime - min(leeway, lifetime / 2)`, with the default leeway.
fn renewal_period(lifetime: Duration) -> Duration {
    lifetime - seconds(60).min(lifetime / 2)
}

/// Fails if more than one and a half times the least number of requests was made.
fn assert_within_budget(requests: usize, passed: Duration, lifetime: Duration) {
    let least = passed.as_secs_f64() / renewal_period(lifetime).as_secs_f64();
    let ratio = f64::from(u32::try_from(requests).expect("a small number")) / least;
    assert!(
        (0.5..=1.5).contains(&ratio),
        "{requests} token requests in {passed:?}, {ratio:.2} times the least, \
         for tokens of {lifetime:?}"
    );
}

#[maybe_async]
#[test]
async fn a_client_in_use_makes_few_more_token_requests_than_the_least() -> TestResult {
    for lifetime in [1, 3, 600] {
        let server = provider(lifetime);
        let clock = ManualClock::new();
        let client = with_first_token(&server, &clock, lifetime).build()?;
        let lifetime = seconds(lifetime);
        let mut passed = Duration::ZERO;
        for _ in 0..LIFETIMES * STEPS {
            let step = step_of(lifetime);
            clock.advance(step);
            passed += step;
            for token in tokens_at_once(vec![client.clone(); CALLERS]).await {
                token?;
            }
        }
        client.close().await?;
        assert_within_budget(server.count("/token"), passed, lifetime);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn children_in_use_make_few_more_token_requests_than_the_least() -> TestResult {
    for lifetime in [1, 3] {
        let server = provider(lifetime);
        let clock = ManualClock::new();
        let updates = Updates::default();
        let parent = builder(&server)
            .clock(clock.clock())
            .update_token(recording(&updates))
            .build()?;
        let first = first_token(&clock, lifetime);
        let lifetime = seconds(lifetime);
        let mut passed = Duration::ZERO;
        let mut children = vec![parent.for_token(first.clone()); CALLERS];
        for _ in 0..LIFETIMES * STEPS {
            let step = step_of(lifetime);
            clock.advance(step);
            passed += step;
            for token in tokens_at_once(children.clone()).await {
                token?;
            }
            drop(children);
            // The next load the row that the hook has stored.
            let last = updates.lock().unwrap().last().cloned();
            let row = last.map_or(first.clone(), |update| update.token.clone());
            children = (0..CALLERS)
                .map(|_| parent.for_token(row.clone()))
                .collect();
        }
        parent.close().await?;
        assert_within_budget(server.count("/token"), passed, lifetime);
        let told = updates.lock().unwrap().len();
        assert_eq!(told, server.count("/token"), "each token is told once");
    }
    Ok(())
}
