//! Keys of the server: fetched, kept, rotated.

use oauth_twin::{
    jose::{Algorithm, SigningKey},
    oauth2::AuthorizationServer,
    oidc::KeySet,
};
use support::keys::{Published, new_key, published, signed};

use super::{test, *};

const ALLOWED: [Algorithm; 1] = [Algorithm::ES256];

/// A server with these keys, and a client of it.
fn with_keys(keys: &Published, clock: &ManualClock) -> (Server, OAuth2Client) {
    let served = keys.clone();
    let server = Server::start(move |request: &Request| match &*request.path {
        "/keys" => served.reply(),
        _ => Reply::text(404, ""),
    });
    let client = known(&server).clock(clock.clock()).build();
    (server, client.expect("a client"))
}

fn known(server: &Server) -> OAuth2ClientBuilder {
    let metadata = AuthorizationServer::default().with_jwks_uri(server.url("/keys"));
    OAuth2Client::builder("id").server(metadata)
}

#[maybe_async]
async fn verify(client: &OAuth2Client, key: &SigningKey) -> Result<(), Error> {
    let token = signed(key);
    let claims = client
        .verify_signature(token.expose_secret(), &ALLOWED)
        .await?;
    assert_eq!(claims.subject(), Some("me"));
    Ok(())
}

