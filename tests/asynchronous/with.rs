//! `with`: the client is closed whatever happens inside.

use std::{sync::atomic::Ordering, time::Duration};

use oauth_twin::{BoxError, Error, ErrorKind, Token, oauth1::TokenCredentials};
use tokio::test;

use crate::{
    cases::{
        TestResult,
        assertion::robot,
        close::with_pending,
        oauth1_login::{oauth1_builder, oauth1_provider},
        provider, with_credentials,
    },
    mode::{OAuth1Client, OAuth2Client},
};

async fn is_closed(client: &OAuth2Client) -> bool {
    let called = client.ensure_active_token().await;
    called.is_err_and(|error| error.kind() == ErrorKind::Closed)
}

#[test]
async fn closes_after_success_and_failure() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let url = server.url("/api");
    let text = client
        .with(async |client| -> Result<String, Error> {
            Ok(client.get(url).send().await?.text().await?)
        })
        .await?;
    assert_eq!(text, "Bearer t1");
    assert!(is_closed(&clone).await);

    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let failed = client
        .with(async |_| -> Result<(), BoxError> { Err("on purpose".into()) })
        .await;
    assert_eq!(failed.unwrap_err().to_string(), "on purpose");
    assert!(is_closed(&clone).await);
    Ok(())
}

#[test]
async fn closing_that_fails_is_told_unless_the_work_has_failed() -> TestResult {
    let (client, calls) = with_pending(2).await?;
    let done = client
        .with(async |_| -> Result<(), BoxError> { Ok(()) })
        .await;
    let error = done
        .unwrap_err()
        .downcast::<Error>()
        .expect("an error of ours");
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let (client, calls) = with_pending(2).await?;
    let done = client
        .with(async |_| -> Result<(), BoxError> { Err("on purpose".into()) })
        .await;
    assert_eq!(done.unwrap_err().to_string(), "on purpose");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    Ok(())
}

#[test]
async fn closes_after_a_panic() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    let clone = client.clone();
    let task = tokio::spawn(client.with(async |_| -> Result<(), Error> { panic!("on purpose") }));
    assert!(task.await.unwrap_err().is_panic());
    assert!(is_closed(&clone).await);
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "told before the panic went on"
    );
    Ok(())
}

#[test]
async fn closes_when_it_is_dropped() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    let clone = client.clone();
    let never = client.with(async |_| -> Result<(), Error> {
        std::future::pending::<()>().await;
        Ok(())
    });
    let dropped = tokio::time::timeout(Duration::from_millis(10), never).await;
    assert!(dropped.is_err());
    assert!(is_closed(&clone).await);
    while calls.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Sees that the clients that `$built` makes are closed after work that fails, after work that
/// panics, and when `with` is dropped.
macro_rules! is_closed_whatever_happens {
    ($built:expr, $kept:ident => $is_closed:expr) => {
        let client = $built?;
        let $kept = client.clone();
        let failed = client
            .with(async |_| -> Result<(), BoxError> { Err("on purpose".into()) })
            .await;
        assert!(failed.is_err() && $is_closed);

        let client = $built?;
        let $kept = client.clone();
        let work = client.with(async |_| -> Result<(), Error> { panic!("on purpose") });
        let task = tokio::spawn(work);
        assert!(task.await.unwrap_err().is_panic() && $is_closed);

        let client = $built?;
        let $kept = client.clone();
        let never = client.with(async |_| -> Result<(), Error> {
            std::future::pending::<()>().await;
            Ok(())
        });
        let dropped = tokio::time::timeout(Duration::from_millis(10), never).await;
        assert!(dropped.is_err() && $is_closed);
    };
}

#[test]
async fn an_oauth1_client_is_closed_whatever_happens() -> TestResult {
    let builder = || OAuth1Client::builder("key").token(TokenCredentials::new("t", "s"));
    let client = builder().build()?;
    let kept = client.clone();
    let token = client
        .with(async |client| -> Result<_, Error> { Ok(client.token()) })
        .await?;
    assert!(token.is_some() && kept.token().is_none());
    is_closed_whatever_happens!(builder().build(), kept => kept.token().is_none());
    Ok(())
}

#[test]
async fn an_assertion_client_is_closed_whatever_happens() -> TestResult {
    let server = provider(600);
    let built = || robot(&server).token(Token::new("t")).build();
    let client = built()?;
    let kept = client.clone();
    let url = server.url("/api");
    let text = client
        .with(async |client| -> Result<String, Error> {
            Ok(client.get(url).send().await?.text().await?)
        })
        .await?;
    assert!(text == "Bearer t" && kept.token().is_none());
    is_closed_whatever_happens!(built(), kept => {
        let closed = kept.ensure_active_token().await.unwrap_err();
        kept.token().is_none() && closed.kind() == ErrorKind::Closed
    });
    Ok(())
}

/// A verifier is good for one request: what it brings is kept though the caller has gone.
#[test]
async fn an_oauth1_exchange_goes_on_when_its_caller_has_gone() -> TestResult {
    let server = oauth1_provider();
    let client = oauth1_builder(&server).build()?;
    client.fetch_request_token().await?;
    client.set_verifier("v1")?;
    let mut fetch = Box::pin(client.fetch_access_token());
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(fetch.as_mut().poll(context).is_pending())
    });
    assert!(polled.await);
    drop(fetch);
    while client.token().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.count("/access_token"), 1);
    Ok(())
}
