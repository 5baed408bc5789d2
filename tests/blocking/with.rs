//! `with`: the client is closed whatever happens inside.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use oauth_twin::{BoxError, Error, ErrorKind, Token, oauth1::TokenCredentials};

use crate::{
    cases::{TestResult, assertion::robot, close::with_pending, provider, with_credentials},
    mode::{OAuth1Client, OAuth2Client},
};

fn is_closed(client: &OAuth2Client) -> bool {
    let called = client.ensure_active_token();
    called.is_err_and(|error| error.kind() == ErrorKind::Closed)
}

#[test]
fn closes_after_success_and_failure() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let url = server.url("/api");
    let text =
        client.with(|client| -> Result<String, Error> { Ok(client.get(url).send()?.text()?) })?;
    assert_eq!(text, "Bearer t1");
    assert!(is_closed(&clone));

    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let failed = client.with(|_| -> Result<(), BoxError> { Err("on purpose".into()) });
    assert_eq!(failed.unwrap_err().to_string(), "on purpose");
    assert!(is_closed(&clone));
    Ok(())
}

#[test]
fn closing_that_fails_is_told_unless_the_work_has_failed() -> TestResult {
    let (client, calls) = with_pending(2)?;
    let done = client.with(|_| -> Result<(), BoxError> { Ok(()) });
    let error = done
        .unwrap_err()
        .downcast::<Error>()
        .expect("an error of ours");
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let (client, calls) = with_pending(2)?;
    let done = client.with(|_| -> Result<(), BoxError> { Err("on purpose".into()) });
    assert_eq!(done.unwrap_err().to_string(), "on purpose");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    Ok(())
}

#[test]
fn closes_after_a_panic() -> TestResult {
    let (client, calls) = with_pending(1)?;
    let clone = client.clone();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        client.with(|_| -> Result<(), Error> { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    assert!(is_closed(&clone));
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "told before the panic went on"
    );
    Ok(())
}

/// Sees that the clients that `$built` makes are closed after work that fails and after work that
/// panics.
macro_rules! is_closed_whatever_happens {
    ($built:expr) => {
        let client = $built?;
        let kept = client.clone();
        let failed = client.with(|_| -> Result<(), BoxError> { Err("on purpose".into()) });
        assert!(failed.is_err() && kept.token().is_none());

        let client = $built?;
        let kept = client.clone();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            client.with(|_| -> Result<(), Error> { panic!("on purpose") })
        }));
        assert!(panicked.is_err() && kept.token().is_none());
    };
}

#[test]
fn an_oauth1_client_is_closed_whatever_happens() -> TestResult {
    let builder = || OAuth1Client::builder("key").token(TokenCredentials::new("t", "s"));
    let client = builder().build()?;
    let kept = client.clone();
    let token = client.with(|client| -> Result<_, Error> { Ok(client.token()) })?;
    assert!(token.is_some() && kept.token().is_none());
    is_closed_whatever_happens!(builder().build());
    Ok(())
}

#[test]
fn an_assertion_client_is_closed_whatever_happens() -> TestResult {
    let server = provider(600);
    let built = || robot(&server).token(Token::new("t")).build();
    let client = built()?;
    let kept = client.clone();
    let url = server.url("/api");
    let text =
        client.with(|client| -> Result<String, Error> { Ok(client.get(url).send()?.text()?) })?;
    assert!(text == "Bearer t" && kept.token().is_none());
    is_closed_whatever_happens!(built());
    Ok(())
}
