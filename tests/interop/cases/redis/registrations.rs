//! Registrations of a client, beside its token.

use oauth_twin::oauth2::{AuthorizationServer, ClientMetadata, RegisteredClient};
use serde_json::Value;

use super::{test, *};

const ISSUER: &str = "https://id.example";
const OTHER: &str = "https://other.example";
const CLIENTS: &str = "tokens:{alice}:clients";

fn registered(issuer: &str, id: &str) -> RegisteredClient {
    let json = json!({"issuer": issuer, "client_id": id, "client_secret": "hunter2"});
    serde_json::from_value(json).expect("a client")
}

#[maybe_async]
async fn keep(store: &RedisTokenStore, issuer: &str, client: Option<&RegisteredClient>) {
    let saved = store.save_registration(issuer, client).await;
    saved.expect("kept");
}

/// Checks the identifier of the client at this issuer.
#[maybe_async]
async fn knows(store: &RedisTokenStore, issuer: &str, expected: Option<&str>) {
    let found = store.load_registration(issuer).await.expect("readable");
    let found = found.as_ref();
    assert_eq!(found.map(RegisteredClient::client_id), expected);
    let secret = found.and_then(|client| client.client_secret());
    assert!(secret.is_none_or(|secret| secret.expose_secret() == "hunter2"));
    assert_eq!(secret.is_some(), expected.is_some());
}

#[maybe_async]
async fn is_unreadable(store: &RedisTokenStore) {
    let error = store
        .load_registration(ISSUER)
        .await
        .expect_err("unreadable");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[maybe_async]
#[test]
async fn registrations_are_kept_by_issuer_beside_the_token() -> TestResult {
    let redis = RedisServer::start("registrations");
    put(&redis, token(1)).await;
    let [one, other] = [(); 2].map(|()| store_at(&redis));
    knows(&one, ISSUER, None).await;
    for (issuer, id) in [(ISSUER, "1"), (OTHER, "2"), (ISSUER, "3")] {
        keep(&one, issuer, Some(&registered(issuer, id))).await;
    }
    knows(&other, ISSUER, Some("3")).await;
    knows(&other, OTHER, Some("2")).await;
    assert_eq!(redis.cli(&["PTTL", CLIENTS]), "-1");
    for _ in 0..2 {
        keep(&other, ISSUER, None).await;
        knows(&one, ISSUER, None).await;
    }
    knows(&one, OTHER, Some("2")).await;
    // One that was moved from another server is none.
    let moved = redis.cli(&["HGET", CLIENTS, OTHER]);
    redis.cli(&["HSET", CLIENTS, ISSUER, &moved]);
    knows(&one, ISSUER, None).await;
    redis.cli(&["HSET", CLIENTS, ISSUER, "hunter2"]);
    is_unreadable(&one).await;
    let loaded = one.load().await.unwrap();
    assert_eq!(loaded, Some(stored(1, 1)));
    Ok(())
}

#[maybe_async]
#[test]
async fn registrations_are_sealed_and_expire_like_the_token() -> TestResult {
    let redis = RedisServer::start("sealed-registrations");
    let keys = SealingKeys::new("1", &[1; 32]);
    let store = || store_at(&redis).expire_after(Duration::from_secs(60));
    let sealed = store().sealed(keys);
    keep(&sealed, ISSUER, Some(&registered(ISSUER, "1"))).await;
    assert!(!redis.cli(&["HGET", CLIENTS, ISSUER]).contains("hunter2"));
    knows(&sealed, ISSUER, Some("1")).await;
    is_unreadable(&store()).await;
    redis.cli(&["PEXPIRE", CLIENTS, "5000"]);
    knows(&sealed, ISSUER, Some("1")).await;
    let left: u64 = redis.cli(&["PTTL", CLIENTS]).parse()?;
    assert!((50_000..=60_000).contains(&left), "{left}");
    // What nobody sealed is refused.
    keep(&store(), ISSUER, Some(&registered(ISSUER, "2"))).await;
    is_unreadable(&sealed).await;
    Ok(())
}

#[maybe_async]
async fn registers(server: &Server, redis: &RedisServer) -> Result<String, Error> {
    let metadata = AuthorizationServer::new(ISSUER)
        .with_registration_endpoint(server.url("/register"))
        .with_authorization_endpoint(server.url("/authorize"))
        .with_token_endpoint(server.url("/token"));
    let builder = OAuth2Client::unregistered().server(metadata);
    let builder = builder.token_store(store_at(redis));
    let builder = builder.register(ClientMetadata::native("Reports")).await?;
    Ok(format!("{builder:?}"))
}

#[maybe_async]
#[test]
async fn a_client_that_registers_itself_does_so_once() -> TestResult {
    let redis = RedisServer::start("once");
    let server = Server::start(|request: &Request| {
        let mut answer: Value = serde_json::from_slice(&request.body).expect("JSON");
        answer["client_id"] = "c-first".into();
        Reply::json(201, answer)
    });
    for _ in 0..3 {
        let builder = registers(&server, &redis).await?;
        assert!(builder.contains("\"c-first\""), "{builder}");
    }
    assert_eq!(server.count("/register"), 1);
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    Ok(())
}
