//! Rules that hold for every client that gets its token by itself, whatever its kind.

use oauth_twin::{ErrorCode, reqwest::Method};

use super::{super::*, Client, client};
use crate::mode::test;

#[maybe_async]
#[test]
async fn a_crowd_without_a_token_makes_one_request() -> TestResult {
    let server = provider(600);
    let client = client(&server).build()?;
    for token in tokens_at_once(vec![client; CROWD]).await {
        assert_eq!(access_token(&token?), "t1");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// All wait for one attempt and share its error.
#[maybe_async]
#[test]
async fn a_crowd_shares_the_error_of_the_one_attempt() -> TestResult {
    // With no token as yet, and with one that has expired.
    for token in [None, Some(expired_token())] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_: &Request| {
            held.wait();
            Reply::error(400, "invalid_request")
        });
        let builder = client(&server);
        let client = match token.clone() {
            Some(token) => builder.token(token),
            None => builder,
        };
        let client = client.build()?;
        for outcome in crowd_at(&client, &server, &gate).await {
            let error = outcome.expect_err("the server refuses");
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(error.code(), Some(&ErrorCode::InvalidRequest));
        }
        assert_eq!(server.count("/token"), 1);
        assert_eq!(client.token().as_ref(), token.as_ref(), "it is kept");
    }
    Ok(())
}

/// Between the leeway and its end the token is renewed by one, while the others go on with it.
#[maybe_async]
#[test]
async fn one_renews_early_and_the_others_go_on_with_the_old_token() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let clock = ManualClock::new();
    let client = client(&server)
        .token(first_token(&clock, 600))
        .clock(clock.clock())
        .build()?;
    clock.advance(seconds(539));
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!(
        (&*text, server.count("/token")),
        ("Bearer t0", 0),
        "not yet"
    );

    clock.advance(seconds(1));
    let (renewing, url) = (client.clone(), server.url("/api"));
    let first = spawn(move || async move {
        let response = renewing.get(url).send().await.expect("an answer");
        response.text().await.expect("a text")
    });
    run_blocking(server.arrivals("/token", 1)).await;
    for _ in 0..5 {
        let text = client.get(server.url("/api")).send().await?.text().await?;
        assert_eq!(text, "Bearer t0");
    }
    gate.open();
    let text = first.join().await;
    assert_eq!(text, "Bearer t1");
    let text = client.get(server.url("/api")).send().await?.text().await?;
    assert_eq!((&*text, server.count("/token")), ("Bearer t1", 1));
    Ok(())
}

#[maybe_async]
#[test]
async fn every_verb_carries_the_token() -> TestResult {
    let server = provider(600);
    let client = client(&server).build()?;
    for request in every_verb!(client, &server.url("/api")) {
        request.send().await?;
    }
    let sent = server.requests("/api");
    let methods: Vec<_> = sent.iter().map(|request| &*request.method).collect();
    assert_eq!(
        methods,
        [
            "GET", "OPTIONS", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"
        ]
    );
    for request in &sent {
        assert_eq!(request.header("authorization"), Some("Bearer t1"));
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("oauth-twin/"), "{agent}");
    }
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_token_is_withheld_on_every_verb() -> TestResult {
    let server = provider(600);
    let client = client(&server).build()?;
    let requests = every_verb!(client, &server.url("/api"));
    let verbs = requests.len();
    for request in requests {
        request.withhold_token().send().await?;
    }
    let sent = server.requests("/api");
    assert_eq!((sent.len(), server.count("/token")), (verbs, 0));
    assert!(
        sent.iter()
            .all(|sent| sent.header("authorization").is_none())
    );
    Ok(())
}

#[maybe_async]
#[test]
async fn a_foreign_request_is_authorized() -> TestResult {
    let server = provider(600);
    let client = client(&server).build()?;
    let mut request = http::Request::new(Method::POST, server.url("/api").parse()?);
    *request.body_mut() = Some("body".into());
    client.authorize(&mut request).await?;
    assert!(request.headers()["authorization"].is_sensitive());
    let error = client.authorize(&mut request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "it has one already");
    let text = own_client().execute(request).await?.text().await?;
    assert_eq!(text, "Bearer t1");
    assert_eq!(server.requests("/api")[0].form(), "body");
    let header = client.authorization_header().await?;
    assert_eq!(header, "Bearer t1");
    assert!(header.is_sensitive());
    assert_eq!(server.count("/token"), 1);
    Ok(())
}

/// A client with a token that has to be renewed, whose hook notes what it is told.
fn slow(server: &Server, close_timeout: Duration) -> Result<(Client, Updates), Error> {
    let told = Updates::default();
    let client = client(server)
        .token(expired_token())
        .close_timeout(close_timeout)
        .update_token(recording(&told))
        .build()?;
    Ok((client, told))
}

#[maybe_async]
#[test]
async fn close_waits_for_a_renewal_and_its_hook() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let (client, told) = slow(&server, seconds(60))?;
    let renewal = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let closing = client.clone();
    let closed = spawn(move || async move { closing.close().await });
    until(|| client.token().is_none()).await;
    gate.open();
    closed.join().await?;
    let told: Vec<_> = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), 1, "told before close returned");
    assert_eq!(access_token(&told[0].token), "t1");
    let token = renewal.join().await?;
    assert_eq!(access_token(&token), "t1");
    Ok(())
}

#[maybe_async]
#[test]
async fn close_does_not_wait_for_ever_and_can_be_called_again() -> TestResult {
    let gate = Gate::new();
    let server = gated(&gate);
    let (client, told) = slow(&server, Duration::from_millis(50))?;
    let renewal = spawn_ensure_active_token(&client);
    run_blocking(server.arrivals("/token", 1)).await;
    let error = client.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let error = client.ensure_active_token().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Closed,
        "callers are refused all the same"
    );
    gate.open();
    renewal.join().await?;
    // Its limit is short for the calls above, so this one may need several.
    for _ in 0..200 {
        if client.close().await.is_ok() {
            break;
        }
    }
    client.close().await?;
    assert_eq!(told.lock().unwrap().len(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn connections_end_with_the_client() -> TestResult {
    let server = provider(600);
    let closed = client(&server).build()?;
    closed.get(server.url("/api")).send().await?.text().await?;
    assert!(server.connections() > 0);
    closed.close().await?;
    until(|| server.connections() == 0).await;

    let dropped = client(&server).build()?;
    dropped.get(server.url("/api")).send().await?.text().await?;
    assert!(server.connections() > 0);
    drop(dropped);
    until(|| server.connections() == 0).await;
    Ok(())
}