#[maybe_async]
#[test]
async fn keys_are_fetched_once_and_kept_for_their_lifetime() -> TestResult {
    let (key, clock) = (new_key("1"), ManualClock::new());
    let keys = Published::new(&[&key]);
    let (_server, client) = with_keys(&keys, &clock);
    assert!(client.key_set().is_none());
    let child = client.for_token(Token::new("of another user"));
    for client in [&client, &child, &client.clone()] {
        verify(client, &key).await?;
        client.fetch_key_set().await?;
        assert!(client.key_set().is_some());
    }
    assert_eq!(keys.count(), 1);
    clock.advance(seconds(599));
    verify(&client, &key).await?;
    assert_eq!(keys.count(), 1);
    clock.advance(seconds(1));
    verify(&client, &key).await?;
    assert_eq!(keys.count(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_lifetime_has_bounds() -> TestResult {
    for (cache_control, longest) in [("no-store", 60), ("max-age=99999999", 86_400), ("", 3600)] {
        let (key, clock) = (new_key("1"), ManualClock::new());
        let keys = Published::default();
        keys.answer_for(200, published(&[&key]).to_string(), cache_control);
        let (_server, client) = with_keys(&keys, &clock);
        client.fetch_key_set().await?;
        clock.advance(seconds(longest - 1));
        client.fetch_key_set().await?;
        assert_eq!(keys.count(), 1, "{cache_control}");
        clock.advance(seconds(1));
        client.fetch_key_set().await?;
        assert_eq!(keys.count(), 2, "{cache_control}");
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn one_fetch_serves_any_number_of_callers() -> TestResult {
    let key = new_key("1");
    let (gate, keys) = (Gate::new(), Published::new(&[&key]));
    let (held, served) = (gate.clone(), keys.clone());
    let server = Server::start(move |_: &Request| {
        held.wait();
        served.reply()
    });
    let client = known(&server).build()?;
    let begun = Arc::new(AtomicUsize::new(0));
    let (crowd, counter, token) = (client.clone(), begun.clone(), signed(&key));
    let outcomes = spawn(move || async move {
        at_once(CROWD, |_| {
            let (client, begun, token) = (crowd.clone(), counter.clone(), token.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                client
                    .verify_signature(token.expose_secret(), &ALLOWED)
                    .await
            }
        })
        .await
    });
    until(|| begun.load(Ordering::SeqCst) == CROWD && server.count("/keys") > 0).await;
    sleep(Duration::from_millis(100)).await;
    gate.open();
    for outcome in outcomes.join().await {
        outcome?;
    }
    assert_eq!(keys.count(), 1);
    Ok(())
}

#[maybe_async]
#[test]
async fn a_rotation_is_followed_at_once_and_an_unknown_key_once_a_minute() -> TestResult {
    let [old, new, foreign] = ["1", "2", "3"].map(new_key);
    let clock = ManualClock::new();
    let keys = Published::new(&[&old]);
    let (_server, client) = with_keys(&keys, &clock);
    // Just before signing: the keys were fetched in the same moment.
    client.fetch_key_set().await?;
    keys.rotate(&[&new]);
    verify(&client, &new).await?;
    assert_eq!(keys.count(), 2);
    for _ in 0..3 {
        let error = verify(&client, &foreign).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer);
        let error = verify(&client, &old).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer);
    }
    assert_eq!(keys.count(), 2, "they cool down");
    clock.advance(seconds(60));
    for _ in 0..3 {
        verify(&client, &foreign).await.unwrap_err();
    }
    assert_eq!(keys.count(), 3);
    verify(&client, &new).await?;
    Ok(())
}

/// Some providers use a `kid` again for another key, and others have none.
#[maybe_async]
#[test]
async fn a_known_key_id_with_another_key_is_fetched_again_once() -> TestResult {
    let [old, new, foreign] = [(); 3].map(|()| new_key("1"));
    let clock = ManualClock::new();
    let keys = Published::new(&[&old]);
    let (_server, client) = with_keys(&keys, &clock);
    verify(&client, &old).await?;
    keys.rotate(&[&new]);
    verify(&client, &new).await?;
    assert_eq!(keys.count(), 2);
    for _ in 0..3 {
        verify(&client, &foreign).await.unwrap_err();
        verify(&client, &old).await.unwrap_err();
    }
    assert_eq!(keys.count(), 2);
    Ok(())
}

#[maybe_async]
#[test]
async fn old_keys_are_kept_while_others_cannot_be_fetched() -> TestResult {
    let [old, new] = ["1", "2"].map(new_key);
    for (status, body) in [
        (503, "<h1>busy</h1>"),
        (200, "<h1>busy</h1>"),
        (200, r#"{"error":"busy"}"#),
        (200, r#"{"keys":[]}"#),
        (200, r#"{"keys":[{"kty":"of the future"}]}"#),
        (404, ""),
        (302, ""),
    ] {
        let clock = ManualClock::new();
        let keys = Published::new(&[&old]);
        let (_server, client) = with_keys(&keys, &clock);
        verify(&client, &old).await?;
        keys.answer(status, body);
        // For a key that is not known, and then for the lifetime.
        verify(&client, &new).await.unwrap_err();
        verify(&client, &new).await.unwrap_err();
        assert_eq!(keys.count(), 2, "{body}");
        clock.advance(seconds(600));
        for _ in 0..3 {
            verify(&client, &old).await?;
        }
        assert_eq!(keys.count(), 3, "{body}");
        // The next one after the cool-down finds the provider well again.
        keys.rotate(&[&new]);
        clock.advance(seconds(60));
        verify(&client, &new).await?;
        assert_eq!(keys.count(), 4, "{body}");
        let rotated = client.fetch_key_set().await?;
        assert_eq!(rotated.keys().keys().len(), 1);
    }
    Ok(())
}

#[maybe_async]
#[test]
async fn without_keys_nothing_is_accepted() -> TestResult {
    let key = new_key("1");
    for (status, body) in [
        (503, ""),
        (200, r#"{"keys":[]}"#),
        (200, r#"{"error":"busy"}"#),
    ] {
        let (clock, keys) = (ManualClock::new(), Published::default());
        keys.answer(status, body);
        let (_server, client) = with_keys(&keys, &clock);
        for _ in 0..3 {
            verify(&client, &key).await.unwrap_err();
        }
        assert_eq!(keys.count(), 1, "attempts are paced");
        keys.rotate(&[&key]);
        clock.advance(seconds(2));
        verify(&client, &key).await?;
    }
    let unknown = OAuth2Client::builder("id").build()?;
    let error = verify(&unknown, &key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("jwks_uri"), "{error}");
    Ok(())
}

#[maybe_async]
#[test]
async fn an_algorithm_that_is_not_allowed_costs_no_request() -> TestResult {
    let (key, clock) = (new_key("1"), ManualClock::new());
    let keys = Published::new(&[&key]);
    let (_server, client) = with_keys(&keys, &clock);
    let token = signed(&key);
    for token in [
        token.expose_secret(),
        "a.b.c",
        "",
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        let verified = client.verify_signature(token, &[Algorithm::RS256]).await;
        assert_eq!(verified.unwrap_err().kind(), ErrorKind::Answer);
    }
    assert_eq!(keys.count(), 0);
    Ok(())
}

#[maybe_async]
#[test]
async fn keys_that_were_kept_serve_the_next_process_of_the_same_server() -> TestResult {
    let [key, new] = ["1", "2"].map(new_key);
    let clock = ManualClock::new();
    let keys = Published::new(&[&key]);
    let (server, client) = with_keys(&keys, &clock);
    let kept = serde_json::to_string(&client.fetch_key_set().await?)?;
    let kept: KeySet = serde_json::from_str(&kept)?;

    let next = known(&server)
        .clock(clock.clock())
        .key_set(kept.clone())
        .build()?;
    verify(&next, &key).await?;
    assert_eq!(keys.count(), 1);
    keys.rotate(&[&new]);
    verify(&next, &new).await?;
    assert_eq!(keys.count(), 2);

    let (others, other) = (Published::new(&[&new]), new_key("1"));
    others.rotate(&[&other]);
    let (server, _) = with_keys(&others, &clock);
    let client = known(&server).clock(clock.clock()).key_set(kept).build()?;
    verify(&client, &key).await.unwrap_err();
    verify(&client, &other).await?;
    others.answer(503, "");
    clock.advance(seconds(600));
    verify(&client, &key).await.unwrap_err();
    verify(&client, &other).await?;
    Ok(())
}

#[maybe_async]
#[test]
async fn a_closed_client_fetches_no_keys() -> TestResult {
    let (key, clock) = (new_key("1"), ManualClock::new());
    let keys = Published::new(&[&key]);
    let (_server, client) = with_keys(&keys, &clock);
    client.close().await?;
    let errors = [
        verify(&client, &key).await.unwrap_err(),
        client.fetch_key_set().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
    assert!(client.key_set().is_none());
    assert_eq!(keys.count(), 0);
    Ok(())
}

#[cfg(feature = "tracing")]
mod events {
    use super::{
        super::{events::warned, support::log},
        test, *,
    };

    #[maybe_async]
    #[test]
    async fn keys_that_cannot_be_fetched_again_are_told() -> TestResult {
        const TEST: &str = "old keys";
        let _marked = log::marked(TEST);
        let (key, clock) = (new_key("1"), ManualClock::new());
        let keys = Published::new(&[&key]);
        let (_server, client) = with_keys(&keys, &clock);
        verify(&client, &key).await?;
        keys.answer(503, "planted-text");
        clock.advance(seconds(600));
        verify(&client, &key).await?;
        warned(TEST, "refetch_failed", "error", "503").await;
        Ok(())
    }

    #[maybe_async]
    #[test]
    async fn a_key_that_is_skipped_is_told() -> TestResult {
        const TEST: &str = "skipped key";
        let _marked = log::marked(TEST);
        let (key, clock) = (new_key("1"), ManualClock::new());
        let mut set = published(&[&key]);
        let keys = set["keys"].as_array_mut().expect("keys");
        keys.push(json!({"kty": "EC", "crv": "P-256", "x": "planted", "y": "planted"}));
        let served = Published::default();
        served.answer(200, set.to_string());
        let (_server, client) = with_keys(&served, &clock);
        verify(&client, &key).await?;
        warned(TEST, "key_skipped", "reason", "key 2").await;
        // Once, and not for each token.
        verify(&client, &key).await?;
        warned(TEST, "key_skipped", "reason", "key 2").await;
        Ok(())
    }
}
