//! Redis behind TLS, with a certificate of the authority that tests/interop/run makes.

use std::env;

use super::{test, *};
use crate::free_port::free_port;

/// A server with a port for TLS beside the other, and that port.
fn encrypted(name: &str) -> (RedisServer, u16) {
    let certificates = env::var("FAPI_CERTIFICATES").expect("tests/interop/run sets it");
    let file = |name: &str| format!("{certificates}/{name}.pem");
    let port = free_port();
    let redis = RedisServer::with(
        name,
        &[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &file("server"),
            "--tls-key-file",
            &file("server.key"),
            "--tls-ca-cert-file",
            &file("ca"),
            "--tls-auth-clients",
            "no",
        ],
    );
    (redis, port)
}

#[maybe_async]
#[test]
async fn a_token_is_kept_and_renewed_over_tls() -> TestResult {
    let (mut redis, port) = encrypted("tls");
    let server = strict();
    put(&redis, expired()).await;
    let shared = Redis::open(&format!("rediss://localhost:{port}"))?;
    let client = client_of(&server)
        .token_store(RedisTokenStore::new(&shared, ROW))
        .build()?;
    client.ensure_active_token().await?;
    let row = store_at(&redis).load().await.unwrap().expect("a row");
    assert_eq!((row.token, row.version), (client.token(), 2));
    assert_eq!(redis.cli(&["EXISTS", LEASE]), "0");
    redis.stop();
    redis.start_again();
    let renewed = client.refresh_token().await?;
    assert_eq!(renewed.access_token().expose_secret(), "t2");
    Ok(())
}

/// Nothing of the store is sent to a server that has not shown who it is.
#[maybe_async]
#[test]
async fn a_server_of_another_name_or_without_tls_is_refused() -> TestResult {
    let (redis, port) = encrypted("tls-names");
    put(&redis, expired()).await;
    let plain = redis
        .url()
        .replace("redis://127.0.0.1", "rediss://localhost");
    for url in [
        // Of the certificate, and of the address.
        format!("rediss://127.0.0.1:{port}"),
        // What speaks no TLS, and what speaks nothing else.
        plain,
        format!("redis://localhost:{port}"),
        // The crate is built without it.
        format!("rediss://localhost:{port}/#insecure"),
    ] {
        let shared = Redis::open(&url)?.timeout(Duration::from_millis(500));
        let store = RedisTokenStore::new(&shared, ROW);
        let loaded = store.load().await;
        assert!(loaded.is_err(), "{url}: {loaded:?}");
        let server = strict();
        let client = client_of(&server).token_store(store).build()?;
        let error = client.ensure_active_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{error:?}");
        assert_eq!(server.count("/token"), 0);
    }
    Ok(())
}
