//! Futures, tasks and runtimes.

use oauth_twin::{ErrorKind, Token, TokenUpdate, oauth2::ClientCredentials};
use tokio::test;

use crate::{
    cases::{TestResult, builder, expired_token, gated, provider},
    mode::{OAuth2Client, OAuth2ClientBuilder, http, run_blocking},
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
