//! The assertion client in async code: async closures, callers that are dropped.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use oauth_twin::{
    BoxError, Secret, TokenUpdate,
    jose::{Algorithm, ExternalKey},
};
use tokio::test;

use crate::{
    cases::{TestResult, cause, provider},
    mode::{AssertionClient, ExternalSigner},
    support::jwt::signing_key,
};

#[test]
async fn the_function_may_be_async() -> TestResult {
    let server = provider(600);
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(move || {
            let counter = counter.clone();
            async move {
                tokio::task::yield_now().await;
                let n = counter.fetch_add(1, Ordering::SeqCst);
                Ok::<Secret, BoxError>(format!("saml{n}").into())
            }
        })
        .build()?;
    client.refresh_token().await?;
    client.refresh_token().await?;
    let requests = server.requests("/token");
    let sent: Vec<_> = requests
        .iter()
        .map(|request| request.parameter("assertion"))
        .collect();
    assert_eq!(sent, [Some("saml0".to_owned()), Some("saml1".to_owned())]);
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(async || Ok("saml".into()))
        .build()?;
    client.refresh_token().await?;
    Ok(())
}

#[test]
async fn a_function_that_hangs_is_waited_for_no_longer_than_the_timeout() -> TestResult {
    let server = provider(600);
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(async || std::future::pending::<Result<Secret, BoxError>>().await)
        .timeout(Duration::from_millis(50))
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(cause(&error), "it timed out");
    assert_eq!(server.requests_in_all(), 0);
    Ok(())
}

/// A signer that is pending at first.
struct Slow;

impl ExternalSigner for Slow {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        tokio::task::yield_now().await;
        Ok(signing_key(Algorithm::ES256, "p-256").sign(message)?)
    }
}

async fn polled<F: Future>(future: F, limit: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..limit {
        let done =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
        if done.await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Dropped after each number of polls, while the signer signs or the server answers: one request
/// and one call of the hook in the end.
#[test]
async fn a_caller_that_is_dropped_cuts_nothing_off() -> TestResult {
    for limit in 1..20 {
        let server = provider(600);
        let hooks = Arc::new(AtomicUsize::new(0));
        let counter = hooks.clone();
        let client = AssertionClient::builder(server.url("/token"))
            .issuer("robot")
            .signer(Slow)
            .update_token(move |_: TokenUpdate| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .build()?;
        polled(client.ensure_active_token(), limit).await;
        let token = client.ensure_active_token().await?;
        assert_eq!(token.access_token().expose_secret(), "t1");
        client.close().await?;
        assert_eq!(
            (server.count("/token"), hooks.load(Ordering::SeqCst)),
            (1, 1)
        );
    }
    Ok(())
}
