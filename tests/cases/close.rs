//! Closing: by `close`, by `Drop`, by `with`.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use oauth_twin::{BoxError, Error, ErrorKind, TokenUpdate};

use super::{test, *};

#[maybe_async]
#[test]
async fn after_close_every_call_of_every_clone_fails() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    let clone = client.clone();
    let unsent = client.get(server.url("/unsent"));
    client.get(server.url("/api")).send().await?;
    client.close().await?;
    client.close().await?;
    for client in [&client, &clone] {
        assert_eq!(client.token(), None);
        let mut request = http::Request::new(reqwest_method(), server.url("/").parse()?);
        let errors = [
            client.get(server.url("/late")).send().await.map(|_| ()),
            client.ensure_active_token().await.map(|_| ()),
            client.refresh_token().await.map(|_| ()),
            client
                .fetch_token(ClientCredentials::new())
                .await
                .map(|_| ()),
            client.exchange(ClientCredentials::new()).await.map(|_| ()),
            client.set_token(Token::new("x")),
            client.authorize(&mut request).await,
            client.authorization_header().await.map(|_| ()),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
        }
    }
    let error = unsent.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert_eq!(
        (
            server.count("/token"),
            server.count("/late"),
            server.count("/unsent")
        ),
        (1, 0, 0)
    );
    assert_eq!(format!("{client:?}"), format!("{CLIENT}(Closed)"));
    Ok(())
}

fn reqwest_method() -> oauth_twin::reqwest::Method {
    oauth_twin::reqwest::Method::GET
}

/// A provider that waits at a gate, and a client with a token that has to be renewed, whose hook
/// notes what it is told.
fn slow(gate: &Gate, close_timeout: Duration) -> Result<(Arc<Server>, OAuth2Client, Told), Error> {
    let held = gate.clone();
    let server = Arc::new(Server::start(move |_: &Request| {
        held.wait();
        Reply::json(200, tokens(1, 600))
    }));
    let told = Told::default();
    let note = told.clone();
    let client = builder(&server)
        .token(
            Token::new("t0")
                .with_refresh_token("r0")
                .with_expires_at(std::time::UNIX_EPOCH),
        )
        .close_timeout(close_timeout)
        .update_token(move |update: TokenUpdate| {
            note.lock().unwrap().push(update);
            Ok(())
        })
        .build()?;
    Ok((server, client, told))
}

type Told = Arc<Mutex<Vec<TokenUpdate>>>;

#[maybe_async]
#[test]
async fn close_waits_for_a_renewal_and_its_hook() -> TestResult {
    let gate = Gate::new();
    let (server, client, told) = slow(&gate, Duration::from_secs(60))?;
    let renewing = client.clone();
    let renewal = begin(move || async move { renewing.ensure_active_token().await });
    let waiting = server.clone();
    meanwhile(move || waiting.wait_for("/token", 1)).await;
    let closing = client.clone();
    let closed = begin(move || async move { closing.close().await });
    while client.token().is_some() {
        pause(Duration::from_millis(5)).await;
    }
    gate.open();
    closed.end().await?;
    assert_eq!(told.lock().unwrap().len(), 1, "told before close returned");
    let token = renewal.end().await?;
    assert_eq!(token.access_token().expose_secret(), "t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn close_does_not_wait_for_ever_and_can_be_called_again() -> TestResult {
    let gate = Gate::new();
    let (server, client, told) = slow(&gate, Duration::from_millis(50))?;
    let renewing = client.clone();
    let renewal = begin(move || async move { renewing.ensure_active_token().await });
    let waiting = server.clone();
    meanwhile(move || waiting.wait_for("/token", 1)).await;
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Closed,
        "callers are refused all the same"
    );
    gate.open();
    renewal.end().await?;
    client.close().await?;
    assert_eq!(told.lock().unwrap().len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn close_does_not_wait_for_ever_for_a_hook_that_hangs() -> TestResult {
    let gate = Gate::new();
    let held = gate.clone();
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .close_timeout(Duration::from_millis(50))
        .update_token(move |_: TokenUpdate| {
            let (held, call) = (held.clone(), counter.fetch_add(1, Ordering::SeqCst));
            async move {
                if call == 0 {
                    return Err("down".into());
                }
                meanwhile(move || held.wait()).await;
                Ok::<(), BoxError>(())
            }
        })
        .build()?;
    client.refresh_token().await.unwrap_err();
    for _ in 0..2 {
        let error = client.close().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(error.to_string().contains("update_token"), "{error}");
    }
    gate.open();
    client.close().await?;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        2,
        "it was one call all the time"
    );
    Ok(())
}

/// A client with an update that its hook has refused, and the hook's count of calls. It refuses
/// `failures` times.
#[maybe_async]
pub async fn with_pending(failures: usize) -> Result<(OAuth2Client, Arc<AtomicUsize>), Error> {
    let server = provider(600);
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let client = builder(&server)
        .token(Token::new("t0").with_refresh_token("r0"))
        .update_token(move |_: TokenUpdate| {
            match counter.fetch_add(1, Ordering::SeqCst) < failures {
                true => Err("disk full".into()),
                false => Ok(()),
            }
        })
        .build()?;
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    Ok((client, calls))
}

#[maybe_async]
#[test]
async fn close_tells_what_the_hook_has_not_taken() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    client.close().await?;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    client.close().await?;
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let (client, calls) = with_pending(2).await?;
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Update);
    let error = client.refresh_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    client.close().await?;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        3,
        "what was left was kept for the second close"
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn the_last_clone_tells_it_when_dropped() -> TestResult {
    let (client, calls) = with_pending(1).await?;
    let clone = client.clone();
    drop(client);
    pause(Duration::from_millis(20)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(clone);
    while calls.load(Ordering::SeqCst) < 2 {
        pause(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn connections_end_with_the_client() -> TestResult {
    let server = provider(600);
    let client = with_credentials(&server).build()?;
    client.get(server.url("/api")).send().await?.text().await?;
    assert!(server.connections() > 0);
    client.close().await?;
    while server.connections() > 0 {
        pause(Duration::from_millis(5)).await;
    }
    Ok(())
}
