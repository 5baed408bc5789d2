//! The blocking client inside a tokio runtime, in which reqwest's own panics in debug builds.

use oauth_twin::{
    BoxError, Token,
    jose::{Algorithm, ExternalKey},
    oauth2::ClientCredentials,
};

use crate::{
    cases::{TestResult, builder, cause, provider, with_credentials},
    mode::{AssertionClient, ExternalSigner, OAuth2Client, http},
    support::{gate::Gate, jwt::signing_key, server::Server},
};

/// An external key.
struct Kms;

impl ExternalSigner for Kms {
    fn key(&self) -> ExternalKey {
        ExternalKey::new(Algorithm::ES256)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(signing_key(Algorithm::ES256, "p-256").sign(message)?)
    }
}

/// Everything of ours, from building to dropping. The answer is not read: that is reqwest's.
fn all_of_it(server: &Server) -> TestResult {
    let client = with_credentials(server)
        .update_token(|_| Ok(()))
        .configure_http(|builder| builder.no_proxy())
        .build()?;
    assert_eq!(client.get(server.url("/api")).send()?.status(), 200);
    assert_eq!(
        client.post(server.url("/api")).json(&[1]).send()?.status(),
        200
    );
    client.refresh_token()?;
    client.ensure_active_token()?;
    client.fetch_token(ClientCredentials::new())?;
    client.exchange(ClientCredentials::new())?;
    let mut request = http::Request::new(
        oauth_twin::reqwest::Method::GET,
        server.url("/api").parse()?,
    );
    client.authorize(&mut request)?;
    client.authorization_header()?;
    client
        .for_token(Token::new("t").with_refresh_token("r"))
        .refresh_token()?;
    let response = client.get(server.url("/api")).send()?;
    drop(response);
    let unsent = client.get(server.url("/api"));
    client.clone().close()?;
    drop(unsent);
    drop(client);
    let dropped = builder(server).build()?;
    drop(dropped);
    let robot = AssertionClient::builder(server.url("/token"))
        .issuer("robot")
        .signer(Kms)
        .build()?;
    assert_eq!(robot.get(server.url("/api")).send()?.status(), 200);
    robot.refresh_token()?;
    robot.close()?;
    let with = with_credentials(server).build()?;
    with.with(|client: &OAuth2Client| client.ensure_active_token().map(drop))?;
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn blocking_clients_work_in_a_runtime_of_one_thread() -> TestResult {
    all_of_it(&provider(600))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_clients_work_in_a_runtime_of_many_threads() -> TestResult {
    let server = provider(600);
    tokio::spawn(async move { all_of_it(&server).map_err(|error| error.to_string()) }).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_can_be_read_in_spawn_blocking() -> TestResult {
    tokio::task::spawn_blocking(|| {
        let server = provider(600);
        all_of_it(&server).map_err(|error| error.to_string())?;
        let client = with_credentials(&server)
            .build()
            .map_err(|error| error.to_string())?;
        let response = client
            .get(server.url("/api"))
            .send()
            .map_err(|error| error.to_string())?;
        let text = response.text().map_err(|error| error.to_string())?;
        assert!(text.starts_with("Bearer t"));
        Ok::<(), String>(())
    })
    .await??;
    Ok(())
}

/// The function that makes the assertion is waited for no longer than the timeout.
#[test]
fn a_function_that_hangs() -> TestResult {
    let server = provider(600);
    let gate = Gate::new();
    let waiting = gate.clone();
    let client = AssertionClient::builder(server.url("/token"))
        .assertion(move || {
            waiting.wait();
            Ok("a".into())
        })
        .timeout(std::time::Duration::from_millis(50))
        .build()?;
    let error = client.refresh_token().unwrap_err();
    assert_eq!(cause(&error), "it timed out");
    assert_eq!(server.requests_in_all(), 0);
    gate.open();
    Ok(())
}
