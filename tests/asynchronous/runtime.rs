//! Futures, tasks and runtimes.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use oauth_twin::{
    ErrorKind, Token, TokenUpdate,
    oauth2::{ClientCredentials, Hook},
};
use tokio::test;

use crate::{
    cases::{TestResult, builder, expired_token, gated, provider},
    mode::{AssertionClient, OAuth1Client, OAuth2Client, OAuth2ClientBuilder, http, run_blocking},
    support::gate::Gate,
};

#[test]
async fn futures_are_send_and_clients_are_shared() -> TestResult {
    fn is_send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<OAuth2Client>();
    is_send(&OAuth2Client::builder("id"));
    let client = OAuth2Client::builder("id").build()?;
    is_send(&client.get("http://localhost").send());
    is_send(&client.ensure_active_token());
    is_send(&client.refresh_token());
    is_send(&client.fetch_token(ClientCredentials::new()));
    is_send(&client.exchange(ClientCredentials::new()));
    is_send(&client.authorization_header());
    is_send(&client.close());
    let mut request = http::Request::new(
        oauth_twin::reqwest::Method::GET,
        "http://localhost".parse().expect("a URL"),
    );
    is_send(&client.authorize(&mut request));
    Ok(())
}

#[test]
async fn update_token_takes_closures_of_every_kind() -> TestResult {
    async fn update(_: TokenUpdate) -> Result<(), oauth_twin::BoxError> {
        Ok(())
    }
    let kinds: [fn(OAuth2ClientBuilder) -> OAuth2ClientBuilder; 4] = [
        |builder| builder.update_token(|_| Ok(())),
        |builder| builder.update_token(|_: TokenUpdate| async move { Ok(()) }),
        |builder| {
            builder.update_token(async |update: TokenUpdate| {
                let _json = serde_json::to_string(&update.token)?;
                tokio::task::yield_now().await;
                Ok(())
            })
        },
        |builder| builder.update_token(update),
    ];
    for kind in kinds {
        let server = provider(600);
        let client = kind(builder(&server))
            .token(Token::new("t0").with_refresh_token("r0"))
            .build()?;
        client.refresh_token().await?;
    }
    Ok(())
}

/// A runtime that shuts down takes the renewal with it; those who wait elsewhere are told.
#[test]
async fn a_runtime_that_shuts_down_leaves_nobody_waiting() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let client = builder(&server).token(expired_token()).build()?;
    let other = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let leader = client.clone();
    let leading = other.spawn(async move { leader.ensure_active_token().await });
    run_blocking(server.arrivals("/token", 1)).await;
    let waiter = tokio::spawn(async move { client.ensure_active_token().await });
    tokio::task::yield_now().await;
    other.shutdown_background();
    let error = waiter.await?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.outcome_unknown() && error.is_transient());
    drop(leading);
    gate.open();
    Ok(())
}

/// reqwest and tokio panic there.
#[std::prelude::v1::test]
fn without_a_runtime_every_call_is_an_error() {
    let client = OAuth2Client::builder("id")
        .token_endpoint("http://localhost:9/token")
        .revocation_endpoint("http://localhost:9/revoke")
        .token(Token::new("t").with_refresh_token("r"))
        .build()
        .expect("a client");
    let expired = client.for_token(expired_token());
    let robot = AssertionClient::builder("http://localhost:9/token")
        .assertion(|| Ok("saml".into()))
        .build()
        .expect("a client");
    let oauth1 = OAuth1Client::builder("key")
        .client_secret("secret")
        .request_token_endpoint("http://localhost:9/request_token")
        .build()
        .expect("a client");
    for error in [
        outcome(client.get("http://localhost:9/me").send()).map(drop),
        outcome(client.fetch_token(ClientCredentials::new())).map(drop),
        outcome(client.exchange(ClientCredentials::new())).map(drop),
        outcome(client.refresh_token()).map(drop),
        outcome(client.revoke_token()),
        outcome(expired.ensure_active_token()).map(drop),
        outcome(expired.get("http://localhost:9/me").send()).map(drop),
        outcome(robot.ensure_active_token()).map(drop),
        outcome(oauth1.fetch_request_token()),
        outcome(oauth1.get("http://localhost:9/me").send()).map(drop),
        outcome(client.close()),
    ] {
        let error = error.expect_err("nothing can be sent");
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        assert_eq!(
            error.to_string(),
            "there is no tokio runtime, which the async clients need; call them within \
             #[tokio::main] or Runtime::block_on, or use the blocking clients"
        );
    }
}

