//! Callers that are dropped: a renewal runs to its end all the same.

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

use oauth_twin::{BoxError, ErrorKind, Token, TokenUpdate, oauth2::ClientCredentials};
use serde_json::json;
use tokio::{runtime::Runtime, test};

use crate::{
    cases::{
        TestResult, accepting_the_renewed_token, builder,
        device::{Polled, begun, pending},
        expired_token, gated, provider,
        token_store::Shelf,
        tokens,
    },
    mode::{OAuth2Client, run_blocking},
    support::{
        gate::Gate,
        keys::new_key,
        server::{Reply, Request, Server},
    },
};

/// Polls `future` at most `limit` times and drops it.
pub(super) async fn polled<F: Future>(future: F, limit: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    std::future::poll_fn(|context| {
        if polls == limit {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A client with an expired token whose hook counts its calls and is itself not done at once.
fn client(server: &Server) -> (OAuth2Client, Arc<AtomicUsize>) {
    let hooks = Arc::new(AtomicUsize::new(0));
    let counter = hooks.clone();
    let client = builder(server)
        .token(expired_token())
        .update_token(move |_: TokenUpdate| {
            let counter = counter.clone();
            async move {
                tokio::task::yield_now().await;
                counter.fetch_add(1, Ordering::SeqCst);
                Ok::<(), BoxError>(())
            }
        })
        .build()
        .expect("a client");
    (client, hooks)
}

/// Drops `$call` after each number of polls that it can have, up to completion, and sees that by
/// then, or in the end, there has been one request and one call of the hook.
macro_rules! dropped_after_each_poll {
    ($hooks:expr, |$client:ident, $server:ident| $call:expr) => {
        let mut completed = false;
        for limit in 0.. {
            let $server = provider(600);
            let ($client, hooks) = client(&$server);
            completed = polled($call, limit).await.is_some();
            let started = limit > 0;
            if !started {
                assert_eq!($server.count("/token"), 0);
                continue;
            }
            // Joins what is under way, and finds the token that came of it.
            let token = $client.ensure_active_token().await?;
            assert_eq!(
                token.access_token().expose_secret(),
                "t1",
                "after {limit} polls"
            );
            $client.close().await?;
            assert_eq!(hooks.load(Ordering::SeqCst), $hooks, "after {limit} polls");
            assert_eq!($server.count("/token"), 1, "after {limit} polls");
            if completed {
                assert!(limit > 1, "it was dropped at least once on its way");
                break;
            }
        }
        assert!(completed);
    };
}

#[test]
async fn ensure_active_token() -> TestResult {
    dropped_after_each_poll!(1, |client, server| client.ensure_active_token());
    Ok(())
}

#[test]
async fn refresh_token() -> TestResult {
    dropped_after_each_poll!(1, |client, server| client.refresh_token());
    Ok(())
}

#[test]
async fn send() -> TestResult {
    dropped_after_each_poll!(1, |client, server| client.get(server.url("/api")).send());
    Ok(())
}

#[test]
async fn authorization_header() -> TestResult {
    dropped_after_each_poll!(1, |client, server| client.authorization_header());
    Ok(())
}

/// A requested token is kept although its caller was dropped.
#[test]
async fn fetch_token() -> TestResult {
    for limit in 1..=2 {
        let gate = Gate::new();
        let server = gated(&gate);
        let client = builder(&server).build()?;
        // Another poll than the first comes only when the server has answered.
        if limit > 1 {
            gate.open();
        }
        polled(client.fetch_token(ClientCredentials::new()), limit).await;
        gate.open();
        while client.token().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.count("/token"), 1);
    }
    Ok(())
}

/// A renewal is stored although its caller was dropped.
#[test]
async fn with_a_token_store() -> TestResult {
    for limit in 1.. {
        let shelf = Shelf::with(expired_token());
        let server = provider(600);
        let client = builder(&server).token_store(shelf.clone()).build()?;
        let completed = polled(client.ensure_active_token(), limit).await.is_some();
        let token = client.ensure_active_token().await?;
        assert_eq!(token.access_token().expose_secret(), "t1");
        client.close().await?;
        assert_eq!(
            (&*shelf.held(), server.count("/token")),
            ("2:t1", 1),
            "{limit}"
        );
        if completed {
            assert!(limit > 2, "it was dropped at least twice on its way");
            break;
        }
    }
    Ok(())
}

/// A 401 is followed by a renewal, and that by a second request: dropped anywhere on this way.
#[test]
async fn after_a_401() -> TestResult {
    let mut limit = 1;
    loop {
        let server = accepting_the_renewed_token();
        let (client, hooks) = client(&server);
        client.set_token(Token::new("t0").with_refresh_token("r0"))?;
        let sent = polled(client.get(server.url("/api")).send(), limit).await;
        client
            .get(server.url("/api"))
            .send()
            .await?
            .error_for_status()?;
        client.close().await?;
        assert_eq!(
            (server.count("/token"), hooks.load(Ordering::SeqCst)),
            (1, 1),
            "{limit}"
        );
        if sent.is_some() {
            return Ok(());
        }
        limit += 1;
    }
}

/// Neither does the last clone of the user's cut a renewal off.
#[test]
async fn dropping_the_last_clone_does_not_cancel_a_renewal() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let (client, hooks) = client(&server);
    polled(client.ensure_active_token(), 1).await;
    run_blocking(server.arrivals("/token", 1)).await;
    drop(client);
    gate.open();
    while hooks.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Another caller with the same device code goes on, and no poll comes too early or twice.
#[test]
async fn complete_device_authorization() -> TestResult {
    let polled_by = Polled::new(600, |n| match n {
        1 | 2 => pending(),
        _ => Reply::json(200, tokens(1, 600)),
    });
    let client = polled_by.builder().build()?;
    let device = begun(&client).await;
    let first = {
        let (client, device) = (client.clone(), device.clone());
        tokio::spawn(async move { client.complete_device_authorization(device).await })
    };
    while polled_by.polls() == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn(async move { client.complete_device_authorization(device).await });
    tokio::task::yield_now().await;
    first.abort();
    let login = second.await??;
    assert_eq!(login.token.access_token().expose_secret(), "t1");
    assert_eq!(polled_by.polls(), 3);
    Ok(())
}

/// A caller that is kept, and polls no more, does not keep the others for longer than its code is good.
#[test]
async fn complete_device_authorization_beside_a_caller_that_stands_still() -> TestResult {
    let polled_by = Polled::new(20, |_| pending());
    let client = polled_by
        .builder()
        .timeout(Duration::from_millis(100))
        .build()?;
    let device = begun(&client).await;
    let mut first = std::pin::pin!(client.complete_device_authorization(device.clone()));
    let second = client.complete_device_authorization(device);
    let ended = tokio::select! {
        biased;
        _ = &mut first => panic!("it is pending"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {
            tokio::time::timeout(Duration::from_secs(60), second).await
        }
    };
    let error = ended?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Login);
    assert_eq!(first.await.unwrap_err().to_string(), error.to_string());
    assert_eq!(polled_by.polls(), 0);
    Ok(())
}

/// The code is used up by the poll that brings the token, whose caller is dropped meanwhile or just
/// then: the next one gets it.
#[test]
async fn complete_device_authorization_in_the_middle_of_a_poll() -> TestResult {
    for is_late in [false, true] {
        let gate = Gate::new();
        let held = gate.clone();
        let polled_by = Polled::new(600, move |n| {
            held.wait();
            match n {
                1 => Reply::json(200, tokens(1, 600)),
                _ => Reply::error(400, "invalid_grant"),
            }
        });
        let client = polled_by.builder().build()?;
        let device = begun(&client).await;
        let complete = || {
            let (client, device) = (client.clone(), device.clone());
            tokio::spawn(async move { client.complete_device_authorization(device).await })
        };
        let first = complete();
        run_blocking(polled_by.server.arrivals("/token", 1)).await;
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        let second = match is_late {
            true => {
                gate.open();
                tokio::time::sleep(Duration::from_millis(200)).await;
                complete()
            }
            false => {
                let second = complete();
                tokio::time::sleep(Duration::from_millis(200)).await;
                gate.open();
                second
            }
        };
        let login = second.await??;
        assert_eq!(login.token.access_token().expose_secret(), "t1");
        assert_eq!(polled_by.polls(), 1, "late: {is_late}");
        // It is served once: the client keeps no token for whoever has the code.
        let error = complete().await?.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    }
    Ok(())
}

/// `close` that is dropped on its way loses nothing either.
#[test]
async fn close() -> TestResult {
    for limit in 0..4 {
        let (client, calls) = crate::cases::close::with_pending(1).await?;
        polled(client.close(), limit).await;
        client.close().await?;
        while calls.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        assert_eq!(
            calls.load(Ordering::SeqCst),
            2,
            "told once more, and only once"
        );
    }
    Ok(())
}

const METADATA_AND_KEYS: [&str; 2] = ["/.well-known/openid-configuration", "/keys"];

/// A server that is discovered later, whose metadata and keys wait at one gate each.
fn discovered(gates: &[Gate; 2]) -> Result<(Server, OAuth2Client), oauth_twin::Error> {
    let held = gates.clone();
    let server = Server::start(move |request: &Request| {
        let base = format!("http://{}", request.header("host").expect("a host"));
        let place = |path: &&str| **path == *request.path;
        let Some(place) = METADATA_AND_KEYS.iter().position(place) else {
            return Reply::text(404, "");
        };
        held[place].wait();
        let metadata = json!({"issuer": base, "jwks_uri": format!("{base}/keys")});
        let keys = json!({"keys": [new_key("1").public_jwk()]});
        Reply::json(200, [metadata, keys][place].clone())
    });
    let client = OAuth2Client::builder("id")
        .client_secret("secret")
        .token_endpoint(server.url("/token"))
        .discover_later(server.url(""))
        .build()?;
    Ok((server, client))
}

/// The fetch of the metadata or the keys goes on for those who wait for it, and costs one request.
#[test]
async fn fetch_server_and_fetch_key_set() -> TestResult {
    let gates = METADATA_AND_KEYS.map(|_| Gate::new());
    let (server, client) = discovered(&gates)?;
    for (path, gate) in METADATA_AND_KEYS.into_iter().zip(gates) {
        let fetch = || {
            let client = client.clone();
            async move {
                match path {
                    "/keys" => client.fetch_key_set().await.map(drop),
                    _ => client.fetch_server().await.map(drop),
                }
            }
        };
        assert!(polled(fetch(), 1).await.is_none());
        let waiting = tokio::spawn(fetch());
        run_blocking(server.arrivals(path, 1)).await;
        gate.open();
        waiting.await??;
        assert_eq!(server.count(path), 1, "{path}");
    }
    Ok(())
}

/// A runtime that shuts down in the middle of a fetch strands nobody who waits in another one.
#[test]
async fn a_fetch_whose_runtime_shuts_down() -> TestResult {
    let gates = METADATA_AND_KEYS.map(|_| Gate::new());
    let (server, client) = discovered(&gates)?;
    let other = Runtime::new()?;
    let fetch = || {
        let client = client.clone();
        async move { client.fetch_server().await }
    };
    other.spawn(fetch());
    run_blocking(server.arrivals(METADATA_AND_KEYS[0], 1)).await;
    let waiting = tokio::spawn(fetch());
    tokio::task::yield_now().await;
    other.shutdown_background();
    let fetched = tokio::time::timeout(Duration::from_secs(10), waiting).await??;
    let error = fetched.unwrap_err();
    // The runtime ends the fetch, or the connection below it first.
    let kinds = [ErrorKind::Interrupted, ErrorKind::Transport];
    assert!(
        kinds.contains(&error.kind()) && error.is_transient(),
        "{error:?}"
    );
    gates[0].open();
    Ok(())
}