/// The outcome of a call that nothing has to be waited for.
fn outcome<T>(call: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(call).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nobody would wake it"),
    }
}

/// `Runtime::block_on(client.get(url).send())` calls `send` outside of the runtime.
#[std::prelude::v1::test]
fn a_request_needs_the_runtime_that_waits_for_its_response() -> TestResult {
    let server = provider(600);
    let url = server.url("/api");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let minute = Duration::from_secs(60);
    for builder in [
        builder(&server),
        builder(&server).configure_http(move |http| http.timeout(minute)),
    ] {
        let client = builder.token(Token::new("t0")).build()?;
        for request in [client.get(&url), client.get(&url).timeout(minute)] {
            let sent = request.send();
            assert!(runtime.block_on(sent)?.status().is_success());
        }
        // What must not be sent is not.
        let elsewhere = client.get("http://api.example.com/me");
        let own = client.get(&url).header("Authorization", "Basic x");
        for request in [elsewhere.timeout(minute), own.timeout(minute)] {
            let sent = request.send();
            let error = runtime
                .block_on(sent)
                .expect_err("a token must not be sent");
            assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        }
        for request in [
            client.get("http://api.example.com/me"),
            client.get(&url).header("Authorization", "Basic x"),
        ] {
            let sent = request.send();
            let error = runtime
                .block_on(sent)
                .expect_err("a token must not be sent");
            assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        }
        // And where there is no runtime, nothing panics.
        for request in [client.get(&url), client.get(&url).timeout(minute)] {
            let sent = {
                let _inside = runtime.enter();
                request.send()
            };
            let error = outcome(sent).expect_err("nothing can be sent");
            assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        }
    }
    assert_eq!(server.requests("/api").len(), 4);
    Ok(())
}

#[test]
async fn a_request_that_nobody_waits_for_is_not_sent() -> TestResult {
    let server = provider(600);
    let client = builder(&server).token(Token::new("t0")).build()?;
    drop(client.get(server.url("/api")).send());
    client.get(server.url("/api")).send().await?;
    assert_eq!(server.requests("/api").len(), 1);
    Ok(())
}

/// A timer of the runtime in which `send` was called would be of no use in another one.
#[std::prelude::v1::test]
fn timeouts_belong_to_the_runtime_that_waits_for_the_response() -> TestResult {
    let server = provider(600);
    let minute = Duration::from_secs(60);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let configured = builder(&server).configure_http(move |http| http.timeout(minute));
    let configured = configured.token(Token::new("t0")).build()?;
    let plain = builder(&server).token(Token::new("t0")).build()?;
    for request in [
        configured.get(server.url("/api")),
        plain.get(server.url("/api")).timeout(minute),
        plain.get(server.url("/api")),
    ] {
        let first = runtime()?;
        let sent = {
            let _inside = first.enter();
            request.send()
        };
        drop(first);
        assert!(runtime()?.block_on(sent)?.status().is_success());
    }
    Ok(())
}

/// The user's code runs where the response is waited for, with the task's own values.
#[test]
async fn hooks_run_when_the_response_is_waited_for() -> TestResult {
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0"))
        .compliance_hook(Hook::protected_request(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }))
        .build()?;
    let sent = client.get(server.url("/api")).send();
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    sent.await?;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    Ok(())
}

#[test]
async fn a_request_that_has_to_wait_takes_the_token_of_that_time() -> TestResult {
    let server = provider(600);
    let client = builder(&server).token(expired_token()).build()?;
    let sent = client.get(server.url("/api")).send();
    client.set_token(Token::new("given"))?;
    sent.await?;
    let request = server.requests("/api").remove(0);
    assert_eq!(request.header("authorization"), Some("Bearer given"));
    assert_eq!(server.count("/token"), 0);
    Ok(())
}
